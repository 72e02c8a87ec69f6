//! What completed: verdicts become decisions, decisions become outcomes or claims put back.

use std::time::Duration;

use super::Runner;
use crate::{
    clock::Timestamp,
    model::{Failure, Outcome},
    quota::{CallKind, QuotaRefusal, Trouble},
    runner::{
        calls::Completion,
        claim::Claim,
        decide::{Decision, SentCall, Snooze, backoff, decide, halt},
        event::{RunEvent, StopReason},
        health::{FailedSubject, Judgement},
        outage::FailedCall,
        tokens::TokenError,
    },
    store::Result,
    wecom::{CallError, Token, Verdict, errcode::Class, wire},
};

impl Runner<'_> {
    /// Works off everything that has completed since the last turn.
    pub(super) fn work_off_completed(&mut self) -> Result<()> {
        for completion in self.calls.take_completed() {
            match completion {
                Completion::Token(at, fetched) => self.token_completed(at, fetched),
                Completion::Lookup(lookup) => {
                    let (claim, sent, verdict) = *lookup;
                    self.lookup_completed(claim, sent, verdict)?;
                }
            }
        }
        Ok(())
    }

    fn lookup_completed(&mut self, claim: Claim, sent: SentCall, verdict: Verdict) -> Result<()> {
        self.gate.completed(self.clock.now(), sent.kind);
        self.calls.done(claim.id());
        self.observe(&verdict, &claim, &sent);
        let answered = matches!(verdict, Verdict::Answered(_));
        let decision = match decide(self.gate.api(), verdict, &sent) {
            Decision::Failed(failure) => return self.service_failed(claim, failure, &sent),
            decision => decision,
        };
        if matches!(decision, Decision::Settle(_) | Decision::Halt(_)) {
            self.trial_of_subject_done(&claim, answered)?;
        }
        let had_ticket = sent.kind == CallKind::WithTicket;
        if answered && had_ticket && self.trial.answered_with_ticket(sent.at) {
            self.park_those_on_trial();
        }
        self.apply(decision, claim, &sent);
        self.doubt_ticket(answered && had_ticket)
    }

    fn trial_of_subject_done(&mut self, claim: &Claim, answered: bool) -> Result<()> {
        if claim.is_on_trial() && self.trial.subject_done(answered) {
            self.ticket_is_dead()?;
        }
        Ok(())
    }

    /// What a reply says about service, overload, lockout and token, whichever subject it was
    /// about.
    fn observe(&mut self, verdict: &Verdict, claim: &Claim, sent: &SentCall) {
        let class = match verdict {
            Verdict::Failed(_) => return,
            Verdict::Answered(_) => None,
            Verdict::Refused(refusal) => Some(refusal.class),
        };
        if class == Some(Class::Retry) {
            // The service is out of order: that says nothing of limits and tokens.
            return;
        }
        if self.health.answered(claim.id(), sent.at, self.clock.now()) {
            self.reports.report(&RunEvent::Reconnected);
        }
        match class {
            Some(Class::Wait) => {}
            // A remote that looks at the token, or at the calls in flight, first has not said that
            // a lockout is over.
            Some(Class::Slow) => self.overloaded(),
            Some(Class::Token) => {}
            _ => {
                if self.gate.answered(sent.at, self.calls.lookups()) {
                    self.reports.report(&RunEvent::LockoutEnded);
                }
                self.tokens.works(sent.token_generation);
            }
        }
    }

    /// The service failed a lookup: an outage may begin, and the subject is asked again, unless it
    /// is the subject that the service cannot bear.
    fn service_failed(
        &mut self,
        mut claim: Claim,
        failure: Failure,
        sent: &SentCall,
    ) -> Result<()> {
        if !matches!(failure, Failure::Connect(_)) {
            let reduced = self.gate.service_failed(self.calls.lookups());
            self.report_concurrency(reduced);
        }
        let call = self.failed_call(failure, sent.at, true);
        let subject = FailedSubject {
            id: claim.id(),
            failed_before: claim.failed_at(),
            left: self.queue.left().saturating_add(self.calls.lookups() + 1),
            is_first_pass: !self.queue.is_of_refused(),
        };
        let (judgement, news) = self.health.judge(&call, &subject);
        self.report_trouble(news);
        let failures = claim.fail(call.now);
        let asked_again = match judgement {
            Judgement::Service => true,
            Judgement::Subject => claim.count_attempt(sent.last_attempt),
            Judgement::Hopeless => false,
            Judgement::NotTheApi => {
                self.stop(StopReason::NotTheApi(failure));
                true
            }
        };
        if !asked_again {
            self.trial_of_subject_done(&claim, false)?;
            let outcome = claim.parked_with(failure.errcode());
            self.settle(&claim, outcome);
            return Ok(());
        }
        let due = call.now.plus(backoff(failures, call.chance));
        self.queue.put_back(claim, due);
        Ok(())
    }

    fn failed_call(&mut self, failure: Failure, sent: Timestamp, is_lookup: bool) -> FailedCall {
        FailedCall {
            failure,
            is_lookup,
            sent,
            now: self.clock.now(),
            since: self.health.failing_since(self.clock.wall_now()),
            chance: self.chance.f64(),
        }
    }

    fn report_trouble(&mut self, news: Option<(Trouble, Timestamp)>) {
        let Some((trouble, until)) = news else {
            return;
        };
        if self.health.is_hopeless() {
            self.stop(StopReason::never_reached(trouble.failure));
        } else {
            let until = self.clock.to_wall_time(until);
            self.reports
                .report(&RunEvent::Unreachable { trouble, until });
        }
    }

    fn overloaded(&mut self) {
        let (now, in_flight) = (self.clock.now(), self.calls.lookups());
        let reduced = self.gate.overloaded(now, in_flight);
        self.report_concurrency(reduced);
    }

    fn report_concurrency(&mut self, reduced_to: Option<u16>) {
        if let Some(calls) = reduced_to {
            self.reports.report(&RunEvent::ConcurrencyReduced { calls });
        }
    }

    fn apply(&mut self, decision: Decision, mut claim: Claim, sent: &SentCall) {
        let now = self.clock.now();
        match decision {
            Decision::Settle(outcome) => self.settle(&claim, outcome),
            // Judged before this.
            Decision::Failed(_) => self.queue.put_back(claim, now),
            Decision::Snooze(snooze) => {
                let due = self.snooze(snooze, &mut claim, sent);
                self.queue.put_back(claim, due);
            }
            Decision::Halt(halt) => {
                // It has no outcome: the queue keeps it, so that no watermark passes it.
                self.queue.put_back(claim, now);
                self.stop(StopReason::Refused(*halt));
            }
        }
    }

    fn settle(&mut self, claim: &Claim, outcome: Outcome) {
        if !self.queue.is_of_refused()
            && let Some(trip) = self.health.note(&outcome)
        {
            self.stop(StopReason::Breaker(trip));
        }
        let settled = claim.settled(outcome, self.clock.wall_now());
        let within = self.options.commit_policy.settle_after;
        self.pending.settle(settled, self.clock.now(), within);
    }

    /// Returns when the claim may be sent again, as far as it is concerned itself.
    fn snooze(&mut self, snooze: Snooze, claim: &mut Claim, sent: &SentCall) -> Timestamp {
        let now = self.clock.now();
        match snooze {
            Snooze::Token => {
                if self.tokens.refused(sent.token_generation) {
                    self.stop(StopReason::TokensRefused);
                }
            }
            Snooze::Lockout => self.locked_out(sent),
            Snooze::Overload => {
                let pause = Duration::from_millis(self.chance.u64(200..1000));
                return now.plus(pause);
            }
            Snooze::WithoutTicket(errcode) => {
                claim.put_on_trial(errcode);
                self.trial.doubt(sent.at, now);
            }
        }
        now
    }

    fn locked_out(&mut self, sent: &SentCall) {
        let imposed = self.gate.locked_out(QuotaRefusal {
            sent: sent.at,
            kind: sent.kind,
            now: self.clock.now(),
            remote: self.clock.remote_now(),
            jitter: self.chance.f64(),
        });
        if let Some(lockout) = imposed {
            // The lockout must be on disk before anything else happens.
            self.pending.commit_at_once(self.clock.now());
            self.reports.report(&RunEvent::LockedOut {
                level: lockout.level,
                until: self.clock.to_wall_time(lockout.until),
                elsewhere: self.gate.account().is_used_elsewhere(),
            });
        }
    }

    /// Makes durable whether the ticket is in doubt, before another call is charged; `works` if it
    /// has just been answered with. What a run doubted that broke off stays so until then.
    fn doubt_ticket(&mut self, works: bool) -> Result<()> {
        let was = self.gate.account().is_ticket_in_doubt();
        let is_open = self.trial.is_open();
        if is_open == was || !(is_open || works) {
            return Ok(());
        }
        let since = is_open.then(|| self.clock.wall_now());
        self.job.ledger.tickets().doubt(since)?;
        self.gate.doubt_ticket(is_open);
        Ok(())
    }

    fn ticket_is_dead(&mut self) -> Result<()> {
        self.job.ledger.tickets().mark_dead(self.clock.wall_now())?;
        self.reports.report(&RunEvent::TicketRejected);
        Ok(())
    }

    /// The ticket works: what the subjects on trial met is their own.
    fn park_those_on_trial(&mut self) {
        for claim in self.queue.take_all_on_trial() {
            let outcome = claim.parked();
            self.settle(&claim, outcome);
        }
    }

    fn token_completed(&mut self, sent: Timestamp, fetched: std::result::Result<Token, CallError>) {
        let reached = !matches!(fetched, Err(CallError::Failed(_)));
        if reached && self.health.token_answered(sent) {
            self.reports.report(&RunEvent::Reconnected);
        }
        let error = match fetched {
            Ok(token) => {
                self.tokens.fetched(token, self.clock.now());
                return self.reports.report(&RunEvent::TokenFetched);
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
                let news = self.health.unreachable(&call);
                self.report_trouble(news);
            }
            TokenError::GiveUp(failure) => self.stop(StopReason::never_reached(failure)),
            TokenError::Refused(refusal) => {
                self.stop(StopReason::Refused(halt(*refusal, wire::GETTOKEN)));
            }
        }
    }
}
