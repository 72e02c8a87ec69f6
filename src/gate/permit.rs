//! Paid before sent.

use crate::model::QuotaWindow;

/// Which windows a call is charged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CallKind {
    /// Sent without a ticket: all five windows.
    Standard = 0,
    /// Sent with a ticket: the basic windows only (D96250).
    WithTicket = 1,
}

impl CallKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standard, Self::WithTicket];

    /// Whether `span` counts a call of this fare.
    #[must_use]
    pub const fn counts_in(self, span: QuotaWindow) -> bool {
        matches!(self, Self::Standard) || !span.is_business()
    }
}

/// Some calls charged in memory, worth nothing until they are paid for by a commit.
#[must_use = "a permit that is dropped stays charged"]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    fare: CallKind,
    calls: u32,
}

impl Permit {
    pub(super) const fn new(fare: CallKind, calls: u32) -> Self {
        Self { fare, calls }
    }

    /// A permit for no call, for a commit that only settles.
    pub const fn nothing(fare: CallKind) -> Self {
        Self { fare, calls: 0 }
    }

    /// How many calls it is for.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// Pays: runs `commit`, which must make the charge durable, and hands out the calls only if
    /// it succeeded.
    ///
    /// # Errors
    ///
    /// Those of `commit`; the charge then stays in memory, which may only over-count.
    pub fn pay<E>(self, commit: impl FnOnce() -> Result<(), E>) -> Result<PaidCalls, E> {
        commit()?;
        Ok(PaidCalls {
            fare: self.fare,
            calls: self.calls,
        })
    }
}

/// Calls charged and committed, not yet sent.
#[derive(Debug)]
pub struct PaidCalls {
    fare: CallKind,
    calls: u32,
}

impl PaidCalls {
    /// An empty one.
    #[must_use]
    pub const fn empty(fare: CallKind) -> Self {
        Self { fare, calls: 0 }
    }

    /// What its calls were charged as.
    #[must_use]
    pub const fn fare(&self) -> CallKind {
        self.fare
    }

    /// Calls left in it.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// Takes one call out.
    pub const fn take(&mut self) -> Option<Paid> {
        if self.calls == 0 {
            return None;
        }
        self.calls -= 1;
        Some(Paid { fare: self.fare })
    }

    /// Adds what another commit paid for, of the same fare.
    pub(crate) fn fill(&mut self, more: Self) {
        debug_assert!(self.calls == 0 || self.fare == more.fare);
        self.fare = more.fare;
        self.calls += more.calls;
    }
}

/// One call that is durably charged in every window it counts in. A request takes it by value;
/// there is no other way to one than a commit that succeeded.
#[derive(Debug)]
pub struct Paid {
    fare: CallKind,
}

impl Paid {
    /// What it was charged as.
    #[must_use]
    pub const fn fare(&self) -> CallKind {
        self.fare
    }

    /// One for a test of the client, which owns no books.
    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self {
            fare: CallKind::Standard,
        }
    }
}
