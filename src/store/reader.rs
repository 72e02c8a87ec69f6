//! Reading the job file beside its writer, for `status` and `export`.

use std::{ops::Deref, path::Path};

use rusqlite::{
    Connection, OptionalExtension, Transaction,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    Store, counters,
    error::{Result, StoreError},
    import::{self, SourceStatus, SubjectLookup, TrialImport},
    journal::{Journal, RunStatus, WrittenFile},
    link_cursor::LinkCursor,
    passes::Passes,
    pending_ids::{PendingIds, select_subjects},
    queue,
    rejects::{self, Reject},
    samples::{self, Sample},
    schema, scratch, sqlite_file,
    tally::load_tally,
    wishes::{self, Asked, Wishes},
};
use crate::{
    clock::Timestamp,
    model::{Link, RejectOrigin, State, Subject, SubjectId, Tally},
    quota::WriterCounters,
};

/// The job file, open for reading.
pub struct Reader<'s> {
    pub(super) db: ReadConnection<'s>,
}

/// A connection of its own, or that of a writer.
pub(super) enum ReadConnection<'s> {
    Own(Connection),
    Writers(&'s Connection),
}

impl Deref for ReadConnection<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Own(db) => db,
            Self::Writers(db) => db,
        }
    }
}

impl Drop for ReadConnection<'_> {
    fn drop(&mut self) {
        if let Self::Own(db) = self {
            sqlite_file::keep_log(db);
        }
    }
}

/// A subject and its outcome. It holds personal ids and therefore has no `Debug`.
pub struct SubjectRecord {
    /// Its number in this job.
    pub id: SubjectId,
    /// The unionid.
    pub unionid: String,
    /// The openid.
    pub openid: String,
    /// The only downstream corp to look in; `None` for all.
    pub corpid: Option<String>,
    /// Its state.
    pub state: State,
    /// The errcode of the last reply; `None` without a reply.
    pub errcode: Option<i64>,
    /// When the outcome was known, to the second; `None` while it is queued.
    pub at: Option<Timestamp>,
    /// Its links, sorted by corpid and external_userid.
    pub links: Vec<Link>,
    /// The pending_id that was asked for last.
    pub pending_id: Option<String>,
}

impl Reader<'static> {
    /// Opens an existing job file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`], and those of [`Store::open`](super::Store::open) but for
    /// [`StoreError::Held`].
    pub fn open(path: &Path) -> Result<Self> {
        let db = schema::JOB.open_to_read(path)?;
        let db = ReadConnection::Own(db);
        Ok(Self { db })
    }
}

impl<'s> Reader<'s> {
    /// Reads by the connection of a writer.
    pub(super) const fn of(db: &'s Connection) -> Self {
        let db = ReadConnection::Writers(db);
        Self { db }
    }

    /// Copies into a new job file what a plan needs: all but the subjects; and for a rehearsal the
    /// subjects that a run could ask about, with those whose pending_id is due at a time. Both as of one
    /// moment.
    pub(crate) fn copy_to_scratch(
        &self,
        scratch: &mut Store,
        with_queue: bool,
        pending_ids_at: Option<Timestamp>,
    ) -> Result<()> {
        let snapshot = self.db.unchecked_transaction()?;
        scratch::copy_accounts(&snapshot, scratch)?;
        if with_queue {
            scratch::copy_queue(&snapshot, scratch, pending_ids_at)?;
        }
        Ok(())
    }

