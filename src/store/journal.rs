//! The journal: one row for each run, renewed with every commit so that `status` can tell what the
//! run does and why it waits, and which result files were written.

use rusqlite::{Connection, OptionalExtension, params};

use super::{error::Result, samples, wishes};
use crate::{clock::Timestamp, quota::WriterId};

/// The number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(i64);

/// What a run tells of itself while it goes. Times are wall time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// When this was written.
    pub seen_at: Timestamp,
    /// Calls completed in this run.
    pub calls: u64,
    /// The reason for which it waits, if it waits for longer than a moment.
    pub hold: Option<String>,
    /// The same as a code: of the reason, and of the window if it is one.
    pub hold_code: Option<String>,
    /// When the wait ends, if that is known.
    pub hold_until: Option<Timestamp>,
}

/// A run as another process reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// Its number, which grows from run to run.
    pub number: i64,
    /// The name of the command.
    pub command: String,
    /// The id of the process.
    pub pid: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended, and with which exit code.
    pub ended: Option<(Timestamp, i64)>,
    /// The limits it obeys, as JSON.
    pub quota: String,
    /// What it wrote last.
    pub progress: RunProgress,
    /// What it does before its calls.
    pub activity: Option<String>,
    /// The command line that resumes it.
    pub next_command: Option<String>,
    /// What was said at its end, as JSON.
    pub summary: Option<String>,
    /// Whether its process took the file last and has not closed it, as one that was killed.
    pub is_of_holder: bool,
}

/// A file of results or rejects that the job wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenFile {
    /// Its path without links.
    pub(crate) path: String,
    /// What tells it from any other file and from itself once changed; empty while it was written.
    pub(crate) mark: String,
}

/// The record of runs and result files.
pub struct Journal<'s> {
    db: &'s Connection,
}

impl<'s> Journal<'s> {
    pub(super) const fn of(db: &'s Connection) -> Self {
        Self { db }
    }

    /// Adds a run of this process that obeys `quota`, which is JSON. That an earlier run was asked to
    /// stop is forgotten.
    pub fn begin_run(&self, command: &str, quota: &str, now: Timestamp) -> Result<RunId> {
        wishes::withdraw(self.db, &["stop"])?;
        let (writer, pid) = (WriterId::random(), std::process::id());
        let run = self.db.query_row(
            "INSERT INTO runs (writer, command, pid, started_at, seen_at, quota)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5) RETURNING id",
            params![writer.code(), command, pid, now.as_millis(), quota],
            |row| row.get(0),
        )?;
        Ok(RunId(run))
    }

    /// Returns as whom a run charges.
    pub(crate) fn writer(&self, run: RunId) -> Result<WriterId> {
        let sql = "SELECT writer FROM runs WHERE id = ?1";
        let code = self.db.query_row(sql, [run.0], |row| row.get(0))?;
        Ok(WriterId::from_code(code))
    }

    /// Returns when a run began.
    pub(crate) fn began(&self, run: RunId) -> Result<Timestamp> {
        let sql = "SELECT started_at FROM runs WHERE id = ?1";
        let at = self.db.query_row(sql, [run.0], |row| row.get(0))?;
        Ok(Timestamp::from_millis(at))
    }

