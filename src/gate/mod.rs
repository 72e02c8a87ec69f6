//! When may the next call be sent?
//!
//! A call passes twice. First it is *charged* in every window ([`crate::quota`]), durably. Then it
//! is *let through*: [`Gate::check`] keeps the number in flight small and holds all calls back
//! during a lockout, [`Gate::pace`] spreads them over the minute. Whatever makes a run wait is the
//! same value, a [`Hold`].
//!
//! The windows are the quota, the pacer is not: GCRA alone lets burst + rate through in one window
//! and forgets at restart. Everything here is pure arithmetic over the time it is given, but for
//! governor's cell inside the pacer.

mod concurrency;
mod pacer;

pub use concurrency::{Concurrency, ConcurrencyLimit};
pub use pacer::Pacer;

use crate::{
    clock::{LedgerClock, Timestamp},
    model::QuotaWindow,
    quota::{CallKind, Hold, Ledger, Lockout, PaidCalls},
};

/// Use of one window that has a limit, in calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowUse {
    /// The window.
    pub span: QuotaWindow,
    /// Calls charged in it.
    pub used: u64,
    /// The most it may hold.
    pub limit: u64,
}

/// The one gate of an API: account, lockout, pacer and concurrency limit.
pub struct Gate {
    account: Ledger,
    lockout: Lockout,
    pacer: Pacer,
    concurrency: ConcurrencyLimit,
}

impl Gate {
    /// Returns a gate over the account and the lockout as they were left.
    #[must_use]
    pub fn open(
        account: Ledger,
        concurrency: Concurrency,
        lockout: Lockout,
        now: Timestamp,
    ) -> Self {
        Self {
            pacer: Pacer::new(account.limits().of(QuotaWindow::BasicMinute), now),
            concurrency: ConcurrencyLimit::new(concurrency),
            account,
            lockout,
        }
    }

    /// Whether a call could be sent now, with `in_flight` others, if it were paid for.
    ///
    /// # Errors
    ///
    /// The hold: lockout or concurrency.
    pub fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        self.lockout.check(now, in_flight)?;
        self.concurrency.check(now, in_flight)
    }

    /// Takes a cell of the pacer for one paid call.
    ///
    /// # Errors
    ///
    /// The hold: pace.
    pub fn pace(&self, now: Timestamp) -> Result<(), Hold> {
        self.pacer.check(now)
    }

    /// Whether one call of `kind` fits in every window that counts it.
    ///
    /// # Errors
    ///
    /// The hold, if not.
    pub fn check_quota(&mut self, now: Timestamp, kind: CallKind) -> Result<(), Hold> {
        self.account.check(now, kind)
    }

    /// Whether no window has a limit.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.account.limits().is_none()
    }

    /// A call has been answered, refused or given up at `now`: from here its charge ages.
    pub fn completed(&mut self, now: Timestamp, kind: CallKind) {
        self.account.land(now, kind);
    }

    /// Charges a completed call in the business windows too: its ticket may not have worked.
    pub fn charge_business_too(&mut self, now: Timestamp) {
        self.account.charge_business_too(now);
    }

    /// Takes back calls that were paid for and are not going to be sent.
    pub fn give_back(&mut self, paid: PaidCalls) {
        self.account.give_back(paid);
    }

    /// A call was answered, with `in_flight` others: more may be sent at once.
    pub fn answered(&mut self, in_flight: usize) {
        self.concurrency.increase(in_flight);
    }

    /// The remote is overloaded (45033 or a time-out). Returns the new limit if it was reduced.
    pub fn overloaded(&mut self, now: Timestamp, in_flight: usize) -> Option<u16> {
        let reduced = self.concurrency.decrease(now, in_flight);
        reduced.then(|| self.concurrency.calls())
    }

    /// A call of `kind` that was sent at `sent` was refused with 45009. Returns the lockout if it
    /// is new; it must be on disk before anything else happens.
    pub fn locked_out(
        &mut self,
        sent: Timestamp,
        kind: CallKind,
        ledger_clock: &LedgerClock,
        jitter: f64,
    ) -> Option<Lockout> {
        let account = &mut self.account;
        let imposed = self
            .lockout
            .impose(sent, kind, ledger_clock, account, jitter);
        imposed.then_some(self.lockout)
    }

    /// A call that was sent at `sent` got past the limits. Returns whether that ends a lockout.
    pub fn admitted(&mut self, sent: Timestamp) -> bool {
        let was = self.lockout.is_active();
        self.lockout.clear(sent);
        was && !self.lockout.is_active()
    }

    /// The lockout, if any is in force.
    #[must_use]
    pub const fn lockout(&self) -> Lockout {
        self.lockout
    }

    /// The most calls in flight just now.
    #[must_use]
    pub const fn concurrency(&self) -> u16 {
        self.concurrency.calls()
    }

    /// Calls completed since the gate was opened.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.account.sent()
    }

    /// The account, to look at.
    #[must_use]
    pub const fn account(&self) -> &Ledger {
        &self.account
    }

    /// The account, for the exchange with what is on disk.
    pub(crate) const fn account_mut(&mut self) -> &mut Ledger {
        &mut self.account
    }

    /// Use of the windows that count calls of `kind` and have a limit, in the order of
    /// [`QuotaWindow::ALL`].
    pub fn windows(&mut self, now: Timestamp, kind: CallKind) -> Vec<WindowUse> {
        let limits = self.account.limits();
        let windows = QuotaWindow::ALL.into_iter();
        let windows = windows.filter(|window| kind.counts_in(*window));
        let uses = windows.filter_map(|window| {
            let limit = limits.of(window)?;
            let used = self.account.used(now, window);
            Some(WindowUse {
                span: window,
                used,
                limit,
            })
        });
        uses.collect()
    }
}
