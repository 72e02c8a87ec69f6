//! Calls, by what they were charged as.

use super::CallKind;

/// A number of calls without a ticket, and one of calls with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallCount {
    /// Without a ticket.
    pub standard: u64,
    /// With one.
    pub with_ticket: u64,
}

impl CallCount {
    /// Returns `calls` calls of `kind`.
    #[must_use]
    pub fn of(kind: CallKind, calls: u64) -> Self {
        let mut count = Self::default();
        *count.kind_mut(kind) = calls;
        count
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.standard + self.with_ticket
    }

    /// Those of one kind.
    #[must_use]
    pub const fn kind(&self, kind: CallKind) -> u64 {
        match kind {
            CallKind::Standard => self.standard,
            CallKind::WithTicket => self.with_ticket,
        }
    }

    const fn kind_mut(&mut self, kind: CallKind) -> &mut u64 {
        match kind {
            CallKind::Standard => &mut self.standard,
            CallKind::WithTicket => &mut self.with_ticket,
        }
    }

    /// Adds `more`.
    pub const fn add(&mut self, more: Self) {
        self.standard += more.standard;
        self.with_ticket += more.with_ticket;
    }

    /// Returns what is left after `less`; zero where there is less.
    #[must_use]
    pub const fn minus(self, less: Self) -> Self {
        Self {
            standard: self.standard.saturating_sub(less.standard),
            with_ticket: self.with_ticket.saturating_sub(less.with_ticket),
        }
    }
}
