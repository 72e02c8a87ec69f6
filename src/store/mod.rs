//! The job file: sources, subjects, answers and runs.
//!
//! [`Store`] holds the file for writing and hands out narrow views of it: [`Queue`] (subjects to
//! look up), [`Passes`] (answers to be asked for again),
//! [`PendingIds`], [`Import`] (a source being read), [`Journal`] (runs, their progress, the result
//! files). [`Store::commit`] settles answers and records what they cost in one transaction.
//! [`Reader`] reads beside a writer, for `status` and `export`.
//!
//! # On disk
//!
//! One SQLite database in WAL mode, mode 0600, because it holds personal ids. Tickets, access
//! tokens and secrets are never written. Everything of value is in a committed transaction
//! (`synchronous=FULL`) before the call that produced it returns. Subjects are numbered in the
//! order of first appearance and looked up in that order, so that outcomes and links are appended.
//!
//! * **Locking**: a writer holds `File::try_lock` (`flock`) on the file; the lock ends with the
//!   process. SQLite's locks are of another kind (`fcntl`); they would be lost if this process
//!   closed another handle of the file while a connection is open, therefore the lock is dropped
//!   after the connection. A [`Reader`] takes no lock: WAL lets it read beside a writer.
//! * **Whose it is**: a file without our `application_id`, or with more migrations than this program
//!   knows, or on a network file system, is refused before anything of it changes; see `sqlite_file`.
//! * **One file**: a clean end copies the log into the file and removes it. Until then the `job` row
//!   says that the file was not closed, so that a log which got lost is missed.
//! * **Temporary files** of an import are made in the same folder and have no name.
//!
//! # Errors
//!
//! Every fallible function here returns a [`StoreError`], and all but opening return only these:
//! [`DiskFull`](StoreError::DiskFull), [`ReadOnly`](StoreError::ReadOnly),
//! [`Damaged`](StoreError::Damaged), [`Sqlite`](StoreError::Sqlite) and, during an import,
//! [`TemporaryFile`](StoreError::TemporaryFile). After an error nothing of the failed transaction is
//! in the file, and everything committed before is. Opening and [`Store::bind_corp`] have errors of
//! their own, which are named there.

mod changes;
mod commit;
mod contacts;
mod corps;
mod counters;
mod error;
mod forget;
mod import;
mod journal;
mod link_cursor;
mod local_disk;
mod multi_insert;
mod passes;
mod pending_ids;
mod queue;
mod reader;
mod rejects;
mod samples;
mod schema;
mod scratch;
mod sqlite_file;
mod tally;
#[cfg(test)]
mod test_answers;
mod wishes;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

pub use changes::Change;
pub use commit::{Batch, Cursor, Settled};
pub use contacts::{ContactAnswer, ContactBatch, ContactCounts};
pub use counters::Charged;
pub use error::{FileKind, Result, StoreError};
pub(crate) use forget::{PersonCounts, Persons};
pub use import::{Import, ImportStats, SourceStatus};
pub(crate) use import::{SubjectMatches, TrialImport, TrialSubjects};
pub(crate) use journal::WrittenFile;
pub use journal::{Journal, RunId, RunProgress, RunStatus};
pub use passes::{Pass, PassId, PassOrigin, Passes, Selection};
pub use pending_ids::PendingIds;
pub use queue::Queue;
pub use reader::{Reader, SubjectRecord};
pub use rejects::Reject;
pub use samples::Sample;
pub use schema::OpeningNote;
pub(crate) use sqlite_file::{HeldFile, SqliteFormat};
pub use wishes::{Asked, Wish, Wishes};

use self::{corps::Corps, import::JobParts, local_disk::has_log};
use crate::{clock::Timestamp, model::Tally, quota::WriterCounters};

/// The job file, held for writing by this process.
pub struct Store {
    // Fields are dropped in this order: the connection closes before the lock is released.
    db: Connection,
    tally: Tally,
    corps: Corps,
    newest_pass: PassId,
    file: HeldFile,
}

