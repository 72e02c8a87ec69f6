//! Taking in a source: rows are read to the end, duplicates are folded, the rest are appended as
//! subjects.
//!
//! A source is taken in whole or not at all. Its row says where it began; if the process dies
//! before the end, the next one to open the file removes what it had appended and the same
//! command reads the source again, which takes seconds.

use std::sync::LazyLock;

use rusqlite::{
    Connection, OptionalExtension, Statement, params,
    types::{ToSqlOutput, ValueRef},
};

mod bitmap;
mod checkpoint;
mod dedup;
mod key_runs;
mod spool;

use self::{
    bitmap::Bitmap,
    checkpoint::Checkpoints,
    dedup::fold,
    key_runs::{Sorter, key_of},
    spool::{RowSpool, Spooled},
};
use super::{
    Reject, Result, Store, corp_number,
    multi_insert::{Insert, MANY},
    rejects, save_tally,
};
use crate::{
    clock::Timestamp,
    model::{Row, State},
};

/// Rows appended in one transaction.
const ROWS_A_TRANSACTION: u64 = 100_000;

/// What came of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportStats {
    /// Subjects seen for the first time.
    pub new: u64,
    /// Rows that fell on a subject already known.
    pub duplicates: u64,
}

/// A source being taken in. Dropped before [`finish`](Self::finish), it leaves nothing behind.
pub struct Import<'s> {
    store: &'s mut Store,
    source: i64,
    /// It can be read again under its name.
    is_file: bool,
    rejects: u64,
    first: i64,
    /// The id given out last.
    last: i64,
    sorter: Sorter,
    spool: RowSpool,
}

impl Store {
    /// Whether a source with this digest was taken in whole.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn knows_source(&self, digest: &[u8]) -> Result<bool> {
        let mut find = self.db.prepare_cached(
            "SELECT 1 FROM sources WHERE digest = ?1 AND imported_at IS NOT NULL",
        )?;
        Ok(find.exists([digest])?)
    }

    /// Begins to take in a source; standard input has no digest.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn enrol(&mut self, name: &str, digest: Option<&[u8]>) -> Result<Import<'_>> {
        let first: i64 =
            self.db
                .query_row("SELECT coalesce(max(id), 0) + 1 FROM subjects", [], |row| {
                    row.get(0)
                })?;
        // Appended subjects are worth nothing before the end, and the end is a commit in full.
        self.db.pragma_update(None, "synchronous", "normal")?;
        let source = self.db.query_row(
            "INSERT INTO sources (name, digest, first_subject) VALUES (?1, ?2, ?3) RETURNING id",
            params![name, digest, first],
            |row| row.get(0),
        )?;
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => ".".into(),
        };
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Import {
            store: self,
            source,
            is_file: digest.is_some(),
            rejects: 0,
            first,
            last: first - 1,
            spool: RowSpool::new(&folder),
            sorter: Sorter::new(folder),
        })
    }
}

