//! Which call leaves now, or why none does.

use super::{
    event::StopReason,
    queue::Claim,
    run_loop::{CompletedCall, Completion, DispatchOutcome, Runner},
};
use crate::{
    gate::{CallKind, Hold, HoldReason, PaidCalls},
    model::State,
    store::Result,
    wecom::Token,
};

impl Runner<'_> {
    /// Lets calls out until something holds them or the purse is empty.
    pub(super) fn launch(&mut self) -> Result<DispatchOutcome> {
        loop {
            if self.ending.is_some() || self.is_at_its_limit()? {
                return Ok(DispatchOutcome::Wait(None));
            }
            let due = match self.feed.next_due(self.store, self.now)? {
                None => return Ok(DispatchOutcome::Wait(None)),
                Some(due) if due > self.now => {
                    let (until, reason) = (Some(due), HoldReason::Retry);
                    return Ok(DispatchOutcome::Wait(Some(Hold { until, reason })));
                }
                Some(due) => due,
            };
            debug_assert!(due <= self.now);
            match self.step() {
                Ok(None) => {}
                Ok(Some(turn)) => return Ok(turn),
                Err(hold) => return Ok(DispatchOutcome::Wait(Some(hold))),
            }
        }
    }

    /// One call, one charge, or the reason for neither.
    fn step(&mut self) -> std::result::Result<Option<DispatchOutcome>, Hold> {
        let in_flight = self.airborne.len();
        self.outage.check(self.now, in_flight)?;
        self.gate.ready(self.now, in_flight)?;
        let fare = self.fare();
        self.change_fare(fare);
        if self.purse.calls() == 0 {
            self.gate.ledger.check(self.now, fare)?;
        }
        // Only now: a run that cannot send a call needs no token.
        let (token, generation) = self.token()?;
        if self.purse.calls() == 0 {
            let want = self.block_to_charge();
            let permit = self.gate.admit(self.now, fare, want)?;
            return Ok(Some(DispatchOutcome::Charge(permit)));
        }
        let claim = self.next_claim(fare)?;
        if let Some(claim) = claim {
            self.fly(claim, &token, generation);
        }
        Ok(None)
    }

    /// Who is asked next. While the ticket is under suspicion that is a suspect, without it; or, if
    /// the metered windows are full, one other subject with it, as a control.
    fn next_claim(&mut self, fare: CallKind) -> std::result::Result<Option<Claim>, Hold> {
        let reason = HoldReason::Ticket;
        if self.suspects == 0 {
            self.gate.let_out(self.now)?;
            return Ok(self.feed.take(self.now));
        }
        if fare == CallKind::Standard {
            let until = self.feed.suspect_due();
            if until.is_none_or(|due| due > self.now) {
                return Err(Hold { until, reason });
            }
            self.gate.let_out(self.now)?;
            return Ok(self.feed.take_suspect(self.now));
        }
        if !self.airborne.is_empty() {
            let until = None;
            return Err(Hold { until, reason });
        }
        self.gate.let_out(self.now)?;
        match self.feed.take_control(self.now) {
            Some(claim) => Ok(Some(claim)),
            // Nobody else is left to ask: the suspects wait for their windows.
            None => self
                .gate
                .ledger
                .check(self.now, CallKind::Standard)
                .map(|()| None),
        }
    }

    /// The token to call with; if there is none, its fetch is begun and waited for.
    fn token(&mut self) -> std::result::Result<(Token, u32), Hold> {
        if let Some((token, generation)) = self.tokens.current(self.now) {
            let token = token.clone();
            // Its last minutes are spent on getting the next one, without waiting for it.
            if self.tokens.is_aging(self.now) && self.tokens.may_fetch(self.now).is_ok() {
                self.fetch_token();
            }
            return Ok((token, generation));
        }
        self.tokens.may_fetch(self.now)?;
        self.fetch_token();
        let (until, reason) = (None, HoldReason::Token);
        Err(Hold { until, reason })
    }

    fn fetch_token(&mut self) {
        let (fetch, sent) = (self.client.fetch_token(), self.now);
        let flight = async move { Completion::Token(sent, fetch.await) };
        self.in_flight.push(Box::pin(flight));
    }

    /// What the next call is charged as. While a ticket is under suspicion calls go without it, if
    /// there is room for that; else one control goes with it.
    pub(super) fn fare(&mut self) -> CallKind {
        let metered_is_full = match (&self.ticket, self.suspects) {
            (None, _) => return CallKind::Standard,
            (Some(_), 0) => return CallKind::WithTicket,
            _ if self.control_refused => false,
            _ => self
                .gate
                .ledger
                .check(self.now, CallKind::Standard)
                .is_err(),
        };
        let paid = self.purse.fare() == CallKind::Standard && self.purse.calls() > 0;
        if metered_is_full && !paid {
            CallKind::WithTicket
        } else {
            CallKind::Standard
        }
    }

    /// Calls paid for at another fare are given back.
    fn change_fare(&mut self, fare: CallKind) {
        if self.purse.fare() != fare {
            let purse = std::mem::replace(&mut self.purse, PaidCalls::empty(fare));
            self.gate.ledger.refund(purse);
        }
    }

    /// Calls to charge in the next commit: no more than can be needed.
    fn block_to_charge(&self) -> u32 {
        let mut block = self.tempo.block(&self.options.commit_policy);
        if self.gate.ledger.limits().is_none() {
            let free = usize::from(self.gate.width.calls()).saturating_sub(self.airborne.len());
            block = block.max(u32::try_from(free).unwrap_or(u32::MAX));
        }
        let ready = u32::try_from(self.feed.ready()).unwrap_or(u32::MAX);
        let left = self.budget_left().unwrap_or(u64::MAX);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        block.min(ready).min(left).max(1)
    }

    fn budget_left(&self) -> Option<u64> {
        let budget = self.options.budget?;
        Some(budget.saturating_sub(self.launched))
    }

    /// Whether the operator's limits end the run here, with work left.
    fn is_at_its_limit(&mut self) -> Result<bool> {
        let ending = if self.budget_left() == Some(0) {
            StopReason::Budget
        } else if self.deadline.is_some_and(|at| self.now >= at) {
            StopReason::Time
        } else {
            return Ok(false);
        };
        if self.has_work_left()? {
            self.end(ending);
        }
        Ok(true)
    }

    /// Whether anything is left to ask beside what is in the air or has just landed.
    fn has_work_left(&mut self) -> Result<bool> {
        if self.feed.is_first_pass() {
            let queued = self.store.tally().of(State::Queued);
            let asked = self.airborne.len() + self.settled.len();
            return Ok(queued > asked as u64);
        }
        Ok(self.feed.next_due(self.store, self.now)?.is_some())
    }

    fn fly(&mut self, claim: Claim, token: &Token, generation: u32) {
        let Some(paid) = self.purse.take() else {
            self.feed.put_back(claim, self.now);
            return;
        };
        let ticket = self
            .ticket
            .as_ref()
            .filter(|_| paid.fare() == CallKind::WithTicket);
        let (fare, sent) = (paid.fare(), self.now);
        self.airborne.push(claim.subject.id);
        self.launched += 1;
        self.tempo.launched(self.now);
        let call = self.client.convert(&claim.subject, token, ticket, paid);
        self.in_flight.push(Box::pin(async move {
            let verdict = call.await;
            Completion::Call(Box::new(CompletedCall {
                claim,
                fare,
                sent,
                generation,
                verdict,
            }))
        }));
    }
}
