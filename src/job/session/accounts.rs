//! The accounts in the ledger that pay for a run, and their gates.

use super::{Session, SessionSettings};
use crate::{
    clock::LedgerClock,
    job::error::Error,
    ledger::{Ledger, LedgerAccount},
    model::Api,
    runner::{LaneAccount, TokenAccount, open_gate},
    store::RunId,
};

impl Session {
    /// The account that pays for the calls of `run` to an API of a corp.
    pub(super) fn account<'l>(
        &self,
        ledger: &'l Ledger,
        (corp, api): (&str, Api),
        run: RunId,
    ) -> Result<LedgerAccount<'l>, Error> {
        let writer = self.store.journal().writer(run)?;
        let account = LedgerAccount::of(ledger, corp, api, writer);
        Ok(account.named(&self.files.name(), self.settings.options.call_timeout))
    }

    pub(super) fn open_ledger(&self) -> Result<Ledger, Error> {
        let ledger = Ledger::open(&self.files.ledger)?;
        if self.is_scratch {
            ledger.disable_fsync()?;
        }
        Ok(ledger)
    }

    /// The account that pays for fetches of tokens.
    pub(super) fn token_account<'l>(
        &self,
        ledger: &'l Ledger,
        corp: &str,
        run: RunId,
    ) -> Result<TokenAccount<'l>, Error> {
        let stored = ledger.load(corp, Api::Token)?;
        let account = self.account(ledger, (corp, Api::Token), run)?;
        let quota = &self.settings.quota;
        Ok(TokenAccount::open(account, quota, &stored.snapshot))
    }

    /// The accounts that pay for the lookups of `run`, and for its calls for pending_ids if they are
    /// wanted.
    pub(super) fn lanes<'l>(
        &self,
        ledger: &'l Ledger,
        corp: &str,
        run: RunId,
        ledger_clock: &LedgerClock,
    ) -> Result<(LaneAccount<'l>, Option<LaneAccount<'l>>), Error> {
        let lane = |api| self.lane(ledger, (corp, api), run, ledger_clock);
        let wants_ids = self.settings.pending_ids;
        let pending_ids = wants_ids.then(|| lane(Api::PendingId)).transpose()?;
        Ok((lane(Api::Lookup)?, pending_ids))
    }

    /// The account that pays for the calls of `run` to an API that is asked about subjects, and its
    /// gate.
    fn lane<'l>(
        &self,
        ledger: &'l Ledger,
        (corp, api): (&str, Api),
        run: RunId,
        ledger_clock: &LedgerClock,
    ) -> Result<LaneAccount<'l>, Error> {
        let SessionSettings {
            quota, concurrency, ..
        } = &self.settings;
        let stored = ledger.load(corp, api)?;
        Ok(LaneAccount {
            ledger: self.account(ledger, (corp, api), run)?,
            gate: open_gate(api, &stored, quota, *concurrency, ledger_clock),
        })
    }

    /// Brings what this job has charged into the ledger. Returns the ledger's clock.
    pub(super) fn merge_counters(&self, ledger: &Ledger, corp: &str) -> Result<LedgerClock, Error> {
        let ledger_clock = ledger.resume_clock(self.clock)?;
        let (name, now) = (self.files.name(), Some(ledger_clock.now()));
        ledger.merge((corp, &name), &self.store.counters()?, now)?;
        Ok(ledger_clock)
    }
}
