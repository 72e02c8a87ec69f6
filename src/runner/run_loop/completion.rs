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
        decide::{Decision, SentCall, Snooze, backoff, decide},
        event::{RunEvent, StopReason},
        health::{FailedSubject, Judgement},
        outage::FailedCall,
    },
    store::Result,
    wecom::{Verdict, errcode::Class},
};

impl Runner<'_> {
    /// Works off everything that has completed since the last turn.
    pub(super) fn work_off_completed(&mut self) -> Result<()> {
        for completion in self.lane.calls.take_completed() {
            match completion {
                Completion::Token(at, fetched) => self.token_completed(at, fetched)?,
                Completion::Application(reply) => self.application_completed(reply)?,
                Completion::Lookup(lookup) => {
                    let (claim, sent, verdict) = *lookup;
                    self.lookup_completed(claim, sent, verdict)?;
                }
            }
        }
        Ok(())
    }

    fn lookup_completed(&mut self, claim: Claim, sent: SentCall, verdict: Verdict) -> Result<()> {
        self.lane.gate.completed(self.clock.now(), sent.kind);
        self.lane.calls.done(claim.id());
        self.tokens.completed(sent.token_generation);
        self.observe(&verdict, &claim, &sent);
        let answered = matches!(verdict, Verdict::Answered(_));
        let errcode = verdict.errcode();
        let decision = match self.doubt_by(&verdict, &claim, &sent)? {
            Some(snooze) => Decision::Snooze(snooze),
            None => decide(self.lane.gate.api(), verdict, &sent),
        };
        if matches!(decision, Decision::Settle(_) | Decision::Halt(_)) {
            self.trial_of_subject_done(&claim, answered, errcode);
        }
        let had_ticket = sent.kind == CallKind::WithTicket;
        if answered {
            self.lane.trial.search.answered();
        }
        if answered && had_ticket && self.lane.trial.answered_with_ticket(sent.at) {
            self.end_trials();
        }
        self.apply(decision, claim, &sent)?;
        self.save_doubt()
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
        if self
            .lane
            .health
            .answered(claim.id(), sent.at, self.clock.now())
        {
            self.tell(RunEvent::Reconnected);
        }
        match class {
            Some(Class::Wait) => {}
            // A remote that looks at the token, or at the calls in flight, first has not said that
            // a lockout is over.
            Some(Class::Slow) => self.overloaded(),
            Some(Class::Token) => {}
            _ => {
                if self.lane.gate.answered(sent.at, self.lane.calls.lookups()) {
                    self.tell(RunEvent::LockoutEnded);
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
            let reduced = self.lane.gate.service_failed(self.lane.calls.lookups());
            self.report_concurrency(reduced);
        }
        let call = self.failed_call(failure, sent.at, true);
        let subject = FailedSubject {
            id: claim.id(),
            failed_before: claim.failed_at(),
            left: self
                .lane
                .queue
                .left()
                .saturating_add(self.lane.calls.lookups() + 1),
            is_first_pass: !self.lane.queue.is_of_refused(),
        };
        let (judgement, news) = self.lane.health.judge(&call, &subject);
        self.report_trouble(news);
        let failures = claim.fail(call.now);
        let asked_again = match judgement {
            Judgement::Service => true,
            Judgement::Subject => claim.count_attempt(sent.last_attempt),
            Judgement::Hopeless => false,
            Judgement::NotTheApi => {
                self.end_lane(StopReason::NotTheApi(failure));
                true
            }
        };
        if !asked_again {
            self.trial_of_subject_done(&claim, false, None);
            let outcome = claim.parked_with(failure.errcode());
            self.settle(&claim, outcome);
            return Ok(());
        }
        let due = call.now.plus(backoff(failures, call.chance));
        self.lane.queue.put_back(claim, due);
        Ok(())
    }

    pub(super) fn failed_call(
        &mut self,
        failure: Failure,
        sent: Timestamp,
        is_lookup: bool,
    ) -> FailedCall {
        FailedCall {
            failure,
            is_lookup,
            sent,
            now: self.clock.now(),
            since: self.lane.health.failing_since(self.clock.wall_now()),
            chance: self.chance.f64(),
        }
    }

    pub(super) fn report_trouble(&mut self, news: Option<(Trouble, Timestamp)>) {
        let Some((trouble, until)) = news else {
            return;
        };
        if self.lane.health.is_hopeless() {
            self.stop(StopReason::never_reached(trouble.failure));
        } else {
            let until = self.clock.to_wall_time(until);
            self.tell(RunEvent::Unreachable { trouble, until });
        }
    }

    fn overloaded(&mut self) {
        let (now, in_flight) = (self.clock.now(), self.lane.calls.lookups());
        let reduced = self.lane.gate.overloaded(now, in_flight);
        self.report_concurrency(reduced);
    }

    fn report_concurrency(&mut self, reduced_to: Option<u16>) {
        if let Some(calls) = reduced_to {
            self.tell(RunEvent::ConcurrencyReduced { calls });
        }
    }

    fn apply(&mut self, decision: Decision, mut claim: Claim, sent: &SentCall) -> Result<()> {
        let now = self.clock.now();
        match decision {
            Decision::Settle(outcome) => self.settle(&claim, outcome),
            Decision::Failed(failure) => return self.service_failed(claim, failure, sent),
            Decision::Snooze(snooze) => {
                let due = self.snooze(snooze, &mut claim, sent)?;
                self.lane.queue.put_back(claim, due);
            }
            Decision::Halt(halt) => {
                // It has no outcome: the queue keeps it, so that no watermark passes it.
                self.lane.queue.put_back(claim, now);
                self.end_lane(StopReason::Refused(*halt));
            }
        }
        Ok(())
    }

    fn settle(&mut self, claim: &Claim, outcome: Outcome) {
        if !self.lane.queue.is_of_refused()
            && let Some(trip) = self.lane.health.note(&outcome)
        {
            self.end_lane(StopReason::Breaker(trip));
        }
        let settled = claim.settled(outcome, self.clock.wall_now());
        let within = self.options.commit_policy.settle_after;
        self.lane.pending.settle(settled, self.clock.now(), within);
    }

    /// Returns when the claim may be sent again, as far as it is concerned itself.
    fn snooze(&mut self, snooze: Snooze, claim: &mut Claim, sent: &SentCall) -> Result<Timestamp> {
        let now = self.clock.now();
        match snooze {
            Snooze::Token => self.token_refused(sent.token_generation),
            Snooze::Lockout => self.locked_out(sent)?,
            Snooze::Overload => {
                let pause = Duration::from_millis(self.chance.u64(200..1000));
                return Ok(now.plus(pause));
            }
            Snooze::WithoutTicket => claim.put_on_trial(),
        }
        Ok(now)
    }

    /// A refusal may be explained by nothing but a counter that both lanes share.
    fn learn_shared_counter(&mut self, sent: &SentCall) {
        let now = self.clock.now();
        let Some(other) = self
            .other
            .as_mut()
            .filter(|_| sent.kind == CallKind::Standard)
        else {
            return;
        };
        let account = self.lane.gate.account_mut();
        if account.shares_counter_with(other.gate.account_mut(), now) {
            self.lane.pending.commit_at_once(now);
            self.reports.report(&RunEvent::CounterShared);
        }
    }

    fn locked_out(&mut self, sent: &SentCall) -> Result<()> {
        self.blame_ticket(sent)?;
        self.learn_shared_counter(sent);
        let imposed = self.lane.gate.locked_out(QuotaRefusal {
            sent: sent.at,
            kind: sent.kind,
            now: self.clock.now(),
            remote: self.clock.remote_now(),
            jitter: self.chance.f64(),
        });
        if let Some(lockout) = imposed {
            // The lockout must be on disk before anything else happens.
            self.lane.pending.commit_at_once(self.clock.now());
            self.tell(RunEvent::LockedOut {
                level: lockout.level,
                until: self.clock.to_wall_time(lockout.until),
                elsewhere: self.lane.gate.account().is_used_elsewhere(),
            });
        }
        Ok(())
    }
}
