//! Outcomes: what a lookup found out about a subject.

use std::{fmt, str::FromStr};

use super::{Link, PendingId};

/// The state of a subject. The numbers are those in the job file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// No answer yet.
    Queued = 0,
    /// One link or more.
    Linked = 1,
    /// No downstream corp had this person as a customer when it was asked.
    Unlinked = 2,
    /// The API refused these ids, and would again; the errcode is kept.
    Rejected = 3,
    /// All attempts failed, or the errcode is not classified; `idferry retry` queues it again.
    Parked = 4,
}

impl State {
    /// Every state, in the order in which summaries list them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Linked,
        Self::Unlinked,
        Self::Rejected,
        Self::Parked,
    ];

    /// Returns its name in files, flags and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Rejected => "rejected",
            Self::Parked => "parked",
        }
    }

    /// Whether an outcome of this state takes the place of one of the state `was`. A refusal or a
    /// failure says nothing of the links that an answer found, nor a failure of what was refused.
    pub(crate) const fn replaces(self, was: Self) -> bool {
        match self {
            Self::Linked | Self::Unlinked => true,
            Self::Rejected => matches!(was, Self::Queued | Self::Parked | Self::Rejected),
            Self::Parked => matches!(was, Self::Queued | Self::Parked),
            Self::Queued => false,
        }
    }

    /// Returns the state stored as `code`; `None` if there is no such state.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == code)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| {
                format!("no state is called '{word}': queued, linked, unlinked, rejected or parked")
            })
    }
}

/// The result of looking a subject up: a terminal state and the reply behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Any state but [`State::Queued`].
    pub state: State,
    /// The errcode of the last reply; `None` if no reply could be read.
    pub errcode: Option<i64>,
    /// How many calls this outcome took, at least 1.
    pub attempts: u8,
    /// At least one if `state` is [`State::Linked`], else empty.
    pub links: Vec<Link>,
    /// The id that was asked for in place of links, as there are none.
    pub pending_id: Option<PendingId>,
}

/// The number of subjects in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u64; 5]);

impl Tally {
    /// Returns the number of subjects in `state`.
    pub fn of(&self, state: State) -> u64 {
        self.0[state as usize]
    }

    /// Sets the number of subjects in `state`.
    pub fn set(&mut self, state: State, subjects: u64) {
        self.0[state as usize] = subjects;
    }

    /// Adds `subjects` to `state`.
    pub fn add(&mut self, state: State, subjects: u64) {
        self.0[state as usize] += subjects;
    }

    /// Moves one subject from one state to another.
    pub(crate) fn shift(&mut self, from: State, to: State) {
        self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        self.0[to as usize] += 1;
    }

    /// Returns the number of all subjects.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns the number of subjects that have an outcome.
    pub fn answered(&self) -> u64 {
        self.total() - self.of(State::Queued)
    }
}
