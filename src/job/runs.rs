//! The runs of a job, as plain data: what happened in which night.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::{
    error::Error,
    status::{self, maybe_rfc3339, rfc3339},
};
use crate::{
    clock::{Clock, Timestamp},
    store::{Reader, RunStatus},
};

/// The runs of a job, the latest last. In JSON, times are RFC 3339 at +08:00.
#[derive(Debug, Serialize)]
pub struct RunList {
    /// Of the form of this object: a higher one may lack what this one has.
    pub version: u32,
    /// The runs.
    pub runs: Vec<ListedRun>,
    /// When this was read.
    #[serde(skip)]
    pub now: Timestamp,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct ListedRun {
    /// Its number, as `export --changed-since` takes it.
    pub number: i64,
    /// The subcommand.
    pub command: String,
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: Timestamp,
    /// When it ended; `None` while it is at work, and if it broke off.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// When it last wrote to the job file.
    #[serde(serialize_with = "rfc3339")]
    pub seen_at: Timestamp,
    /// Whether its process is running.
    pub running: bool,
    /// What it exited with.
    pub exit_code: Option<i64>,
    /// Calls completed.
    pub calls: u64,
    /// What it said at its end, as the last event of `--progress json`; `None` if it said nothing.
    pub ended: Option<Value>,
}

impl RunList {
    /// Reads the runs from a job file.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn read(job: &Path) -> Result<Self, Error> {
        Self::of(&Reader::open(job)?, Clock::system().now())
    }

    /// Reads the runs, at `now`.
    pub(crate) fn of(reader: &Reader<'_>, now: Timestamp) -> Result<Self, Error> {
        let runs = reader.runs()?.into_iter();
        Ok(Self {
            version: 1,
            runs: runs.map(ListedRun::from).collect(),
            now,
        })
    }
}

impl From<RunStatus> for ListedRun {
    fn from(run: RunStatus) -> Self {
        Self {
            number: run.number,
            running: status::is_running(&run),
            command: run.command,
            started_at: run.started_at,
            ended_at: run.ended.map(|(at, _)| at),
            seen_at: run.progress.seen_at,
            exit_code: run.ended.map(|(_, code)| code),
            calls: run.progress.calls,
            ended: run
                .summary
                .and_then(|json| serde_json::from_str(&json).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn only_a_run_of_the_process_that_holds_the_file_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.db");
        let store = Store::open(&path, Timestamp::from_millis(5)).unwrap();
        let begin = |at| {
            let at = Timestamp::from_millis(at);
            store.journal().begin_run("run", "", at).unwrap();
        };
        // The first broke off; both had the pid of a process that is there, and not this one.
        begin(1);
        begin(7);
        let pid = rustix::process::getppid().unwrap().as_raw_nonzero().get();
        let db = rusqlite::Connection::open(&path).unwrap();
        let running = |held_since: i64| {
            db.execute("UPDATE runs SET pid = ?1", [pid]).unwrap();
            let hold = "UPDATE job SET holder_pid = ?1, held_since = ?2";
            db.execute(hold, (pid, held_since)).unwrap();
            let list = RunList::read(&path).unwrap().runs;
            list.iter().map(|run| run.running).collect::<Vec<_>>()
        };
        assert_eq!(running(5), [false, true]);
        // The file is held again, by a process that has not begun a run.
        assert_eq!(running(9), [false, false]);
    }
}
