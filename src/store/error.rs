//! What can go wrong with the job file, said to the operator.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// The result of everything in the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Why the job file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open for writing.
    #[error(
        "another process holds the state file {path}: {holder}. \
         Wait for it or stop it; `idferry status` shows what it does"
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// The other process and since when it holds the file, as far as it wrote that down.
        holder: String,
    },
    /// A newer version of idferry wrote it.
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
        /// The corp in the file.
        theirs: String,
        /// The corp of the credentials.
        ours: String,
    },
    /// It does not exist, or is an empty file.
    #[error("there is no state file {path}; `idferry run` makes one, --state names another")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It could not be opened or created.
    #[error(
        "the state file {path} cannot be opened: {why}. Check its folder and permissions, or name another with --state"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's message.
        why: String,
    },
    /// The corp's ledger could not be used.
    #[error(
        "the ledger {path} could not be used: {why}. No call is sent without it, and everything \
         committed is safe; put it right, or name another with --ledger, and type the same command \
         again"
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the state file is full; everything committed is safe. Free some space and type the same command again"
    )]
    DiskFull,
    /// The file or its disk is read-only.
    #[error(
        "the state file may not be written (read-only file or disk). Everything in it is safe; make it writable, or name another with --state"
    )]
    ReadOnly,
    /// It is not a job file, or a damaged one.
    #[error(
        "the state file is damaged or is not one of idferry's: {0}. Keep a copy of it, and name another with --state"
    )]
    Damaged(String),
    /// Any other error of SQLite.
    #[error(
        "the state file could not be read or written: {0}. Everything committed is safe; type the same command again"
    )]
    Sqlite(rusqlite::Error),
    /// A temporary file of an import could not be written or read.
    #[error(
        "a temporary file beside the state file could not be used: {0}. Check the free space there and type the same command again"
    )]
    TemporaryFile(#[from] std::io::Error),
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
