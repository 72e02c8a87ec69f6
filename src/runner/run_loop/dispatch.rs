//! Which call is sent now, or why none is.

use super::Runner;
use crate::{
    model::State,
    quota::{CallKind, Hold, HoldReason, PaidCalls},
    runner::{claim::Claim, event::StopReason, ticket_trial::Candidates},
    store::Result,
    wecom::{Endpoint, Token},
};

/// What dispatching led to.
pub(super) enum DispatchOutcome {
    /// So many calls of this kind are to be charged.
    Charge(CallKind, u32),
    /// Nothing can be sent; `None` if there is nothing to send.
    Wait(Option<Hold>),
}

impl Runner<'_> {
    /// Sends calls until something holds them or no paid one is left.
    pub(super) fn dispatch(&mut self) -> Result<DispatchOutcome> {
        loop {
            if self.is_stopped() || self.is_at_its_limit()? {
                return Ok(DispatchOutcome::Wait(None));
            }
            let now = self.clock.now();
            let due = self.lane.queue.next_due(self.job.store, now)?;
            let paused = self.stopping.wishes.hold();
            match due {
                None => return Ok(DispatchOutcome::Wait(None)),
                Some(_) if paused.is_some() => return Ok(DispatchOutcome::Wait(paused)),
                Some(due) if due > now && !self.lane.health.is_out_of_order() => {
                    return Ok(DispatchOutcome::Wait(Some(Hold {
                        until: Some(due),
                        reason: HoldReason::Retry,
                    })));
                }
                Some(_) => {}
            }
            if self.tokens.needs_refresh(now) {
                self.fetch_token()?;
            }
            match self.dispatch_one() {
                Err(hold) if hold.reason == HoldReason::Token && self.tokens.needs_fetch(now) => {
                    self.fetch_token()?;
                }
                Ok(None) => {}
                Ok(Some((kind, calls))) => return Ok(DispatchOutcome::Charge(kind, calls)),
                Err(hold) => return Ok(DispatchOutcome::Wait(Some(hold))),
            }
        }
    }

    /// Sends one call, or returns what to charge, or the hold.
    fn dispatch_one(&mut self) -> std::result::Result<Option<(CallKind, u32)>, Hold> {
        let (now, in_flight) = (self.clock.now(), self.lane.calls.lookups());
        self.lane.health.check(now, in_flight)?;
        if let Err(hold) = self.lane.gate.check(now, in_flight) {
            return self.hear_the_date(hold);
        }
        let kind = self.next_kind();
        let probe = self.lane.gate.account().lockout().probe_from();
        let is_usable = |paid: &PaidCalls| paid.kind() == kind && paid.may_be_sent(now, probe);
        if let Some(paid) = self.lane.pending.take_unless(is_usable) {
            self.lane.gate.give_back(paid);
        }
        let unpaid = self.lane.pending.paid().calls() == 0;
        if unpaid && let Err(hold) = self.lane.gate.check_quota(now, kind) {
            return self.hear_the_date(hold);
        }
        // Only now: a run that cannot send a call needs no token.
        let (token, generation) = self.tokens.get(now)?;
        if unpaid {
            return Ok(Some((kind, self.calls_to_charge())));
        }
        if let Some(claim) = self.next_claim(kind)? {
            self.send(claim, &token, generation);
        }
        Ok(None)
    }

    /// The account holds calls, but only as long as it is not known for how long the machine was
    /// down: the reply that brings a token tells.
    ///
    /// # Errors
    ///
    /// The hold.
    fn hear_the_date(&mut self, hold: Hold) -> std::result::Result<Option<(CallKind, u32)>, Hold> {
        if self.clock.awaits_date() && hold.reason.is_of_the_account() {
            self.tokens.get(self.clock.now())?;
        }
        Err(hold)
    }

    /// What the next call is charged as.
    pub(super) fn next_kind(&mut self) -> CallKind {
        let (gate, now) = (&mut self.lane.gate, self.clock.now());
        let standard_is_full = || gate.check_quota(now, CallKind::Standard).is_err();
        self.lane
            .trial
            .next_kind(self.lane.pending.paid(), standard_is_full)
    }

    /// The subject to ask next with a call of `kind`; `None` if what is due has changed.
    fn next_claim(&mut self, kind: CallKind) -> std::result::Result<Option<Claim>, Hold> {
        let now = self.clock.now();
        match self.lane.trial.candidates(kind) {
            Candidates::Any => {
                self.lane.gate.pace(now)?;
                Ok(match self.lane.health.is_out_of_order() {
                    true => self.lane.queue.take_probe(now),
                    false => self.lane.queue.take(now),
                })
            }
            Candidates::OnTrial => {
                let due = self.lane.queue.trial_due();
                if due.is_none_or(|due| due > now) {
                    return Err(Hold {
                        until: due,
                        reason: HoldReason::Ticket,
                    });
                }
                self.lane.gate.pace(now)?;
                Ok(self.lane.queue.take_on_trial(now))
            }
            Candidates::Control => self.next_control(),
        }
    }

    /// The subject to ask with the ticket while the standard windows are full.
    fn next_control(&mut self) -> std::result::Result<Option<Claim>, Hold> {
        let now = self.clock.now();
        if self.lane.calls.lookups() > 0 {
            return Err(Hold {
                until: None,
                reason: HoldReason::Ticket,
            });
        }
        self.lane.gate.pace(now)?;
        let control = self.lane.queue.take_control(now);
        if control.is_none() && self.lane.trial.asks_with_ticket() {
            let control = self.lane.queue.take_on_trial(now);
            return control.map(Some).ok_or_else(|| Hold {
                until: self.lane.queue.trial_due(),
                reason: HoldReason::Ticket,
            });
        }
        if control.is_none() {
            // There is no other subject: those on trial wait for their windows.
            self.lane.gate.check_quota(now, CallKind::Standard)?;
        }
        Ok(control)
    }

    /// Calls to charge in the next commit: no more than can be needed.
    fn calls_to_charge(&self) -> u32 {
        let by_rate = self
            .lane
            .calls
            .rate()
            .charge_ahead(&self.options.commit_policy);
        let calls = self
            .lane
            .gate
            .charge_ahead(by_rate, self.lane.calls.lookups());
        let ready = u32::try_from(self.lane.queue.ready()).unwrap_or(u32::MAX);
        let left = self.budget_left().unwrap_or(u64::MAX);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        calls.min(ready).min(left).max(1)
    }

    /// Of both lanes.
    pub(super) fn budget_left(&self) -> Option<u64> {
        let budget = self.options.budget?;
        let other = self.other.as_ref().map_or(0, |lane| lane.calls.sent());
        Some(budget.saturating_sub(self.lane.calls.sent() + other))
    }

    /// Whether no more calls of this lane are sent.
    const fn is_stopped(&self) -> bool {
        self.stopping.reason.is_some() || self.lane.ended.is_some()
    }

    /// Whether the operator's limits, or a wish, end the run here, with work left. Where none is left in
    /// this phase, the next one asks again.
    fn is_at_its_limit(&mut self) -> Result<bool> {
        let reason = if let Some(asked) = self.stopping.wishes.stop() {
            StopReason::Asked(asked.clone())
        } else if self.budget_left() == Some(0) {
            if self.lane.calls.lookups() > 0 {
                // What the last calls meet may be a reason of more weight.
                return Ok(true);
            }
            StopReason::Budget
        } else if self.clock.is_past_deadline() {
            StopReason::Time
        } else {
            return Ok(false);
        };
        if self.has_work_left()? {
            self.stop(reason);
        }
        Ok(true)
    }

    /// Whether anything is left to ask beside what is in flight or has just been answered.
    pub(super) fn has_work_left(&mut self) -> Result<bool> {
        if self.lane.queue.is_first_pass() {
            let queued = self.job.store.tally().of(State::Queued);
            let asked = self.lane.calls.lookups() + self.lane.pending.answers();
            return Ok(queued > asked as u64);
        }
        let due = self.lane.queue.next_due(self.job.store, self.clock.now())?;
        Ok(due.is_some())
    }

    fn send(&mut self, claim: Claim, token: &Token, token_generation: u32) {
        let now = self.clock.now();
        let Some(paid) = self.lane.pending.paid_mut().take() else {
            self.lane.queue.put_back(claim, now);
            return;
        };
        let Some(endpoint) = Endpoint::of(self.lane.gate.api()) else {
            return self.lane.queue.put_back(claim, now);
        };
        let sent = claim.sent(now, paid.kind(), token_generation);
        let ticket = self.lane.trial.ticket(sent.kind);
        self.tokens.sent();
        let subject = claim.subject();
        let call = self.client.call(endpoint, subject, token, ticket, paid);
        self.lane.calls.send(claim, sent, call);
    }
}
