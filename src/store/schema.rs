//! The format of the job file, and who holds it. The rules are in [`store`](super).

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, config::DbConfig};

use super::{
    error::{FileKind, Result, StoreError},
    sqlite_file::{HeldFile, SqliteFormat},
};
use crate::clock::Timestamp;

/// The job file.
pub(super) const JOB: SqliteFormat = SqliteFormat {
    kind: FileKind {
        name: "job file",
        flag: "--state",
    },
    application_id: i32::from_be_bytes(*b"idfj"),
    migrations: &[include_str!("../../migrations/job/0001_job.sql")],
};

/// What an unclean end has left behind, and what is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpeningNote {
    /// The log of a killed run is not beside the file.
    LogMissing {
        /// The file.
        path: PathBuf,
    },
    /// An import was interrupted, and what it had appended is now deleted.
    UndoingImport {
        /// How many subjects.
        subjects: u64,
    },
}

impl fmt::Display for OpeningNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LogMissing { path } => write!(
                f,
                "warning: the job file {path} was in use by a process that was killed, and its \
                 log {path}-wal is gone. The latest answers were in it: they are asked again, and \
                 their calls are not on the ledger of this file. Was only {path} copied or moved? \
                 Stop, and bring {path}-wal too",
                path = path.display(),
            ),
            Self::UndoingImport { subjects } => write!(
                f,
                "an import was interrupted: the {subjects} subjects it had added are removed first"
            ),
        }
    }
}

/// Opens the job file for writing: created if need be, locked, migrated.
pub(super) fn open_locked(path: &Path) -> Result<(Connection, HeldFile)> {
    match JOB.open_exclusive(path) {
        Err(StoreError::Held { path, holder }) => Err(StoreError::Held {
            holder: holder_of(&path).unwrap_or(holder),
            path,
        }),
        opened => opened,
    }
}

/// Reads from the file which process holds it.
fn holder_of(path: &Path) -> Option<String> {
    let db = JOB.open_to_read(path).ok()?;
    let sql = "SELECT holder_pid, held_since, coalesce(hold, activity), hold_until FROM job
        LEFT JOIN runs ON runs.id = (SELECT max(id) FROM runs) AND ended_at IS NULL
            AND pid = holder_pid AND started_at >= held_since";
    let holder = db.query_row(sql, [], |row| {
        let since = Timestamp::from_millis(row.get(1)?);
        let hold = row.get::<_, Option<String>>(2)?;
        let until = row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis);
        let until = until.map_or_else(String::new, |until| format!(", until {until}"));
        let waits = hold.map_or_else(String::new, |why| format!(" ({why}{until})"));
        Ok(format!(
            "pid {}, since {since}{waits}",
            row.get::<_, u32>(0)?
        ))
    });
    holder.ok()
}

/// Whether the last writer closed the file.
pub(super) fn was_closed(db: &Connection) -> Result<bool> {
    Ok(db.query_row("SELECT clean FROM job", [], |row| row.get(0))?)
}

/// Records that this process holds the file, in the file itself and not only in its log.
pub(super) fn begin_holding(db: &Connection, now: Timestamp) -> Result<()> {
    db.execute(
        "UPDATE job SET holder_pid = ?1, held_since = ?2, clean = 0",
        (std::process::id(), now.as_millis()),
    )?;
    checkpoint(db, "PASSIVE")
}

/// Records that the file is closed, and copies the log into it. Closing the connection then removes
/// the log, unless that is now the log of another file.
pub(super) fn end_holding(db: &Connection, is_in_place: bool) -> Result<()> {
    if !is_in_place {
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    // An export that is reading is not waited for.
    db.busy_timeout(Duration::from_secs(1))?;
    db.execute("UPDATE job SET clean = 1", [])?;
    checkpoint(db, "TRUNCATE")
}

fn checkpoint(db: &Connection, how: &str) -> Result<()> {
    let sql = format!("PRAGMA wal_checkpoint({how})");
    Ok(db.query_row(&sql, [], |_| Ok(()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{RunProgress, Store};

    #[test]
    fn the_holder_waits_for_what_its_own_run_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.db");
        let at = Timestamp::from_millis;
        let store = Store::open(&path, at(5)).unwrap();
        let begin = |began| {
            let run = store.journal().begin_run("run", "", at(began)).unwrap();
            let progress = RunProgress {
                hold: Some("business.hour is used up".to_owned()),
                ..RunProgress::default()
            };
            store.journal().save_progress(run, &progress, 0).unwrap();
            holder_of(&path).unwrap()
        };
        // Of a process that had the same pid and broke off.
        let held = format!("pid {}, since {}", std::process::id(), at(5));
        assert_eq!(begin(1), held);
        assert_eq!(begin(6), format!("{held} (business.hour is used up)"));
    }
}