impl Import<'_> {
    /// Takes one row.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let Store { db, corps, .. } = &mut *self.store;
        let number = |corpid| corp_number(db, corps, corpid);
        let corp = row.corpid.map(number).transpose()?;
        self.spool.push(row, corp)?;
        self.last += 1;
        self.sorter.push((key_of(row), self.last))
    }

    /// Appends every row that is not marked.
    fn append(&mut self, twice: &Bitmap) -> Result<()> {
        let db = &self.store.db;
        let (mut many, mut one) = (SUBJECTS.many(db)?, SUBJECTS.one(db)?);
        let mut rows = self.spool.read()?;
        let new = rows_in(self.first, self.last) - twice.count();
        let in_ones = new - new % MANY as u64;
        let (mut appended, mut bound) = (0, 0);
        let mut checkpoints = Checkpoints::of(self.store.path.clone());
        for id in self.first..=self.last {
            if twice.has(id) {
                rows.skip(1)?;
                continue;
            }
            let row = rows.next()?;
            if appended >= in_ones {
                bind(&mut one, 0, &row)?;
                one.raw_execute()?;
                appended += 1;
                continue;
            }
            bind(&mut many, bound, &row)?;
            bound += 1;
            if bound == MANY {
                many.raw_execute()?;
                appended += bound as u64;
                bound = 0;
                if appended.is_multiple_of(ROWS_A_TRANSACTION) {
                    db.execute_batch("COMMIT")?;
                    checkpoints.committed()?;
                    db.execute_batch("BEGIN IMMEDIATE")?;
                }
            }
        }
        Ok(())
    }

    /// Keeps a line that cannot be a subject; `source` in it is the one being taken in.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn reject(&mut self, reject: &Reject) -> Result<()> {
        self.rejects += 1;
        rejects::write(&self.store.db, self.source, self.rejects, reject)?;
        if self.rejects.is_multiple_of(ROWS_A_TRANSACTION) {
            self.store.db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// The source turned out not to be whole: what was read is kept, but the file is not taken for
    /// known.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn forget_digest(&mut self) -> Result<()> {
        let forget = "UPDATE sources SET digest = NULL WHERE id = ?1";
        self.store.db.execute(forget, [self.source])?;
        Ok(())
    }

    /// Folds duplicates, appends the others, and marks the source as taken in; before that last
    /// transaction there is nothing that the next open would not take back.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn finish(mut self, lines: u64, rejected: u64, now: Timestamp) -> Result<ImportStats> {
        let rows = rows_in(self.first, self.last);
        let folder = self.sorter.folder().to_owned();
        let sorter = std::mem::replace(&mut self.sorter, Sorter::new(folder));
        let ids = (self.first, self.last + 1);
        let folded = fold(&self.store.db, sorter, &mut self.spool, ids)?;
        self.store.db.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.append(&folded.twice)?;
        self.store
            .db
            .pragma_update(None, "wal_autocheckpoint", 4000)?;
        self.store.db.execute_batch("COMMIT")?;
        self.store.db.pragma_update(None, "synchronous", "full")?;
        self.store.db.execute_batch("BEGIN IMMEDIATE")?;
        let duplicates = folded.twice.count();
        folded.save(&self.store.db)?;
        let new = rows - duplicates;
        let mut tally = self.store.tally;
        tally.add(State::Queued, new);
        save_tally(&self.store.db, &tally)?;
        if new > 0 {
            let db = &self.store.db;
            db.execute("UPDATE job SET revision = revision + 1", [])?;
        }
        self.store.db.execute(
            "UPDATE sources SET lines = ?2, rejected = ?3, subjects = ?4, imported_at = ?5
             WHERE id = ?1",
            params![
                self.source,
                lines.cast_signed(),
                rejected.cast_signed(),
                new.cast_signed(),
                now.as_millis()
            ],
        )?;
        if self.is_file {
            replace_earlier(&self.store.db, self.source)?;
        }
        self.store.db.execute_batch("COMMIT")?;
        self.store.tally = tally;
        Ok(ImportStats { new, duplicates })
    }
}

fn rows_in(first: i64, last: i64) -> u64 {
    u64::try_from(last + 1 - first).unwrap_or_default()
}

/// It names no id: SQLite gives each subject the next one, and knows without a search that its
/// place is at the end.
static SUBJECTS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT INTO subjects (unionid, openid, corp)";
    Insert::new(into, "(?, ?, ?)", "")
});

/// Binds the subject in the `place`th row of values.
fn bind(insert: &mut Statement<'_>, place: usize, row: &Spooled<'_>) -> Result<()> {
    let text = |bytes| ToSqlOutput::Borrowed(ValueRef::Text(bytes));
    let before = place * 3;
    insert.raw_bind_parameter(before + 1, text(row.unionid))?;
    insert.raw_bind_parameter(before + 2, text(row.openid))?;
    insert.raw_bind_parameter(before + 3, row.corp)?;
    Ok(())
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        if !self.store.db.is_autocommit() {
            // Cut short: nothing of it may stay. If this fails too, the next open undoes it.
            let _ = self.store.db.execute_batch("ROLLBACK");
            let _ = self.store.recall_corps();
            let _ = undo_unfinished(&self.store.db);
            let _ = self.store.db.pragma_update(None, "synchronous", "full");
        }
    }
}

/// The file of `source` has been read before, with other bytes: it broke off then, or it was put
/// right, or it is tonight's. What it holds now is what counts, its rejects above all; its subjects
/// and its place in the order pass over.
fn replace_earlier(db: &Connection, source: i64) -> Result<()> {
    let earlier = "FROM sources WHERE imported_at IS NOT NULL AND id <> ?1
                   AND name = (SELECT name FROM sources WHERE id = ?1)";
    let adopt = format!(
        "UPDATE sources SET
            first_subject = min(first_subject,
                coalesce((SELECT min(first_subject) {earlier}), first_subject)),
            subjects = subjects + (SELECT coalesce(sum(subjects), 0) {earlier}) WHERE id = ?1"
    );
    db.execute(&adopt, [source])?;
    db.execute(&format!("DELETE {earlier}"), [source])?;
    Ok(())
}

/// Removes what an import that never ended had appended.
pub(super) fn undo_unfinished(db: &Connection) -> Result<()> {
    let first: Option<i64> = db
        .query_row(
            "SELECT min(first_subject) FROM sources WHERE imported_at IS NULL",
            [],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    if let Some(first) = first {
        db.execute_batch("BEGIN IMMEDIATE")?;
        db.execute("DELETE FROM subjects WHERE id >= ?1", [first])?;
        db.execute("DELETE FROM sources WHERE imported_at IS NULL", [])?;
        db.execute_batch("COMMIT")?;
    }
    Ok(())
}
