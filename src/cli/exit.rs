//! Exit codes, each with its sentence. Others rely on the numbers.

use crate::{
    model::{State, Tally},
    runner::event::StopReason,
};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for is answered.
    Done = 0,
    /// Internal error: disk, database, or a bug.
    Internal = 1,
    /// Usage or configuration error; nothing was sent.
    Usage = 2,
    /// Finished, but some subjects are rejected or parked, or some lines were rejected as input.
    SomeRefused = 3,
    /// Halted: credentials, trusted IP or permission.
    Halted = 4,
    /// Halted: error budget exceeded.
    ErrorBudget = 5,
    /// The state file belongs to another corp, or to a newer version of idferry.
    OtherState = 8,
    /// Another process holds the state file.
    Held = 9,
    /// Stopped with work left; the same command goes on.
    WorkLeft = 75,
    /// Interrupted; drained and committed; the same command goes on.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What a run's ending, its subjects and its rejected lines come to.
    #[must_use]
    pub fn of(ending: &StopReason, tally: &Tally, rejected_lines: u64) -> Self {
        let refused = tally.of(State::Rejected) + tally.of(State::Parked) + rejected_lines;
        match ending {
            StopReason::Finished if refused > 0 => Self::SomeRefused,
            StopReason::Finished => Self::Done,
            StopReason::Quota(_)
            | StopReason::Budget
            | StopReason::Time
            | StopReason::Unreachable(_) => Self::WorkLeft,
            StopReason::Interrupted => Self::Interrupted,
            StopReason::Refused(halt) if halt.bug => Self::Internal,
            StopReason::Refused(_) | StopReason::TokensRefused => Self::Halted,
            StopReason::Breaker(_) => Self::ErrorBudget,
        }
    }
}
