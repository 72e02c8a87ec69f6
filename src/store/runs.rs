//! Runs: one row each, renewed with every commit, so that status can say what goes on and why
//! it waits.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Result, Store};
use crate::clock::Timestamp;

/// The number of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(i64);

/// What a running job says about itself. Times are by the wall.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// When it said so.
    pub seen_at: Timestamp,
    /// Calls that have landed in this run.
    pub calls: u64,
    /// Why it waits, if it does for longer than a moment.
    pub hold: Option<String>,
    /// Till when.
    pub hold_until: Option<Timestamp>,
}

/// A run as another process reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunStatus {
    /// The command's name.
    pub command: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When and how it ended.
    pub ended: Option<(Timestamp, i64)>,
    /// The limits it holds, as JSON.
    pub quota: String,
    /// The last it said.
    pub progress: Progress,
}

impl Store {
    /// Begins a run that holds `quota` (as JSON).
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn begin_run(&self, command: &str, quota: &str, now: Timestamp) -> Result<RunId> {
        let run = self.db.query_row(
            "INSERT INTO runs (command, pid, started_at, seen_at, quota)
             VALUES (?1, ?2, ?3, ?3, ?4) RETURNING id",
            params![command, std::process::id(), now.as_millis(), quota],
            |row| row.get(0),
        )?;
        Ok(RunId(run))
    }

    /// Renews what status shows.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn save_progress(&self, run: RunId, progress: &Progress) -> Result<()> {
        let mut update = self.db.prepare_cached(
            "UPDATE runs SET seen_at = ?2, calls = ?3, hold = ?4, hold_until = ?5
             WHERE id = ?1",
        )?;
        update.execute(params![
            run.0,
            progress.seen_at.as_millis(),
            progress.calls.cast_signed(),
            progress.hold,
            progress.hold_until.map(Timestamp::as_millis),
        ])?;
        Ok(())
    }

    /// Ends a run.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn end_run(&self, run: RunId, exit_code: i64, now: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE runs SET ended_at = ?2, exit_code = ?3, hold = NULL, hold_until = NULL
             WHERE id = ?1",
            params![run.0, now.as_millis(), exit_code],
        )?;
        Ok(())
    }
}

pub(super) fn latest(db: &Connection) -> Result<Option<RunStatus>> {
    let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let mut find = db.prepare_cached(
        "SELECT command, pid, started_at, ended_at, exit_code, quota,
                seen_at, calls, hold, hold_until FROM runs ORDER BY id DESC LIMIT 1",
    )?;
    let run = find.query_row([], |row| {
        let ended = at(row.get(3)?).zip(row.get(4)?);
        Ok(RunStatus {
            command: row.get(0)?,
            pid: row.get(1)?,
            started_at: Timestamp::from_millis(row.get(2)?),
            ended,
            quota: row.get(5)?,
            progress: Progress {
                seen_at: Timestamp::from_millis(row.get(6)?),
                calls: row.get::<_, i64>(7)?.unsigned_abs(),
                hold: row.get(8)?,
                hold_until: at(row.get(9)?),
            },
        })
    });
    Ok(run.optional()?)
}