    /// Returns when the run numbered `number` began, or without a number the latest one that did
    /// something, which the doctor's call and a usage error (exit 2) do not; `None` if there is no such
    /// run.
    pub(super) fn began_by_number(&self, number: Option<i64>) -> Result<Option<Timestamp>> {
        let sql = "SELECT started_at FROM runs WHERE id = coalesce(?1, (SELECT max(id) FROM runs
            WHERE command <> 'doctor' AND exit_code IS NOT 2))";
        let at = self.db.query_row(sql, [number], |row| row.get(0));
        Ok(at.optional()?.map(Timestamp::from_millis))
    }

    /// Replaces the progress of a run, in which `answered` subjects got an outcome since it was
    /// written last.
    pub(crate) fn save_progress(
        &self,
        run: RunId,
        progress: &RunProgress,
        answered: usize,
    ) -> Result<()> {
        samples::add(self.db, run.0, progress.seen_at, progress.calls, answered)?;
        let mut update = self.db.prepare_cached(
            "UPDATE runs SET seen_at = ?2, calls = ?3, hold = ?4, hold_until = ?5, hold_code = ?6
             WHERE id = ?1",
        )?;
        update.execute(params![
            run.0,
            progress.seen_at.as_millis(),
            progress.calls.cast_signed(),
            progress.hold,
            progress.hold_until.map(Timestamp::as_millis),
            progress.hold_code,
        ])?;
        Ok(())
    }

    /// Records what a run does before its calls.
    pub(crate) fn save_activity(
        &self,
        run: RunId,
        what: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE runs SET activity = ?2, seen_at = ?3 WHERE id = ?1";
        self.db
            .execute(sql, params![run.0, what, now.as_millis()])?;
        Ok(())
    }

    /// Records the command line that resumes a run.
    pub(crate) fn save_next_command(&self, run: RunId, command: &str) -> Result<()> {
        let sql = "UPDATE runs SET next_command = ?2 WHERE id = ?1";
        self.db.execute(sql, params![run.0, command])?;
        Ok(())
    }

    /// Records what was said at the end of a run, as JSON.
    pub(crate) fn save_summary(&self, run: RunId, summary: &str) -> Result<()> {
        let sql = "UPDATE runs SET summary = ?2 WHERE id = ?1";
        self.db.execute(sql, params![run.0, summary])?;
        Ok(())
    }

    /// Marks a run as ended.
    pub(crate) fn end_run(&self, run: RunId, exit_code: i64, now: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE runs SET ended_at = ?2, exit_code = ?3, activity = NULL, hold = NULL,
             hold_until = NULL, hold_code = NULL
             WHERE id = ?1",
            params![run.0, now.as_millis(), exit_code],
        )?;
        Ok(())
    }

    /// Returns the latest run; `None` if there was none. The doctor's one call is no run of the job.
    pub(super) fn latest_run(&self) -> Result<Option<RunStatus>> {
        let sql = format!("{RUNS} WHERE command <> 'doctor' ORDER BY runs.id DESC LIMIT 1");
        let mut find = self.db.prepare_cached(&sql)?;
        Ok(find.query_row([], run_status).optional()?)
    }

    /// Returns every run, the latest last.
    pub(super) fn runs(&self) -> Result<Vec<RunStatus>> {
        let mut list = self.db.prepare(&format!("{RUNS} ORDER BY runs.id"))?;
        let runs = list.query_map([], run_status)?;
        Ok(runs.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns the number of lines of the results that were written to `path` and left with `mark`,
    /// if results written now would be the same.
    pub(crate) fn published(&self, path: &str, mark: &str) -> Result<Option<u64>> {
        let lines = self.db.query_row(
            "SELECT lines FROM published JOIN job USING (revision) WHERE path = ?1 AND mark = ?2",
            [path, mark],
            |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()),
        );
        Ok(lines.optional()?)
    }

    /// Records that results of `lines` lines were written to `path` and left with `mark`.
    pub(crate) fn record_published(&self, path: &str, mark: &str, lines: u64) -> Result<()> {
        self.db.execute(
            "INSERT OR REPLACE INTO published SELECT ?1, ?2, revision, ?3 FROM job",
            params![path, mark, lines.cast_signed()],
        )?;
        Ok(())
    }

    /// Records that a file of this job is at `path`: an empty `mark` before it is written, its own
    /// afterwards. No run takes it for its present results.
    pub(super) fn record_output(&self, path: &str, mark: &str) -> Result<()> {
        self.db.execute(
            "INSERT OR REPLACE INTO published VALUES (?1, ?2, -1, 0)",
            [path, mark],
        )?;
        Ok(())
    }

    /// Returns every file that was recorded.
    pub(super) fn outputs(&self) -> Result<Vec<WrittenFile>> {
        let mut list = self.db.prepare("SELECT path, mark FROM published")?;
        let files = list.query_map([], |row| {
            Ok(WrittenFile {
                path: row.get(0)?,
                mark: row.get(1)?,
            })
        })?;
        Ok(files.collect::<std::result::Result<_, _>>()?)
    }
}

const RUNS: &str = "SELECT command, pid, started_at, ended_at, exit_code, quota,
    seen_at, calls, hold, hold_until, next_command, summary, activity, hold_code, runs.id,
    NOT clean AND pid IS holder_pid AND started_at >= held_since FROM runs, job";

fn run_status(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunStatus> {
    let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    Ok(RunStatus {
        command: row.get(0)?,
        pid: row.get(1)?,
        started_at: Timestamp::from_millis(row.get(2)?),
        ended: at(row.get(3)?).zip(row.get(4)?),
        quota: row.get(5)?,
        progress: RunProgress {
            seen_at: Timestamp::from_millis(row.get(6)?),
            calls: row.get::<_, i64>(7)?.unsigned_abs(),
            hold: row.get(8)?,
            hold_until: at(row.get(9)?),
            hold_code: row.get(13)?,
        },
        next_command: row.get(10)?,
        summary: row.get(11)?,
        activity: row.get(12)?,
        number: row.get(14)?,
        is_of_holder: row.get(15)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn the_last_run_is_one_that_did_something() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("job.db"), Timestamp::default()).unwrap();
        let (journal, at) = (store.journal(), Timestamp::from_millis);
        let begin = |command, began| journal.begin_run(command, "", at(began)).unwrap();
        let run = |command, began, exit_code| {
            let run = begin(command, began);
            journal.end_run(run, exit_code, at(began)).unwrap();
        };
        run("run", 1, 75);
        run("resync", 2, 2);
        run("doctor", 3, 75);
        assert_eq!(journal.began_by_number(None).unwrap(), Some(at(1)));
        assert_eq!(journal.began_by_number(Some(3)).unwrap(), Some(at(3)));
        begin("run", 4);
        assert_eq!(journal.began_by_number(None).unwrap(), Some(at(4)));
    }
}
