//! Paid before sent.

use std::time::Duration;

use crate::{clock::Timestamp, model::QuotaWindow};

/// How long calls that are paid for may be sent, from before they were charged.
pub(crate) const BLOCK: Duration = Duration::from_secs(10);

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
    charged: Timestamp,
}

impl Permit {
    pub(super) const fn new(kind: CallKind, calls: u32, charged: Timestamp) -> Self {
        Self {
            kind,
            calls,
            charged,
        }
    }

    /// A permit for no call, for an exchange that charges none.
    pub const fn nothing(kind: CallKind) -> Self {
        Self::new(kind, 0, Timestamp::from_millis(0))
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
            charged: self.charged,
        })
    }
}

/// Calls charged and committed, not yet sent.
#[derive(Debug)]
pub struct PaidCalls {
    kind: CallKind,
    calls: u32,
    charged: Timestamp,
}

impl PaidCalls {
    /// Returns no calls of `kind`.
    #[must_use]
    pub const fn empty(kind: CallKind) -> Self {
        Self {
            kind,
            calls: 0,
            charged: Timestamp::from_millis(0),
        }
    }

    /// Whether they may be sent at `now`: within 10 s of their charge, after which others may land
    /// them, and if they were charged after a lockout was known that may be probed from `probe` on.
    #[must_use]
    pub fn may_be_sent(&self, now: Timestamp, probe: Option<Timestamp>) -> bool {
        let is_fresh = now.since(self.charged) < BLOCK;
        is_fresh && probe.is_none_or(|from| self.charged >= from)
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
        self.charged = if self.calls == 0 {
            more.charged
        } else {
            self.charged.min(more.charged)
        };
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
