//! When may the next call be sent?
//!
//! A call passes twice. First it is *charged* in every window ([`crate::quota`]), durably. Then it
//! is *let through*: `check` keeps the number in flight small and holds all calls back
//! during a lockout, `pace` spreads them over the minute. Whatever makes a run wait is the
//! same value, a [`Hold`].
//!
//! The windows are the quota, the pacer is not: GCRA alone lets burst + rate through in one window
//! and forgets at restart. Everything here is pure arithmetic over the time it is given, but for
//! governor's cell inside the pacer.

mod concurrency;
mod pacer;

pub use concurrency::Concurrency;

use self::{concurrency::ConcurrencyLimit, pacer::Pacer};
use crate::{
    clock::Timestamp,
    model::{Api, QuotaWindow},
    quota::{Account, CallKind, Hold, Lockout, PaidCalls, QuotaRefusal},
};

/// Use of one window that has a limit, in calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowUse {
    /// The window.
    pub window: QuotaWindow,
    /// Calls charged in it.
    pub used: u64,
    /// The most it may hold.
    pub limit: u64,
}

impl WindowUse {
    /// Use of the windows of `account` that have a limit, in the order of [`QuotaWindow::ALL`]. Those
    /// of the IP are left out while the corp's own allow no more than they do.
    pub(crate) fn of(account: &mut Account, now: Timestamp) -> Vec<Self> {
        let limits = account.limits();
        let mut use_of = |window: QuotaWindow| {
            let limit = limits.of(window)?;
            let used = account.used(now, window);
            Some(Self {
                window,
                used,
                limit,
            })
        };
        let left = |it: Self| it.limit.saturating_sub(it.used);
        let mut uses = Vec::new();
        for it in QuotaWindow::ALL.into_iter().filter_map(&mut use_of) {
            let same = |other: &&Self| other.window.period() == it.window.period();
            let mut same = uses.iter().filter(same);
            if !it.window.is_of_ip() || same.all(|other| left(it) < left(*other)) {
                uses.push(it);
            }
        }
        uses
    }
}

/// The calls of a minute, by the limits of the corp and of the IP: one cell stands for both, as every
/// call of this process takes one of each.
fn minute_limit(account: &Account) -> Option<u64> {
    let windows = [QuotaWindow::BasicMinute, QuotaWindow::IpMinute];
    let limits = windows.map(|window| account.limits().of(window));
    limits.into_iter().flatten().min()
}

/// The one gate of an API: its account, pacer and concurrency limit.
pub struct Gate {
    api: Api,
    account: Account,
    pacer: Pacer,
    /// The most calls a minute that the operator wants.
    rate: Option<u64>,
    concurrency: ConcurrencyLimit,
    /// Limits lower than published that were told.
    told: Vec<(QuotaWindow, u64)>,
    used_elsewhere: bool,
}

impl Gate {
    /// Returns the gate of `api` over its account.
    #[must_use]
    pub fn open(api: Api, account: Account, concurrency: Concurrency, now: Timestamp) -> Self {
        Self {
            api,
            pacer: Pacer::new(minute_limit(&account), now),
            rate: None,
            concurrency: ConcurrencyLimit::new(concurrency),
            told: account.learnt().to_vec(),
            used_elsewhere: false,
            account,
        }
    }

