//! The format of the job file, and who holds it. The rules are in [`store`](super).

use std::path::Path;

use rusqlite::Connection;

use super::{
    error::{FileKind, Result, StoreError},
    sqlite_file::{HeldFile, SqliteFormat},
};
use crate::clock::Timestamp;

/// The job file.
pub(super) const JOB: SqliteFormat = SqliteFormat {
    kind: FileKind {
        name: "state file",
        flag: "--state",
    },
    application_id: i32::from_be_bytes(*b"idfj"),
    migrations: &[include_str!("../../migrations/job/0001_job.sql")],
};

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
    let holder = db.query_row("SELECT holder_pid, held_since FROM job", [], |row| {
        let since = Timestamp::from_millis(row.get(1)?);
        Ok(format!("pid {}, since {since}", row.get::<_, u32>(0)?))
    });
    holder.ok()
}
