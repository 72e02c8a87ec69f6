//! Why a command could not do its work: a sentence for the operator, and an exit code.

use std::fmt;

use super::exit::Exit;
use crate::{export::ExportError, intake::IntakeError, store::StoreError};

/// The job file of a sandbox, in the working directory.
pub(crate) const SANDBOX_FILE: &str = "sandbox.db";

/// A command that could not do its work.
#[derive(Debug)]
pub struct Error {
    /// How the process exits.
    pub exit: Exit,
    /// What happened, on what, and what to do next.
    pub message: String,
}

impl Error {
    /// A usage or configuration error: nothing was sent.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// A failure of the machine or of this program.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Internal,
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Held { .. } => Exit::Held,
            StoreError::Newer { .. }
            | StoreError::OtherCorp { .. }
            | StoreError::NotOurs { .. } => Exit::OtherState,
            StoreError::Missing { .. } | StoreError::NetworkDisk { .. } => Exit::Usage,
            _ => Exit::Internal,
        };
        let mut message = error.to_string();
        let is_missing = matches!(error, StoreError::Missing { .. });
        if is_missing && std::path::Path::new(SANDBOX_FILE).exists() {
            message += &format!("; the sandbox's is here: --state {SANDBOX_FILE}");
        }
        Self { exit, message }
    }
}

impl From<IntakeError> for Error {
    fn from(error: IntakeError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ExportError> for Error {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Input(error) => error.into(),
            ExportError::Store(error) => error.into(),
            error => Self::internal(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error.to_string())
    }
}
