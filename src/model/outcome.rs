//! What is written about a subject once it has been asked.

use std::{fmt, str::FromStr};

use super::Link;

/// Where a subject stands. The numbers are what the state file stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Not answered yet.
    Queued = 0,
    /// One link or more.
    Linked = 1,
    /// Nobody downstream has this person as a customer *now*.
    Unlinked = 2,
    /// The API refused these ids for good; the errcode is kept.
    Rejected = 3,
    /// Attempts used up, or a code nobody has classified; `idferry retry` brings it back.
    Parked = 4,
}

impl State {
    /// Every state, in the order in which people read them.
    pub const ALL: [Self; 5] = [
        Self::Queued,
        Self::Linked,
        Self::Unlinked,
        Self::Rejected,
        Self::Parked,
    ];

    /// The word of it in files, flags and prose.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Rejected => "rejected",
            Self::Parked => "parked",
        }
    }

    /// The state stored as `code`, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
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

/// What one subject's asking came to: a terminal state and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Any state but [`State::Queued`].
    pub state: State,
    /// The reply's errcode; `None` if no reply could be read.
    pub errcode: Option<i64>,
    /// How often it was asked for this outcome; at least 1.
    pub attempts: u8,
    /// The links of a [`State::Linked`] outcome, else empty.
    pub links: Vec<Link>,
}

/// How many subjects stand in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally([u64; 5]);

impl Tally {
    /// Subjects in `state`.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.0[state as usize]
    }

    /// Sets the count of `state`.
    pub fn set(&mut self, state: State, subjects: u64) {
        self.0[state as usize] = subjects;
    }

    /// Counts `subjects` more in `state`.
    pub fn add(&mut self, state: State, subjects: u64) {
        self.0[state as usize] += subjects;
    }

    /// Moves one subject from one state to another.
    pub fn shift(&mut self, from: State, to: State) {
        self.0[from as usize] = self.0[from as usize].saturating_sub(1);
        self.0[to as usize] += 1;
    }

    /// All subjects.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Subjects that are no longer queued.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.total() - self.of(State::Queued)
    }
}
