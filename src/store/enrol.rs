//! Taking in a source: rows are appended as subjects, then duplicates are folded.
//!
//! A source is taken in whole or not at all. Its row says where it began; if the process dies
//! before the end, the next one to open the file removes what it had appended and the same
//! command reads the source again, which takes seconds.

use rusqlite::{Connection, OptionalExtension, params};

use super::{
    Result, Store,
    keys::{Pair, RunWriter, Runs, Sorter, key_of},
    save_tally,
};
use crate::{
    clock::Timestamp,
    model::{Row, State},
};

/// Rows appended in one transaction.
const ROWS_A_TRANSACTION: usize = 100_000;
/// Rows appended with one statement at hand.
const ROWS_A_STATEMENT: usize = 1_000;

/// What came of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolled {
    /// Subjects seen for the first time.
    pub new: u64,
    /// Rows that fell on a subject already known.
    pub duplicates: u64,
}

/// A source being taken in. Dropped before [`finish`](Self::finish), it leaves nothing behind.
pub struct Enrolment<'s> {
    store: &'s mut Store,
    source: i64,
    first: i64,
    /// The id given out last; those of rows that wait are the latest.
    last: i64,
    sorter: Sorter,
    waiting: Waiting,
    uncommitted: usize,
}

/// Rows on their way into one transaction, in one text.
#[derive(Default)]
struct Waiting {
    text: String,
    /// Where a row's unionid and openid end, and the corp to look in.
    rows: Vec<(usize, usize, Option<i64>)>,
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
    pub fn enrol(&mut self, name: &str, digest: Option<&[u8]>) -> Result<Enrolment<'_>> {
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
        Ok(Enrolment {
            store: self,
            source,
            first,
            last: first - 1,
            sorter: Sorter::new(folder),
            waiting: Waiting::default(),
            uncommitted: 0,
        })
    }
}

impl Enrolment<'_> {
    /// Appends one row.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let corp = row
            .corpid
            .map(|corpid| self.store.corp(corpid))
            .transpose()?;
        self.sorter.push((key_of(row), self.last + 1))?;
        self.last += 1;
        let Waiting { text, rows } = &mut self.waiting;
        let unionid_ends = text.len() + row.unionid.len();
        text.push_str(row.unionid);
        text.push_str(row.openid);
        rows.push((unionid_ends, text.len(), corp));
        if rows.len() == ROWS_A_STATEMENT {
            self.append()?;
        }
        Ok(())
    }

    /// Appends what waits.
    fn append(&mut self) -> Result<()> {
        let mut insert = self.store.db.prepare_cached(
            "INSERT INTO subjects (id, unionid, openid, corp) VALUES (?1, ?2, ?3, ?4)",
        )?;
        let Waiting { text, rows } = &mut self.waiting;
        self.uncommitted += rows.len();
        let mut id = self.last - i64::try_from(rows.len()).unwrap_or_default();
        let mut begins = 0;
        for (unionid_ends, ends, corp) in rows.drain(..) {
            let (unionid, openid) = (&text[begins..unionid_ends], &text[unionid_ends..ends]);
            id += 1;
            insert.execute(params![id, unionid, openid, corp])?;
            begins = ends;
        }
        text.clear();
        drop(insert);
        if self.uncommitted >= ROWS_A_TRANSACTION {
            self.store.db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
            self.uncommitted = 0;
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

    /// Folds duplicates and marks the source as taken in, in one transaction.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn finish(mut self, lines: u64, rejected: u64, now: Timestamp) -> Result<Enrolled> {
        self.append()?;
        self.store.db.execute_batch("COMMIT")?;
        self.store.db.pragma_update(None, "synchronous", "full")?;
        self.store.db.execute_batch("BEGIN IMMEDIATE")?;
        // Texts are compared in the order of their hashes, that is in none.
        self.store
            .db
            .pragma_update(None, "cache_size", -48 * 1024)?;
        let rows = u64::try_from(self.last + 1 - self.first).unwrap_or_default();
        let sorter = std::mem::replace(&mut self.sorter, Sorter::new("".into()));
        let twice = fold(&self.store.db, sorter, self.first, self.last + 1)?;
        let duplicates = delete(&self.store.db, self.first, &twice)?;
        let new = rows - duplicates;
        let mut tally = self.store.tally;
        tally.add(State::Queued, new);
        save_tally(&self.store.db, &tally)?;
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
        self.store.db.execute_batch("COMMIT")?;
        self.store.tally = tally;
        self.store.db.pragma_update(None, "cache_size", -8 * 1024)?;
        Ok(Enrolled { new, duplicates })
    }
}

