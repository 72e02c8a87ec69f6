//! What can go wrong with the job file, said to the operator.

use std::{fmt, path::PathBuf};

use rusqlite::ErrorCode;

/// The result of everything in the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What a file of idferry's is called in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// Such as "job file".
    pub(crate) name: &'static str,
    /// The flag that names another one.
    pub(crate) flag: &'static str,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Why the job file, or another SQLite file of idferry's, could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its log cannot be emptied while another process reads the file.
    #[error(
        "what was deleted from {path} is still in its log, because another process reads the file: \
         wait until it has ended, then type the same command again"
    )]
    LogInUse {
        /// The file.
        path: PathBuf,
    },
    /// Another process has it open for writing.
    #[error(
        "another process holds the job file {path}: {holder}. \
         Wait for it, or end it with `idferry stop`; `idferry status` shows what it does"
    )]
    Held {
        /// The file.
        path: PathBuf,
        /// The other process and since when it holds the file, as far as it wrote that down.
        holder: String,
    },
    /// A newer version of idferry wrote it.
    #[error(
        "the {kind} {path} was written by a newer version of idferry; \
         update idferry, or name another file with {}", .kind.flag
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it is called.
        kind: FileKind,
    },
    /// Another program's file, or no file at all. Nothing of it was changed.
    #[error(
        "{path} is not idferry's: {why}. It is left as it is; name another {kind} with {}", .kind.flag
    )]
    NotOurs {
        /// What lies there.
        path: PathBuf,
        /// What it was to be.
        kind: FileKind,
        /// How it was told.
        why: String,
    },
    /// It lies on a file system that reaches over a network.
    #[error(
        "the {kind} {path} would be on a network file system, {file_system}: two hosts could write \
         it at once and damage it. Name one on a disk of this machine with {}", .kind.flag
    )]
    NetworkDisk {
        /// The file.
        path: PathBuf,
        /// What it is called.
        kind: FileKind,
        /// The file system, as people call it.
        file_system: String,
    },
    /// It belongs to another corp.
    #[error(
        "the job file {path} belongs to corp {theirs}, the credentials to {ours}; \
         one job file serves one corp: name another with --state"
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
    #[error("there is no {kind} {path}; `idferry run` makes one, {} names another", .kind.flag)]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it is called.
        kind: FileKind,
    },
    /// It could not be opened or created.
    #[error(
        "the {kind} {path} cannot be opened: {why}. Check its folder and permissions, or name another with {}", .kind.flag
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What it is called.
        kind: FileKind,
        /// The system's message.
        why: String,
    },
    /// The corp's ledger could not be used.
    #[error(
        "the ledger {path} could not be used: {why}. Everything committed is safe, and no call is sent \
         without it. Put it right, or name another with --ledger, and type the same command again"
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// The disk is full.
    #[error(
        "the disk that holds the job file is full; everything committed is safe. Free some space and type the same command again"
    )]
    DiskFull,
    /// The file or its disk is read-only.
    #[error(
        "the job file may not be written (read-only file or disk). Everything in it is safe; make it writable, or name another with --state"
    )]
    ReadOnly,
    /// It is not a job file, or a damaged one.
    #[error("the job file is damaged: {0}. Keep a copy of it, and name another with --state")]
    Damaged(String),
    /// Persons are deleted, but the file could not be rebuilt without their bytes.
    #[error(
        "the persons are deleted from {path}, but bytes of what was deleted earlier may be left in it: it \
         could not be rebuilt, for which its size must be free beside it and in the folder of temporary \
         files (SQLITE_TMPDIR or TMPDIR names another): {why}. Make room and type the same command again"
    )]
    NotRebuilt {
        /// The file.
        path: PathBuf,
        /// What happened.
        why: rusqlite::Error,
    },
    /// Any other error of SQLite.
    #[error(
        "the job file could not be read or written: {0}. Everything committed is safe; type the same command again"
    )]
    Sqlite(rusqlite::Error),
    /// A temporary file of an import could not be written or read.
    #[error(
        "a temporary file beside the job file could not be used: {0}. Check the free space there and type the same command again"
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
