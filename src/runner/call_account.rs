//! The account of an API that has basic limits only (D90454), for calls that are made one at a time.

use crate::{
    clock::{LedgerClock, Timestamp},
    ledger::LedgerAccount,
    model::WindowKind,
    quota::{Account, AccountSnapshot, CallKind, Hold, HoldReason, Paid, Quota, QuotaRefusal},
    store::Result,
};

/// An account, and what has been paid from it.
pub struct CallAccount<'l> {
    ledger: LedgerAccount<'l>,
    account: Account,
}

impl<'l> CallAccount<'l> {
    /// Returns the account with what is in the ledger.
    #[must_use]
    pub fn open(ledger: LedgerAccount<'l>, quota: &Quota, snapshot: &AccountSnapshot) -> Self {
        let limits = quota.allowed().basic();
        let account = Account::restore(limits, WindowKind::Sliding, snapshot);
        Self {
            ledger,
            account: account.under(quota.remote.basic()),
        }
    }

    /// Pays for one call. The inner error is the hold if it does not fit.
    pub(super) fn pay(
        &mut self,
        clock: &mut LedgerClock,
    ) -> Result<std::result::Result<Paid, Hold>> {
        let want = Some((CallKind::Standard, 1));
        loop {
            let reading = clock.reading();
            let exchanged = self.ledger.exchange(&mut self.account, want, &reading)?;
            if let Some(ahead) = exchanged.ahead {
                clock.catch_up(&ahead);
                self.account.redate(clock.now());
                continue;
            }
            let none = Hold {
                until: None,
                reason: HoldReason::Lockout,
            };
            let paid = exchanged.paid;
            return Ok(paid.and_then(|mut paid| paid.take().ok_or(none)));
        }
    }

    /// The call that was paid for was answered, refused or given up.
    pub(super) fn completed(&mut self, now: Timestamp) {
        self.account.complete(now, CallKind::Standard);
    }

    /// It got past the limits.
    pub(super) fn answered(&mut self, sent: Timestamp) {
        self.account.clear_lockout(sent);
    }

    /// It was refused with 45009.
    pub(super) fn locked_out(&mut self, refusal: QuotaRefusal) {
        self.account.impose_lockout(refusal);
    }

    /// Makes durable what completed.
    pub(super) fn close(&mut self, clock: &LedgerClock) -> Result<()> {
        let reading = clock.reading();
        self.ledger
            .exchange(&mut self.account, None, &reading)
            .map(drop)
    }
}
