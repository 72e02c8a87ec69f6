//! What fetches of tokens cost: `gettoken` has basic limits of its own (D90454).

use super::tokens::SHUT_OUT;
use crate::{
    clock::{ClockReading, LedgerClock, Timestamp},
    ledger::{LedgerAccount, TokenRefusal, TokenRefusals},
    model::WindowKind,
    quota::{Account, AccountSnapshot, CallKind, Hold, HoldReason, PaidCalls, Quota},
    store::Result,
    wecom::{CallError, Client, Token, errcode::Class},
};

/// Why there is no token.
pub(crate) enum NoToken {
    /// This refusal is remembered and not repeated.
    Remembered(TokenRefusal),
    /// The account of `gettoken` has no room.
    Full(Hold),
    /// The fetch failed, or was refused.
    Failed(CallError),
}

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

    /// Remembers a refusal over restarts; with the secret that was refused, or without if every one is.
    pub(super) fn remember(&self, errcode: i64, secret: Option<u64>, at: Timestamp) -> Result<()> {
        self.refusals().remember(&TokenRefusal {
            errcode,
            secret,
            at,
            until: at.plus(SHUT_OUT),
        })
    }

    /// Fetches one token outside of a run, as a run would: charged, and not in spite of a refusal that
    /// is remembered. The inner error is why there is none.
    pub(crate) async fn fetch_one(
        &mut self,
        client: &Client,
        clock: &mut LedgerClock,
    ) -> Result<std::result::Result<Token, NoToken>> {
        let secret = client.secret_digest();
        if let Some(refusal) = self.refusals().in_force(secret, clock.now())? {
            return Ok(Err(NoToken::Remembered(refusal)));
        }
        let want = Some((CallKind::Standard, 1));
        let paid = loop {
            let reading = clock.reading();
            let exchanged = self.ledger.exchange(&mut self.account, want, &reading)?;
            match exchanged.ahead {
                Some(ahead) => drop(clock.catch_up(&ahead)),
                None => break exchanged.paid,
            }
        };
        if let Err(hold) = paid {
            return Ok(Err(NoToken::Full(hold)));
        }
        let fetched = client.fetch_token().await;
        self.completed(&clock.reading())?;
        if let Err(CallError::Refused(refusal)) = &fetched {
            let secret = refusal.is_wrong_secret().then_some(secret);
            if secret.is_some() || refusal.class == Class::Wait {
                self.remember(refusal.errcode, secret, clock.now())?;
            }
        }
        Ok(fetched.map_err(NoToken::Failed))
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
