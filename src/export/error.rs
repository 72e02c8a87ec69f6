//! What can go wrong between the state file and the results, said to the operator.

use std::{io, path::PathBuf};

use crate::store::StoreError;

/// Why the results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target is a folder.
    #[error("{path} is a folder, results need a file: name one in it, such as {path}/links.csv")]
    IsFolder {
        /// What was named.
        path: PathBuf,
    },
    /// The target's folder does not exist.
    #[error(
        "there is no folder {folder} to write {path} in: make it, or name another with --output"
    )]
    NoFolder {
        /// What was named.
        path: PathBuf,
        /// The folder of it.
        folder: PathBuf,
    },
    /// Nothing can be made in the target's folder.
    #[error(
        "no file can be made in {folder}, where {path} shall be: {why}. \
         Make the folder writable, or name another file with --output"
    )]
    Folder {
        /// What was named.
        path: PathBuf,
        /// The folder of it.
        folder: PathBuf,
        /// The system's reason.
        why: io::Error,
    },
    /// The disk is full.
    #[error(
        "the disk is full, the results could not be written ({0}). Every answer is safe in the \
         state file: free some space, then `idferry export` writes them without a call"
    )]
    Full(io::Error),
    /// Whoever read standard output has left. Nothing is lost; treat it as success.
    #[error("the reader of the results has left")]
    ClosedPipe,
    /// Anything else the system says.
    #[error(
        "the results could not be written: {0}. Every answer is safe in the state file: \
         `idferry export` writes them without a call"
    )]
    Write(io::Error),
    /// The state file could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ExportError {
    /// Whether the reader of a pipe left: `idferry export | head` is a quiet success.
    #[must_use]
    pub const fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::ClosedPipe)
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(error),
            _ => Self::Write(error),
        }
    }
}
