//! Exit codes, each with its meaning. Scripts rely on the numbers.

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
    /// Internal error: disk, database or a bug.
    Internal = 1,
    /// Usage or configuration error; nothing was sent.
    Usage = 2,
    /// Finished, but subjects are rejected or parked, or input lines are invalid.
    SomeRefused = 3,
    /// Halted: credentials, trusted IP or permission, or what is called is not the API.
    Halted = 4,
    /// Halted: error budget exceeded.
    ErrorBudget = 5,
    /// The job file belongs to another corp, or to a newer version of idferry, or is not
    /// idferry's.
    OtherState = 8,
    /// Another process holds the job file.
    Held = 9,
    /// Stopped with work left; the same command resumes.
    WorkLeft = 75,
    /// Interrupted; calls in flight were awaited and committed. The same command resumes.
    Interrupted = 130,
}

impl Exit {
    /// The number the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit of a run that ended for `reason` with the subjects of `tally` and so many invalid
    /// input lines.
    #[must_use]
    pub fn of(reason: &StopReason, tally: &Tally, invalid_lines: u64) -> Self {
        let refused = tally.of(State::Rejected) + tally.of(State::Parked) + invalid_lines;
        match stop_code(reason).1 {
            Self::Done if refused > 0 => Self::SomeRefused,
            exit => exit,
        }
    }

    /// What a recorded exit code says of the run that ended with it.
    #[must_use]
    pub(crate) const fn meaning(code: i64) -> &'static str {
        match code {
            0 => "everything is answered",
            2 => "nothing was sent",
            3 => "finished, but some subjects are rejected or parked, or some lines invalid",
            4 => "halted, the API refuses",
            5 => "halted, too many errors",
            75 => "work is left, the same command resumes",
            130 => "interrupted, the same command resumes",
            _ => "an error, the same command resumes",
        }
    }
}

/// The code of a stop reason in JSON, and the exit it leads to if nothing was refused.
pub(crate) const fn stop_code(reason: &StopReason) -> (&'static str, Exit) {
    match reason {
        StopReason::Finished => ("finished", Exit::Done),
        StopReason::Quota(_) => ("quota", Exit::WorkLeft),
        StopReason::Budget => ("budget", Exit::WorkLeft),
        StopReason::Time => ("time", Exit::WorkLeft),
        StopReason::Unreachable(_) => ("unreachable", Exit::WorkLeft),
        StopReason::NotTheApi(_) => ("not_the_api", Exit::Halted),
        StopReason::Interrupted => ("interrupted", Exit::Interrupted),
        StopReason::Asked(_) => ("asked", Exit::WorkLeft),
        StopReason::Refused(refusal) if refusal.bug => ("refused", Exit::Internal),
        StopReason::Refused(_) => ("refused", Exit::Halted),
        StopReason::TokensRefused => ("tokens_refused", Exit::Halted),
        StopReason::Breaker(_) => ("breaker", Exit::ErrorBudget),
        StopReason::JobFileMoved(_) => ("job_file_moved", Exit::Internal),
    }
}