    /// Whether a call could be sent now, with `in_flight` others, if it were paid for.
    ///
    /// # Errors
    ///
    /// The hold: lockout or concurrency.
    pub(crate) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        let lockout = self.account.lockout();
        lockout.check(now, in_flight)?;
        self.concurrency.check(now, in_flight)
    }

    /// Whether one call of `kind` fits in every window that counts it.
    ///
    /// # Errors
    ///
    /// The hold, if not.
    pub(crate) fn check_quota(&mut self, now: Timestamp, kind: CallKind) -> Result<(), Hold> {
        self.account.check(now, kind)
    }

    /// Takes a cell of the pacer for one paid call.
    ///
    /// # Errors
    ///
    /// The hold: pace.
    pub(crate) fn pace(&self, now: Timestamp) -> Result<(), Hold> {
        self.pacer.check(now)
    }

    /// Returns how many calls to charge at once where the rate asks for `by_rate`. Without limits
    /// no window is spent by charging too many: as many as may be sent now.
    pub(crate) fn charge_ahead(&self, by_rate: u32, in_flight: usize) -> u32 {
        if !self.account.limits().is_none() {
            return by_rate;
        }
        let free = usize::from(self.concurrency.calls()).saturating_sub(in_flight);
        by_rate.max(u32::try_from(free).unwrap_or(u32::MAX))
    }

    /// Sends at most `rate` calls a minute and has at most `concurrency` in flight, until told
    /// otherwise; never more than the limits allow.
    pub(crate) fn throttle(&mut self, rate: Option<u64>, concurrency: Option<u16>, now: Timestamp) {
        self.rate = rate;
        self.keep_pace(now);
        self.concurrency.cap(concurrency);
    }

    fn keep_pace(&mut self, now: Timestamp) {
        let limit = minute_limit(&self.account);
        self.pacer
            .change(limit.into_iter().chain(self.rate).min(), now);
    }

    /// The account, for the exchange with the ledger on disk.
    pub(crate) const fn account_mut(&mut self) -> &mut Account {
        &mut self.account
    }

    /// Takes back calls that were paid for and are not going to be sent.
    pub(crate) fn give_back(&mut self, paid: PaidCalls) {
        self.account.give_back(paid);
    }

    /// A call was answered, refused or given up at `now`: from here its charge ages.
    pub(crate) fn completed(&mut self, now: Timestamp, kind: CallKind) {
        self.account.complete(now, kind);
    }

    /// The ticket is on trial here, or no longer.
    pub(crate) fn try_ticket(&mut self, tries: bool) {
        self.account.try_ticket(tries);
    }

    /// The ticket is in doubt, or no longer.
    pub(crate) fn doubt_ticket(&mut self, is_in_doubt: bool) {
        self.account.doubt_ticket(is_in_doubt);
    }

    /// A call that was sent at `sent` got past the limits, with `in_flight` others. Returns whether
    /// that ends a lockout.
    pub(crate) fn answered(&mut self, sent: Timestamp, in_flight: usize) -> bool {
        self.concurrency.increase(in_flight);
        self.account.clear_lockout(sent)
    }

    /// The service failed a call. Returns the new concurrency limit if it was reduced.
    pub(crate) fn service_failed(&mut self, in_flight: usize) -> Option<u16> {
        let reduced = self.concurrency.reduce(in_flight);
        (reduced == Some(true)).then(|| self.concurrency.calls())
    }

    /// The remote is overloaded (45033). Returns the new concurrency limit if it was reduced.
    pub(crate) fn overloaded(&mut self, now: Timestamp, in_flight: usize) -> Option<u16> {
        let reduced = self.concurrency.decrease(now, in_flight);
        reduced.then(|| self.concurrency.calls())
    }

    /// A call was refused with 45009. Returns the lockout if it is new; it must be on disk before
    /// anything else happens.
    pub(crate) fn locked_out(&mut self, refusal: QuotaRefusal) -> Option<Lockout> {
        let imposed = self.account.impose_lockout(refusal);
        self.used_elsewhere |= self.account.is_used_elsewhere();
        imposed
    }

    /// Whether a lockout was met far below every limit of the remote.
    pub(crate) const fn is_used_elsewhere(&self) -> bool {
        self.used_elsewhere
    }

    /// Returns the limits lower than published that were learnt since it was last asked; calls are spread
    /// by them from `now` on.
    pub(crate) fn newly_learnt(&mut self, now: Timestamp) -> Vec<(QuotaWindow, u64)> {
        if self.account.learnt() == self.told {
            return Vec::new();
        }
        self.keep_pace(now);
        let learnt = self.account.learnt();
        let is_new = |limit: &&(QuotaWindow, u64)| !self.told.contains(limit);
        let new = learnt.iter().filter(is_new).copied().collect();
        self.told = learnt.to_vec();
        new
    }

    /// Which API it is the gate of.
    pub(crate) const fn api(&self) -> Api {
        self.api
    }

    /// The account: windows, calls in flight, lockout.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The most calls in flight just now.
    pub(crate) fn concurrency(&self) -> u16 {
        self.concurrency.calls()
    }

    /// Use of the windows that count calls of `kind`.
    pub(crate) fn windows(&mut self, now: Timestamp, kind: CallKind) -> Vec<WindowUse> {
        let mut uses = WindowUse::of(&mut self.account, now);
        uses.retain(|use_of| kind.counts_in(use_of.window));
        uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Limits, WindowKind};

    #[test]
    fn minute_that_is_learnt_is_paced() {
        let second = |second: i64| Timestamp::from_millis(second * 1000);
        let account = Account::new(Limits::published(), WindowKind::Sliding);
        let mut gate = Gate::open(Api::Lookup, account, Concurrency::Adaptive, second(0));
        assert!(gate.pace(second(1)).is_ok() && gate.pace(second(2)).is_ok());
        let learnt = vec![(QuotaWindow::BasicMinute, 60)];
        gate.account_mut().learn(learnt.clone());
        assert_eq!(gate.newly_learnt(second(3)), learnt);
        assert!(gate.pace(second(3)).is_err(), "one a second");
        assert!(gate.pace(second(5)).is_ok() && gate.pace(second(5)).is_err());
    }
}