impl Store {
    /// Opens or creates the job file, locks and upgrades it, and undoes an import that was
    /// interrupted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`], [`StoreError::NotOurs`], [`StoreError::Newer`],
    /// [`StoreError::NetworkDisk`] or [`StoreError::Open`], besides those that every function of the
    /// module can return.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        Self::open_noting(path, now, &mut |_| ())
    }

    /// The same; `note` hears what an unclean end has left behind.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_noting(
        path: &Path,
        now: Timestamp,
        note: &mut dyn FnMut(OpeningNote),
    ) -> Result<Self> {
        let had_log = has_log(path);
        let (db, file) = schema::open_locked(path)?;
        if !had_log && !schema::was_closed(&db)? {
            let path = path.to_owned();
            note(OpeningNote::LogMissing { path });
        }
        schema::begin_holding(&db, now)?;
        let undoing = |subjects| note(OpeningNote::UndoingImport { subjects });
        import::undo_unfinished(&db, undoing)?;
        Ok(Self {
            tally: tally::load_tally(&db)?,
            corps: corps::load_corps(&db)?,
            newest_pass: Passes::of(&db).newest()?,
            db,
            file,
        })
    }

    /// The error that there is no job file at `path`.
    pub(crate) fn missing(path: &Path) -> StoreError {
        schema::JOB.missing(path)
    }

    /// Checks that the file is of this corp or of none; writes nothing.
    ///
    /// A file is of a corp once it holds something of it: charged calls or answers. Before that, the
    /// corp's id is just the value of an environment variable, which may be mistyped.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherCorp`].
    pub(crate) fn check_corp(&self, corp_id: &str) -> Result<()> {
        let owner: Option<Option<String>> =
            self.db.query_row(OWNER, [], |row| row.get(0)).optional()?;
        match owner.flatten() {
            // The plain-text form of a corpid ignores case (D39442).
            Some(theirs) if !theirs.eq_ignore_ascii_case(corp_id) => Err(StoreError::OtherCorp {
                path: self.path().to_owned(),
                theirs,
                ours: corp_id.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Binds the file to a corp.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherCorp`] if it is of another one.
    pub fn bind_corp(&mut self, corp_id: &str) -> Result<()> {
        self.check_corp(corp_id)?;
        self.db.execute(
            "UPDATE job SET corp_id = ?1 WHERE corp_id IS NULL OR corp_id <> ?1 COLLATE NOCASE",
            [corp_id],
        )?;
        Ok(())
    }

    /// Removes the corp and what was charged for it, and keeps subjects and answers. For the copy
    /// that a rehearsal works on under the simulator's corp.
    pub(crate) fn clear_corp(&mut self) -> Result<()> {
        self.db.execute_batch(
            "UPDATE job SET corp_id = NULL; DELETE FROM writers; DELETE FROM charges",
        )?;
        Ok(())
    }

    /// Returns the number of subjects in each state.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Stops waiting for the disk at every commit: a power cut can lose the last commits. For files
    /// that are deleted afterwards, such as a rehearsal's.
    pub(crate) fn disable_fsync(&self) -> Result<()> {
        self.db.pragma_update(None, "synchronous", "off")?;
        Ok(())
    }

    /// Returns a reader over the connection of this store: of this file, whatever its path leads to
    /// by now.
    pub const fn reader(&self) -> Reader<'_> {
        Reader::of(&self.db)
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Whether the path still leads to this file, and its log lies beside it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_in_place()
    }

    /// Returns the random id that the job was made with.
    pub fn job_id(&self) -> Result<String> {
        let sql = "SELECT job_id FROM job";
        Ok(self.db.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns the subjects to look up.
    pub(crate) const fn queue(&self) -> Queue<'_> {
        Queue::of(&self.db)
    }

    /// Returns the record of runs and result files.
    pub const fn journal(&self) -> Journal<'_> {
        Journal::of(&self.db)
    }

    /// Returns what operators ask of the run.
    pub fn wishes(&self) -> Result<Wishes> {
        wishes::load(&self.db)
    }

    /// Returns what every run of this job has charged.
    pub fn counters(&self) -> Result<Vec<WriterCounters>> {
        counters::load(&self.db)
    }

    /// Deletes counters that no window counts at `now`, in ledger time.
    pub(crate) fn forget_counters(&self, now: Timestamp) -> Result<()> {
        counters::forget(&self.db, now)
    }

    /// Whether a source with this digest was imported to its end.
    pub fn knows_source(&self, digest: &[u8]) -> Result<bool> {
        import::knows_source(&self.db, digest)
    }

    /// Begins to import a source. `digest` is that of a file; a stream has none.
    pub fn import(&mut self, name: &str, digest: Option<&[u8]>) -> Result<Import<'_>> {
        let job = JobParts {
            db: &self.db,
            path: self.file.path(),
            corps: &mut self.corps,
            tally: &mut self.tally,
        };
        Import::begin(job, name, digest)
    }

    /// Returns the passes over subjects that were answered.
    pub const fn passes(&self) -> Passes<'_> {
        Passes::of(&self.db)
    }

    /// Returns the pending_ids of unlinked subjects.
    pub const fn pending_ids(&self) -> PendingIds<'_> {
        PendingIds::of(&self.db)
    }

    /// Opens a pass over the first `limit` subjects of `selection`; `None` if there are none. The
    /// answers there are stay until new ones take their place.
    pub fn open_pass(
        &mut self,
        origin: PassOrigin,
        selection: &Selection,
        limit: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<PassId>> {
        let opened = self.passes().open(origin, selection, limit, now)?;
        self.newest_pass = opened.unwrap_or(self.newest_pass);
        Ok(opened)
    }

    /// Reads the corp numbers again after a rollback.
    fn recall_corps(&mut self) -> Result<()> {
        self.corps = corps::load_corps(&self.db)?;
        Ok(())
    }
}

impl Drop for Store {
    /// Leaves one whole file, without a log beside it.
    fn drop(&mut self) {
        // What fails here is done by the next `Store::open`.
        let _ = schema::end_holding(&self.db, self.is_in_place());
    }
}

/// Selects the corp that the file is bound to, if it holds anything of that corp.
const OWNER: &str = "SELECT corp_id FROM job WHERE EXISTS (SELECT 1 FROM outcomes)
    OR EXISTS (SELECT 1 FROM writers)";
