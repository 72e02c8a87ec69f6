//! What fetches of tokens cost: `gettoken` has basic limits of its own (D90454).

use crate::{
    clock::ClockReading,
    ledger::{LedgerAccount, TokenRefusals},
    model::WindowKind,
    quota::{Account, AccountSnapshot, CallKind, Hold, HoldReason, PaidCalls, Quota},
    store::Result,
};

/// The account of `gettoken`.
pub struct TokenAccount<'l> {
    ledger: LedgerAccount<'l>,
    account: Account,
}

impl<'l> TokenAccount<'l> {
    /// Returns the account with what is in the ledger.
    #[must_use]
    pub fn open(ledger: LedgerAccount<'l>, quota: &Quota, snapshot: &AccountSnapshot) -> Self {
        let limits = quota.allowed().basic();
        Self {
            ledger,
            account: Account::restore(limits, WindowKind::Sliding, snapshot),
        }
    }

    /// The refusals that are remembered.
    pub(super) fn refusals(&self) -> TokenRefusals<'l> {
        self.ledger.token_refusals()
    }

    /// Charges one fetch. The inner error is the hold if it does not fit.
    pub(super) fn pay(
        &mut self,
        now: &ClockReading,
    ) -> Result<std::result::Result<PaidCalls, Hold>> {
        let want = Some((CallKind::Standard, 1));
        let exchanged = self.ledger.exchange(&mut self.account, want, now)?;
        if exchanged.ahead.is_some() {
            // The run catches up with the ledger's time first.
            return Ok(Err(Hold {
                until: None,
                reason: HoldReason::Token,
            }));
        }
        // A window of another API than people think of: not named.
        Ok(exchanged.paid.map_err(|hold| Hold {
            reason: HoldReason::Token,
            ..hold
        }))
    }

    /// The fetch was answered, or given up.
    pub(super) fn completed(&mut self, now: &ClockReading) -> Result<()> {
        self.account.complete(now.at, CallKind::Standard);
        self.ledger.exchange(&mut self.account, None, now).map(drop)
    }
}
