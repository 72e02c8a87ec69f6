//! What can go wrong on disk, said to the operator.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::clock::Timestamp;

/// Why the state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error(
        "another process holds the state file {path}: pid {pid}, since {since}. \
         Wait for it or stop it; `idferry status` shows what it does"
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// Who.
        pid: u32,
        /// Since when.
        since: Timestamp,
    },
    /// A newer idferry wrote it.
    #[error(
        "the state file {path} was written by a newer version of idferry; \
         update idferry, or name another file with --state"
    )]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to another corp.
    #[error(
        "the state file {path} belongs to corp {theirs}, the credentials to {ours}; \
         one state file serves one corp: name another with --state"
    )]
    OtherCorp {
        /// The file.
        path: PathBuf,
        /// The corp in it.
        theirs: String,
        /// The corp of the credentials.
        ours: String,
    },
    /// There is none.
    #[error("there is no state file {path}; `idferry run` makes one, --state names another")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It could not be opened or made.
    #[error(
        "the state file {path} cannot be opened: {why}. Check its folder and permissions, or name another with --state"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the state file is full; everything committed is safe. Free some space and type the same command again"
    )]
    DiskFull,
    /// It may not be written.
    #[error(
        "the state file may not be written (read-only file or disk). Everything in it is safe; make it writable, or name another with --state"
    )]
    ReadOnly,
    /// It is not a state file.
    #[error(
        "the state file is damaged or is not one of idferry's: {0}. Keep a copy of it, and name another with --state"
    )]
    Damaged(String),
    /// Anything else SQLite says.
    #[error(
        "the state file could not be read or written: {0}. Everything committed is safe; type the same command again"
    )]
    Sqlite(rusqlite::Error),
    /// A file beside it (sorting) failed.
    #[error(
        "a temporary file beside the state file could not be used: {0}. Check the free space there and type the same command again"
    )]
    Scratch(#[from] std::io::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Sqlite(error),
        }
    }
}
