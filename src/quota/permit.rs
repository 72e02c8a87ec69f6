//! Paid before sent.

use crate::model::QuotaWindow;

/// Which windows count a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CallKind {
    /// Sent without a ticket: counted in every window.
    Standard = 0,
    /// Sent with a ticket: counted in the basic windows only (D96250).
    WithTicket = 1,
}

impl CallKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Standard, Self::WithTicket];

    /// Whether `window` counts a call of this kind.
    #[must_use]
    pub const fn counts_in(self, window: QuotaWindow) -> bool {
        matches!(self, Self::Standard) || !window.is_business()
    }
}

/// Calls charged in memory, which a commit must make durable before they may be sent.
#[must_use = "a permit that is dropped stays charged"]
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    kind: CallKind,
    calls: u32,
}

impl Permit {
    pub(super) const fn new(kind: CallKind, calls: u32) -> Self {
        Self { kind, calls }
    }

    /// A permit for no call, for a commit that only settles.
    pub const fn nothing(kind: CallKind) -> Self {
        Self { kind, calls: 0 }
    }

    /// How many calls it is for.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// Pays: runs `commit`, which must make the charge durable, and returns the calls only if it
    /// succeeded.
    ///
    /// # Errors
    ///
    /// Those of `commit`; the charge then stays in memory, which may only over-count.
    pub fn pay<E>(self, commit: impl FnOnce() -> Result<(), E>) -> Result<PaidCalls, E> {
        commit()?;
        Ok(PaidCalls {
            kind: self.kind,
            calls: self.calls,
        })
    }
}

/// Calls charged and committed, not yet sent.
#[derive(Debug)]
pub struct PaidCalls {
    kind: CallKind,
    calls: u32,
}

impl PaidCalls {
    /// Returns no calls of `kind`.
    #[must_use]
    pub const fn empty(kind: CallKind) -> Self {
        Self { kind, calls: 0 }
    }

    /// What they were charged as.
    #[must_use]
    pub const fn kind(&self) -> CallKind {
        self.kind
    }

    /// How many are left.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        self.calls
    }

    /// Takes one call.
    pub const fn take(&mut self) -> Option<Paid> {
        if self.calls == 0 {
            return None;
        }
        self.calls -= 1;
        Some(Paid { kind: self.kind })
    }

    /// Adds what another commit paid for, of the same kind.
    pub(crate) fn add(&mut self, more: Self) {
        debug_assert!(self.calls == 0 || self.kind == more.kind);
        self.kind = more.kind;
        self.calls += more.calls;
    }
}

/// One call that is durably charged in every window that counts it. A request takes it by value,
/// and only a commit that succeeded makes one.
#[derive(Debug)]
pub struct Paid {
    kind: CallKind,
}

impl Paid {
    /// What it was charged as.
    #[must_use]
    pub const fn kind(&self) -> CallKind {
        self.kind
    }

    /// For tests of the client, which has no ledger.
    #[cfg(test)]
    pub(crate) const fn for_tests() -> Self {
        Self {
            kind: CallKind::Standard,
        }
    }
}
