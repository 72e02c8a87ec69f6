//! How a run comes to its access token, and loses it.

use super::{Runner, lanes};
use crate::{
    clock::Timestamp,
    ledger::TokenRefusal,
    model::Api,
    runner::{
        decide::halt,
        event::{FatalRefusal, RunEvent, StopReason},
        tokens::{RefusedToken, TokenError},
    },
    store::Result,
    wecom::{CallError, Refusal, Token, errcode, wire},
};

/// After the account of `gettoken` had no room and did not say until when.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

impl Runner<'_> {
    /// Fetches a token, unless a refusal is remembered that forbids it.
    pub(super) fn fetch_token(&mut self) -> Result<()> {
        let now = self.clock.now();
        let refusals = self.job.tokens.refusals();
        if let Some(refusal) = refusals.in_force(self.client.secret_digest(), now)? {
            if refusal.secret.is_none() {
                self.tokens.locked_out(refusal.until);
            } else if !self.tokens.outlasts_refusal(refusal.until, now) {
                self.stop(StopReason::Refused(self.remembered(&refusal)));
            }
            return Ok(());
        }
        match self.job.tokens.pay(&self.clock.reading())? {
            Ok(_paid) => {
                self.tokens.begin_fetch(now);
                self.lane.calls.fetch_token(now, self.client.fetch_token());
            }
            Err(hold) => {
                // The ledger's time may be ahead of the run's.
                let _nothing_wanted = self.commit(None)?;
                let until = hold.until.unwrap_or_else(|| now.plus(AGAIN));
                self.tokens.wait_until(until);
            }
        }
        Ok(())
    }

    /// A refusal of an earlier run, which is not repeated.
    fn remembered(&self, refusal: &TokenRefusal) -> FatalRefusal {
        let shown = |at| self.clock.to_wall_time(at);
        FatalRefusal {
            entry: errcode::lookup(refusal.errcode),
            errcode: refusal.errcode,
            errmsg: String::new(),
            bug: false,
            remembered: Some((shown(refusal.at), shown(refusal.until))),
            call: Api::Token.name(),
        }
    }

    /// A call was refused for its token.
    pub(super) fn token_refused(&mut self, generation: u32) {
        match self.tokens.refused(generation, self.clock.now()) {
            RefusedToken::Replaced => {}
            RefusedToken::Contested => self.reports.report(&RunEvent::TokensContested),
            RefusedToken::GiveUp => self.stop(StopReason::TokensRefused),
        }
    }

    pub(super) fn token_completed(
        &mut self,
        sent: Timestamp,
        fetched: std::result::Result<Token, CallError>,
    ) -> Result<()> {
        self.job.tokens.completed(&self.clock.reading())?;
        let reached = !matches!(fetched, Err(CallError::Failed(_)));
        if reached {
            let lanes = lanes::all(&mut self.lane, &mut self.other);
            let ended = lanes.filter_map(|lane| lane.health.token_answered(sent).then_some(()));
            if ended.count() > 0 {
                self.reports.report(&RunEvent::Reconnected);
            }
        }
        let error = match fetched {
            Ok(token) => {
                self.tokens.fetched(token, self.clock.now());
                self.reports.report(&RunEvent::TokenFetched);
                return Ok(());
            }
            Err(error) => error,
        };
        match self
            .tokens
            .failed(error, self.clock.now(), self.chance.f64())
        {
            TokenError::Passing => {}
            TokenError::Outage(failure) => {
                let call = self.failed_call(failure, sent, false);
                let lanes = lanes::all(&mut self.lane, &mut self.other);
                let news = lanes.filter_map(|lane| lane.health.unreachable(&call));
                let news = news.reduce(|first, _| first);
                self.report_trouble(news);
            }
            TokenError::GiveUp(failure) => self.stop(StopReason::never_reached(failure)),
            TokenError::LockedOut(errcode) => {
                self.job.tokens.remember(errcode, None, self.clock.now())?;
            }
            TokenError::Refused(refusal) => self.secret_refused(*refusal)?,
        }
        Ok(())
    }

    /// A wrong secret is remembered, so that restarts do not repeat it.
    fn secret_refused(&mut self, refusal: Refusal) -> Result<()> {
        if refusal.is_wrong_secret() {
            let secret = Some(self.client.secret_digest());
            let now = self.clock.now();
            self.job.tokens.remember(refusal.errcode, secret, now)?;
        }
        self.stop(StopReason::Refused(halt(refusal, wire::GETTOKEN)));
        Ok(())
    }
}
