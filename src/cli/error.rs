//! What ends a command early: a sentence for the operator and an exit code.

use std::fmt;

use super::{Exit, args};
use crate::{config::ConfigError, export::ExportError, intake::IntakeError, store::StoreError};

/// A command that could not do its work.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, on what, and what to do next.
    pub message: String,
}

impl Failure {
    /// A usage error: nothing was sent.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    /// A failure of the machine or of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Internal,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::Held { .. } => Exit::Held,
            StoreError::Newer { .. } | StoreError::OtherCorp { .. } => Exit::OtherState,
            StoreError::Missing { .. } => Exit::Usage,
            _ => Exit::Internal,
        };
        let mut message = error.to_string();
        let is_missing = matches!(error, StoreError::Missing { .. });
        if is_missing && std::path::Path::new(args::SANDBOX).exists() {
            message += &format!("; the sandbox's is here: --state {}", args::SANDBOX);
        }
        Self { exit, message }
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::internal(error.to_string())
    }
}