    /// Begins to collect rows, to find out which would be new subjects. Temporary files are made in
    /// `folder`.
    pub(crate) fn try_import(&self, folder: &Path) -> Result<TrialImport<'_>> {
        TrialImport::new(&self.db, folder)
    }

    /// Begins to collect rows, to find out which subjects they are. Temporary files are made in
    /// `folder`.
    pub(crate) fn look_up(&self, folder: &Path) -> SubjectLookup<'_> {
        SubjectLookup::new(&self.db, folder)
    }

    /// From here on until it is dropped all that is read is as of one moment. `None` if that is so already.
    pub(crate) fn snapshot(&self) -> Result<Option<Transaction<'_>>> {
        let begin = || self.db.unchecked_transaction();
        Ok(self.db.is_autocommit().then(begin).transpose()?)
    }

    /// Returns the subjects with these ids, which must ascend, in the same order.
    pub(crate) fn subjects(&self, ids: &[i64]) -> Result<Vec<SubjectRecord>> {
        let subjects = select_subjects(&self.db)?;
        let subjects = format!("{subjects} WHERE s.id BETWEEN ?1 AND ?2 ORDER BY s.id");
        let links = format!("{SELECT_LINKS} AND subject BETWEEN ?1 AND ?2 ORDER BY subject");
        let (mut subjects, mut links) = (self.db.prepare(&subjects)?, self.db.prepare(&links)?);
        let mut records = Vec::with_capacity(ids.len());
        for near in ids.chunk_by(|id, next| next - id <= NEAR) {
            let (Some(from), Some(to)) = (near.first(), near.last()) else {
                continue;
            };
            let mut rows = subjects.query([from, to])?;
            let mut links = LinkCursor::new(links.query([from, to])?)?;
            let mut wanted = near.iter().peekable();
            while let Some(row) = rows.next()? {
                let record = subject_record(row, &mut links)?;
                if wanted.next_if(|id| **id == record.id.0).is_some() {
                    records.push(record);
                }
            }
        }
        Ok(records)
    }

    /// Writes a copy as of one moment to `path`, which must be an empty file or none. It counts as
    /// closed, and is not yet sure to be on disk.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<()> {
        let bytes = path.as_os_str().as_encoded_bytes();
        let name = ToSqlOutput::Borrowed(ValueRef::Text(bytes));
        // `query_only` refuses this statement too, although it writes nothing to this file.
        self.writing(|db| Ok(db.execute("VACUUM INTO ?1", [name])?))?;
        let copy = Connection::open_with_flags(path, sqlite_file::FLAGS)?;
        copy.execute_batch("UPDATE job SET clean = 1, holder_pid = NULL, held_since = NULL")?;
        Ok(())
    }

    fn writing<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let ReadConnection::Own(db) = &self.db else {
            return work(&self.db);
        };
        db.pragma_update(None, "query_only", false)?;
        let done = work(db);
        db.pragma_update(None, "query_only", true)?;
        done
    }

    /// Writes beside the process that holds the file, and leaves no log where there was none.
    fn writing_beside<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let had_log = sqlite_file::keeps_log(&self.db);
        let done = self.writing(work)?;
        if !had_log {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.writing(|db| Ok(db.query_row(checkpoint, [], |_| Ok(()))?))?;
        }
        Ok(done)
    }

    /// Records files of this job by path and mark: an empty mark before it is written, its own
    /// afterwards. These and the wishes are all that a reader writes.
    pub(crate) fn record_outputs(&self, files: &[(String, String)]) -> Result<()> {
        self.writing_beside(|db| {
            let transaction = db.unchecked_transaction()?;
            for (path, mark) in files {
                Journal::of(db).record_output(path, mark)?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Asks something of the run that holds the file, or of the next one.
    pub(crate) fn ask(&self, asked: &Asked) -> Result<()> {
        self.writing_beside(|db| wishes::ask(db, asked))
    }

    /// Withdraws the wishes with these [codes](super::Wish::code). Returns how many there were.
    pub(crate) fn withdraw(&self, codes: &[&str]) -> Result<usize> {
        self.writing_beside(|db| wishes::withdraw(db, codes))
    }

    /// Returns what operators ask of the run.
    pub(crate) fn wishes(&self) -> Result<Wishes> {
        wishes::load(&self.db)
    }

    /// Returns the files of results and rejects that the job wrote.
    pub(crate) fn outputs(&self) -> Result<Vec<WrittenFile>> {
        Journal::of(&self.db).outputs()
    }

    /// Returns the latest import of a source whose name differs from this one in digits at most.
    pub(crate) fn last_alike(&self, name: &str) -> Result<Option<SourceStatus>> {
        import::last_alike(&self.db, name)
    }

    /// Whether a source with this digest was imported to its end.
    pub(crate) fn knows_source(&self, digest: &[u8]) -> Result<bool> {
        import::knows_source(&self.db, digest)
    }

    /// Returns the number of subjects in each state.
    pub fn tally(&self) -> Result<Tally> {
        load_tally(&self.db)
    }

    /// Returns the latest run; `None` if there was none.
    pub(crate) fn latest_run(&self) -> Result<Option<RunStatus>> {
        Journal::of(&self.db).latest_run()
    }

    /// Returns when the run numbered `number` began, or the latest one without a number; `None` if there
    /// is no such run.
    pub(crate) fn run_began(&self, number: Option<i64>) -> Result<Option<Timestamp>> {
        Journal::of(&self.db).began_by_number(number)
    }

    /// Returns the passes over subjects that were answered.
    pub(crate) fn passes(&self) -> Passes<'_> {
        Passes::of(&self.db)
    }

    /// Returns the pending_ids of unlinked subjects.
    pub(crate) fn pending_ids(&self) -> PendingIds<'_> {
        PendingIds::of(&self.db)
    }

    /// Returns a subject to try a call with: one that was answered, or else one that is queued.
    pub(crate) fn subject_to_ask(&self) -> Result<Option<Subject>> {
        const ANSWERED: &str = "SELECT s.id, unionid, openid, corpid FROM outcomes o
            JOIN subjects s ON s.id = o.subject LEFT JOIN corps c ON c.id = corp
            WHERE errcode = 0 LIMIT 1";
        const QUEUED: &str = "SELECT s.id, unionid, openid, corpid FROM subjects s
            LEFT JOIN corps c ON c.id = corp
            WHERE NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.subject = s.id) LIMIT 1";
        let find = |sql| self.db.query_row(sql, [], queue::subject).optional();
        Ok(find(ANSWERED)?.map_or_else(|| find(QUEUED), |subject| Ok(Some(subject)))?)
    }

    /// Returns every run, the latest last.
    pub(crate) fn runs(&self) -> Result<Vec<RunStatus>> {
        Journal::of(&self.db).runs()
    }

    /// Returns how the runs went, the latest last.
    pub(crate) fn samples(&self) -> Result<Vec<Sample>> {
        samples::load(&self.db)
    }

    /// Returns how many links stand at each downstream corp, the most first.
    pub(crate) fn links_by_corp(&self) -> Result<Vec<(String, u64)>> {
        samples::links_by_corp(&self.db)
    }

    /// Returns the corp that the file is bound to.
    pub(crate) fn corp_id(&self) -> Result<Option<String>> {
        let sql = "SELECT corp_id FROM job";
        Ok(self.db.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns the downstream corps of all links so far and of all subjects that are looked for in
    /// one only, in the order of their names.
    pub(crate) fn corpids(&self) -> Result<Vec<String>> {
        let mut list = self
            .db
            .prepare("SELECT corpid FROM corps WHERE corpid <> '' ORDER BY corpid")?;
        let corpids = list.query_map([], |row| row.get(0))?;
        Ok(corpids.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns what every run of this job has charged.
    pub fn counters(&self) -> Result<Vec<WriterCounters>> {
        counters::load(&self.db)
    }

    /// Returns the imported sources in the order of import.
    pub(crate) fn sources(&self) -> Result<Vec<SourceStatus>> {
        let mut list = self.db.prepare(
            "SELECT name, lines, rejected, subjects, path FROM sources
             WHERE imported_at IS NOT NULL ORDER BY first_subject, id",
        )?;
        let sources = list.query_map([], import::source_status)?;
        Ok(sources.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns how many of the lines that cannot be subjects are those that a rejects file has again.
    pub(crate) fn superseded(&self, origin: &RejectOrigin, lines: &[u64]) -> Result<u64> {
        rejects::superseded(&self.db, origin, lines)
    }

    /// Passes every line that cannot be a subject to `each`, source by source, until an error of
    /// `each`.
    pub(crate) fn for_each_reject<E: From<StoreError>>(
        &self,
        each: impl FnMut(&Reject) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        rejects::for_each(&self.db, each)
    }

    /// Returns how many rejected and parked subjects there are, by state and errcode.
    pub fn refusals(&self) -> Result<Vec<(State, Option<i64>, u64)>> {
        let mut list = self.db.prepare(
            "SELECT state, errcode, count(*) FROM outcomes WHERE state IN (3, 4)
             GROUP BY state, errcode ORDER BY state, count(*) DESC, errcode",
        )?;
        let refusals = list.query_map([], |row| {
            let state = State::from_code(row.get(0)?).unwrap_or(State::Parked);
            Ok((state, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
        })?;
        Ok(refusals.collect::<std::result::Result<_, _>>()?)
    }

    /// Passes every subject to `each`, in order of first appearance and from one snapshot, until an
    /// error of `each`. Subjects of an import in progress are left out: they are removed again if
    /// it is interrupted.
    pub fn for_each_subject<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(&SubjectRecord) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let snapshot = self.snapshot()?;
        let subjects = format!("{} {IMPORTED}", select_subjects(&self.db)?);
        let links = format!("{SELECT_LINKS} ORDER BY subject");
        let mut subjects = self.db.prepare(&subjects).map_err(StoreError::from)?;
        let mut links = self.db.prepare(&links).map_err(StoreError::from)?;
        let mut rows = subjects.query([]).map_err(StoreError::from)?;
        let mut links = LinkCursor::new(links.query([]).map_err(StoreError::from)?)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(&subject_record(row, &mut links)?)?;
        }
        drop(snapshot);
        Ok(())
    }
}

/// Without those of an import in progress.
const IMPORTED: &str = "WHERE s.id < (SELECT coalesce(min(first_subject), 9223372036854775807)
    FROM sources WHERE imported_at IS NULL) ORDER BY s.id";

/// Read in step with the subjects, which is cheaper than a join that repeats each subject.
const SELECT_LINKS: &str = "SELECT subject, corpid, external_userid FROM links JOIN corps c ON c.id = corp WHERE until IS NULL";

/// Subjects of which no more than so many lie between are read with all between them: stepping to
/// the next one takes a fraction of the time of finding one.
const NEAR: i64 = 16;

fn subject_record(row: &rusqlite::Row<'_>, links: &mut LinkCursor<'_>) -> Result<SubjectRecord> {
    let state = row.get::<_, Option<u8>>(4)?.and_then(State::from_code);
    let at: Option<i64> = row.get(6)?;
    Ok(SubjectRecord {
        id: SubjectId(row.get(0)?),
        unionid: row.get(1)?,
        openid: row.get(2)?,
        corpid: row.get(3)?,
        state: state.unwrap_or(State::Queued),
        errcode: row.get(5)?,
        at: at.map(|seconds| Timestamp::from_millis(seconds * 1000)),
        links: links.of(row.get(0)?)?,
        pending_id: row.get(7)?,
    })
}
