//! Importing a source: reading it to its end, dropping duplicates, appending the rest as subjects.
//!
//! The table of subjects has no unique index: inserting random keys into a growing index halves the
//! speed every few million rows. Duplicates are found by sorting instead:
//!
//! 1. [`Import::add`] appends the row to a temporary file ([`spool`]) and gives it the id that it
//!    has if nothing before it is a duplicate. The 64-bit hash of the row and this id go to an
//!    external sorter ([`key_sort`]).
//! 2. [`Import::finish`] merges the sorted new pairs with those of earlier imports, which are stored
//!    as sorted runs ([`key_runs`], [`merge`]). A row whose hash nothing before it has is new.
//!    Every other row is a candidate for a duplicate ([`dedup`]).
//! 3. Candidates are sorted by row and compared by text, 256 Ki at a time, in one pass over the spool.
//!    Equal rows are marked in a [`bitmap`]. An unequal one is compared with the other subjects of
//!    its hash, and is new if it equals none.
//! 4. Rows that are not marked are read from the spool and appended as subjects ([`append`]), in
//!    transactions of 100,000 rows, while a second thread checkpoints the log ([`checkpoint`]).
//!    Their ids have no gaps: a row's subject id is its id less the marked rows before it.
//! 5. One last transaction stores the keys of the new subjects as a run (the ninth run merges all
//!    into one), adds to the tally, and marks the source as imported ([`sources`]).
//!
//! Before the last transaction nothing counts. The row of the source says with which subject it
//! began; if the import is dropped or the process dies, [`undo_unfinished`] deletes from there on.

mod append;
mod bitmap;
mod checkpoint;
mod dedup;
mod key_runs;
mod key_sort;
mod known_texts;
mod lookup;
mod merge;
mod sources;
mod spool;
mod trial;

use std::{collections::BTreeMap, path::Path};

use rusqlite::Connection;

pub(super) use self::key_runs::delete_keys;
pub(crate) use self::lookup::{SubjectLookup, SubjectMatches};
pub use self::sources::SourceStatus;
pub(super) use self::sources::{knows_source, last_alike, source_status, undo_unfinished};
pub(crate) use self::trial::{TrialImport, TrialSubjects};
use self::{
    append::append,
    dedup::{Duplicates, find_duplicates},
    key_sort::{KeySorter, key_of},
    spool::RowSpool,
};
use super::{
    corps::{Corps, corp_number, load_corps},
    error::Result,
    rejects::{self, Reject},
    tally::save_tally,
};
use crate::{
    clock::Timestamp,
    model::{RejectOrigin, Row, State, Tally},
};

/// Rejects written in one transaction.
const REJECTS_A_TRANSACTION: u64 = 100_000;

/// The rows of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportStats {
    /// Subjects seen for the first time.
    pub new: u64,
    /// Rows whose subject was known already.
    pub duplicates: u64,
}

/// The parts of a [`Store`](super::Store) that an import writes.
pub(super) struct JobParts<'s> {
    pub(super) db: &'s Connection,
    pub(super) path: &'s Path,
    pub(super) corps: &'s mut Corps,
    pub(super) tally: &'s mut Tally,
}

/// A source being imported. Dropped before [`finish`](Self::finish), it leaves nothing behind.
pub struct Import<'s> {
    job: JobParts<'s>,
    source: i64,
    /// Whether the source is a file, which can be read again under its name.
    is_file: bool,
    rejects: u64,
    /// The id of the first row.
    first: i64,
    /// One more than the id of the latest row.
    next: i64,
    sorter: KeySorter,
    spool: RowSpool,
    found: Option<Duplicates>,
    /// Lines of other sources that this one has again.
    superseded: BTreeMap<RejectOrigin, Vec<u64>>,
}