impl Drop for Enrolment<'_> {
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

/// One bit for each row of this import.
struct Marks {
    first: i64,
    bits: Vec<u64>,
}

impl Marks {
    fn new(first: i64, next: i64) -> Self {
        let rows = usize::try_from(next - first).unwrap_or_default();
        Self {
            first,
            bits: vec![0; rows.div_ceil(64)],
        }
    }

    fn set(&mut self, id: i64) {
        let row = usize::try_from(id - self.first).unwrap_or_default();
        if let Some(word) = self.bits.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    fn ids(&self) -> impl Iterator<Item = i64> {
        self.bits
            .iter()
            .zip(0_i64..)
            .flat_map(move |(word, place)| {
                (0..64)
                    .filter(move |bit| word & (1 << bit) != 0)
                    .map(move |bit| self.first + place * 64 + bit)
            })
    }
}

/// Merges the new keys into the stored runs and marks the rows that fall on an earlier subject.
fn fold(db: &Connection, sorter: Sorter, first: i64, next: i64) -> Result<Marks> {
    let mut twice = Marks::new(first, next);
    let runs = Runs::of(db)?;
    let melt = runs.are_many();
    let (mut new, mut old) = (sorter.sorted()?, runs.sorted(db)?);
    let mut out = RunWriter::new(db, runs.next());
    let mut same: Vec<Pair> = Vec::new();
    while let Some((key, _)) = new.peek() {
        // Earlier keys first: they decide whether a new one of the same hash is a duplicate.
        same.clear();
        while let Some(pair) = old.peek()
            && pair.0 <= key
        {
            old.next()?;
            if pair.0 == key {
                same.push(pair);
            }
            if melt {
                out.push(pair)?;
            }
        }
        while let Some(pair) = new.peek()
            && pair.0 == key
        {
            new.next()?;
            if is_known(db, &same, pair.1)? {
                twice.set(pair.1);
            } else {
                same.push(pair);
                out.push(pair)?;
            }
        }
    }
    if melt {
        while let Some(pair) = old.next()? {
            out.push(pair)?;
        }
    }
    out.finish()?;
    if melt {
        db.execute("DELETE FROM key_chunks WHERE run < ?1", [runs.next()])?;
    }
    Ok(twice)
}

/// Whether one of the subjects with the same hash has the same text.
fn is_known(db: &Connection, same: &[Pair], id: i64) -> Result<bool> {
    for (_, known) in same {
        let mut compare = db.prepare_cached(
            "SELECT 1 FROM subjects a, subjects b WHERE a.id = ?1 AND b.id = ?2
             AND a.unionid = b.unionid AND a.openid = b.openid AND a.corp IS b.corp",
        )?;
        if compare.exists([*known, id])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes the marked rows, in id order.
fn delete(db: &Connection, first: i64, twice: &Marks) -> Result<u64> {
    debug_assert_eq!(first, twice.first);
    let mut delete = db.prepare_cached("DELETE FROM subjects WHERE id = ?1")?;
    let mut duplicates = 0;
    for id in twice.ids() {
        delete.execute([id])?;
        duplicates += 1;
    }
    Ok(duplicates)
}
