//! What can go wrong between the job file and the results, said to the operator.

use std::{io, path::PathBuf};

use crate::{intake::IntakeError, store::StoreError};

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The target is a folder.
    #[error("{path} is a folder, results need a file: name one in it, such as {path}/links.csv")]
    IsFolder {
        /// The target.
        path: PathBuf,
    },
    /// The target's folder does not exist.
    #[error(
        "there is no folder {folder} to write {path} in: make it, or name another with --output"
    )]
    NoFolder {
        /// The target.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// No file can be created in the target's folder.
    #[error(
        "no file can be made in {folder}, where {path} shall be: {why}. \
         Make the folder writable, or name another file with --output"
    )]
    Folder {
        /// The target.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
        /// The system's error.
        why: io::Error,
    },
    /// The disk is full.
    #[error(
        "the disk is full, the results could not be written ({0}). Every answer is safe in the \
         job file: free some space, then `idferry export` writes them without a call"
    )]
    Full(io::Error),
    /// The reader of standard output has closed it, as `head` does. To be treated as success.
    #[error("the reader of the results has left")]
    ClosedPipe,
    /// Any other error of the system.
    #[error(
        "the results could not be written: {0}. Every answer is safe in the job file: \
         `idferry export` writes them without a call"
    )]
    Write(io::Error),
    /// The input that the results are joined with could not be read.
    #[error(transparent)]
    Input(#[from] IntakeError),
    /// The job file could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ExportError {
    /// Whether the reader of a pipe has closed it, which is to be treated as success.
    pub(crate) const fn is_closed_pipe(&self) -> bool {
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