impl<'s> Import<'s> {
    pub(super) fn begin(job: JobParts<'s>, name: &str, digest: Option<&[u8]>) -> Result<Self> {
        // No commit before the last one counts, therefore none has to wait for the disk.
        job.db.pragma_update(None, "synchronous", "normal")?;
        let (source, first) = sources::insert(job.db, name, digest)?;
        let folder = match job.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let (spool, sorter) = (RowSpool::new(folder), KeySorter::new(folder.to_owned()));
        job.db.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self {
            job,
            source,
            is_file: digest.is_some(),
            rejects: 0,
            first,
            next: first,
            sorter,
            spool,
            found: None,
            superseded: BTreeMap::new(),
        })
    }

    /// Adds a row.
    pub fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let corp = match row.corpid {
            Some(corpid) => Some(corp_number(self.job.db, self.job.corps, corpid)?),
            None => None,
        };
        self.spool.push(row, corp)?;
        self.sorter.push((key_of(row), self.next))?;
        self.next += 1;
        Ok(())
    }

    /// Stores a line that cannot be a subject. `reject.source` is ignored: it is this source.
    pub(crate) fn reject(&mut self, reject: &Reject) -> Result<()> {
        self.rejects += 1;
        rejects::insert(self.job.db, self.source, self.rejects, reject)?;
        if self.rejects.is_multiple_of(REJECTS_A_TRANSACTION) {
            self.job.db.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// Deletes the digest of the source: it could not be read to its end, so that the same file is
    /// to be imported again. What was read of it is kept.
    pub(crate) fn forget_digest(&mut self) -> Result<()> {
        sources::forget_digest(self.job.db, self.source)
    }

    /// Notes where the file of the source is.
    pub(crate) fn is_of(&mut self, path: Option<&str>) -> Result<()> {
        sources::set_path(self.job.db, self.source, path)
    }

    /// Notes that invalid lines of other sources are in this one again, mended or not: they count as
    /// lines of this one from its import on.
    pub(crate) fn supersede(&mut self, lines: BTreeMap<RejectOrigin, Vec<u64>>) {
        self.superseded = lines;
    }

    /// Finds the duplicates. Returns what the source will have come to once it is finished.
    pub(crate) fn count(&mut self) -> Result<ImportStats> {
        let found = self.find()?;
        let rows = u64::try_from(self.next - self.first).unwrap_or_default();
        let duplicates = found.duplicates.count();
        self.found = Some(found);
        Ok(ImportStats {
            new: rows - duplicates,
            duplicates,
        })
    }

    fn find(&mut self) -> Result<Duplicates> {
        if let Some(found) = self.found.take() {
            return Ok(found);
        }
        let ids = self.first..self.next;
        find_duplicates(self.job.db, &mut self.sorter, &mut self.spool, ids)
    }

    /// Drops duplicates, appends the other rows as subjects, and marks the source as imported.
    /// `lines` and `rejected` are what was read of it.
    pub fn finish(mut self, lines: u64, rejected: u64, now: Timestamp) -> Result<ImportStats> {
        let (db, ids) = (self.job.db, self.first..self.next);
        let stats = self.count()?;
        let found = self.find()?;
        db.pragma_update(None, "wal_autocheckpoint", 0)?;
        append(db, self.job.path, &mut self.spool, ids, &found.duplicates)?;
        db.pragma_update(None, "wal_autocheckpoint", 4000)?;
        db.execute_batch("COMMIT")?;
        db.pragma_update(None, "synchronous", "full")?;

        db.execute_batch("BEGIN IMMEDIATE")?;
        found.save_keys(db)?;
        let mut tally = *self.job.tally;
        tally.add(State::Queued, stats.new);
        save_tally(db, &tally)?;
        if stats.new > 0 {
            db.execute("UPDATE job SET revision = revision + 1", [])?;
        }
        sources::mark_imported(db, self.source, (lines, rejected, stats.new), now)?;
        for (origin, lines) in &self.superseded {
            rejects::supersede(db, self.source, origin, lines)?;
        }
        if self.is_file {
            sources::replace_earlier(db, self.source)?;
        }
        db.execute_batch("COMMIT")?;
        *self.job.tally = tally;
        Ok(stats)
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        if self.job.db.is_autocommit() {
            return;
        }
        // Not finished. If an error happens here too, the next `Store::open` undoes the import.
        let _ = self.job.db.execute_batch("ROLLBACK");
        if let Ok(corps) = load_corps(self.job.db) {
            *self.job.corps = corps;
        }
        let _ = undo_unfinished(self.job.db, |_| ());
        let _ = self.job.db.pragma_update(None, "synchronous", "full");
    }
}
