//! Who charges calls.

use super::{CallCount, SlotCalls};
use crate::model::Api;

/// A writer of counters: a run of a job, or another system under a name. It is born with the run,
/// so that copies of a job file never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriterId(i64);

impl WriterId {
    /// Returns a new one.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::i64(1..))
    }

    /// Its number on disk.
    #[must_use]
    pub const fn code(self) -> i64 {
        self.0
    }

    /// The writer with this number on disk.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        Self(code)
    }
}

/// What a writer has charged of one API: counters that only grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterCounters {
    /// Who.
    pub writer: WriterId,
    /// Which API.
    pub api: Api,
    /// Calls charged.
    pub charged: CallCount,
    /// Calls completed or given back.
    pub done: CallCount,
    /// Calls completed, by slot.
    pub slots: Vec<SlotCalls>,
}
