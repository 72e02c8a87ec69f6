//! What completed: verdicts become decisions, decisions become outcomes or claims put back.

use std::time::Duration;

use super::Runner;
use crate::{
    clock::Timestamp,
    model::{Outcome, State},
    quota::CallKind,
    runner::{
        calls::{CompletedCall, Completion, SentCall},
        decide::{Attempt, Decision, Snooze, decide, halt},
        event::{RunEvent, StopReason},
        queue::Claim,
        tokens::TokenError,
    },
    store::{Result, Settled},
    wecom::{CallError, Token, Verdict, errcode::Class, transport::Failure, wire},
};

impl Runner<'_> {
    /// Works off everything that has completed since the last turn.
    pub(super) fn work_off_completed(&mut self) -> Result<()> {
        for completion in self.calls.take_completed() {
            match completion {
                Completion::Token(at, fetched) => self.token_completed(at, fetched),
                Completion::Call(call) => self.call_completed(*call)?,
            }
        }
        Ok(())
    }

    fn call_completed(&mut self, call: CompletedCall) -> Result<()> {
        let CompletedCall {
            claim,
            sent,
            verdict,
        } = call;
        self.gate.completed(self.clock.now(), sent.kind);
        self.calls.done(claim.subject.id);
        self.observe(&verdict, sent);
        let with_ticket = sent.kind == CallKind::WithTicket;
        let attempt = Attempt {
            attempt: claim.attempt,
            last: claim.last_attempt(),
            ticketed: with_ticket,
        };
        let answered = matches!(verdict, Verdict::Answered(_));
        let decision = decide(verdict, attempt, self.chance.f64());
        let is_done = matches!(decision, Decision::Settle(_) | Decision::Halt(_));
        if is_done && claim.is_on_trial() && self.trial.subject_done(answered) {
            self.ticket_is_dead()?;
        }
        if answered && with_ticket && self.trial.answered_with_ticket(sent.at) {
            self.park_those_on_trial();
        }
        self.apply(decision, claim, sent);
        Ok(())
    }

    /// What a reply says about connection, overload, lockout and token, whichever subject it was
    /// about.
    fn observe(&mut self, verdict: &Verdict, sent: SentCall) {
        let class = match verdict {
            Verdict::Failed(Failure::Timeout(_)) => return self.overloaded(),
            Verdict::Failed(_) => return,
            Verdict::Answered(_) => None,
            Verdict::Refused(refusal) => Some(refusal.class),
        };
        if self.health.reached() {
            self.reports.report(&RunEvent::Reconnected);
        }
        match class {
            Some(Class::Wait) => {}
            // A remote that looks at the token, or at the calls in flight, first has not said that
            // a lockout is over.
            Some(Class::Slow) => self.overloaded(),
            Some(Class::Token) => {}
            _ => {
                if self.gate.admitted(sent.at) {
                    self.reports.report(&RunEvent::LockoutEnded);
                }
                self.gate.answered(self.calls.lookups());
                self.tokens.works(sent.token_generation);
            }
        }
    }

    fn overloaded(&mut self) {
        let (now, in_flight) = (self.clock.now(), self.calls.lookups());
        if let Some(calls) = self.gate.overloaded(now, in_flight) {
            self.reports.report(&RunEvent::ConcurrencyReduced { calls });
        }
    }

    fn apply(&mut self, decision: Decision, mut claim: Claim, sent: SentCall) {
        let now = self.clock.now();
        match decision {
            Decision::Settle(outcome) => self.settle(&claim, outcome),
            Decision::Retry(after) => {
                claim.attempt += 1;
                self.queue.put_back(claim, now.plus(after));
            }
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
        // The retry pass is of subjects that have failed before: their share says nothing.
        if self.queue.is_first_pass()
            && let Some(trip) = self.health.note(&outcome)
        {
            self.stop(StopReason::Breaker(trip));
        }
        let settled = Settled {
            subject: claim.subject.id,
            was: claim.was,
            outcome,
            at: self.clock.wall_now(),
        };
        let within = self.options.commit_policy.settle_after;
        self.pending.settle(settled, self.clock.now(), within);
    }

    /// Returns when the claim may be sent again, as far as it is concerned itself.
    fn snooze(&mut self, snooze: Snooze, claim: &mut Claim, sent: SentCall) -> Timestamp {
        let now = self.clock.now();
        match snooze {
            Snooze::Token => {
                if self.tokens.refused(sent.token_generation) {
                    self.stop(StopReason::TokensRefused);
                }
            }
            Snooze::Block => self.locked_out(sent),
            Snooze::Narrow => {
                let pause = Duration::from_millis(self.chance.u64(200..1000));
                return now.plus(pause);
            }
            Snooze::WithoutTicket(errcode) => {
                self.gate.charge_business_too(now);
                claim.put_on_trial(errcode);
                self.trial.doubt(sent.at, now);
            }
            Snooze::Outage(why) => self.unreachable(sent.at, Failure::Connect(why)),
        }
        now
    }

    fn locked_out(&mut self, sent: SentCall) {
        let jitter = self.chance.f64();
        let ledger_clock = self.clock.ledger();
        let imposed = self
            .gate
            .locked_out(sent.at, sent.kind, ledger_clock, jitter);
        if let Some(lockout) = imposed {
            // The lockout must be on disk before anything else happens.
            self.pending.commit_at_once(self.clock.now());
            self.reports.report(&RunEvent::LockedOut {
                rung: lockout.rung,
                until: self.clock.to_wall_time(lockout.until),
            });
        }
    }

    fn unreachable(&mut self, sent: Timestamp, failure: Failure) {
        let Some(until) = self.health.unreachable(sent, self.clock.now()) else {
            return;
        };
        if self.health.is_hopeless() {
            self.stop(StopReason::Unreachable(failure));
        } else {
            let until = self.clock.to_wall_time(until);
            self.reports
                .report(&RunEvent::Unreachable { failure, until });
        }
    }

    fn ticket_is_dead(&mut self) -> Result<()> {
        self.job.store.tickets().mark_dead(self.clock.wall_now())?;
        self.reports.report(&RunEvent::TicketRejected);
        Ok(())
    }

    /// The ticket works: what the subjects on trial met is their own.
    fn park_those_on_trial(&mut self) {
        for claim in self.queue.take_all_on_trial() {
            let outcome = Outcome {
                state: State::Parked,
                errcode: claim.refused_with_ticket,
                attempts: claim.attempt,
                links: Vec::new(),
            };
            self.settle(&claim, outcome);
        }
    }

    fn token_completed(&mut self, sent: Timestamp, fetched: std::result::Result<Token, CallError>) {
        let reached = !matches!(fetched, Err(CallError::Failed(_)));
        if reached && self.health.reached() {
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
            TokenError::Outage(failure) => self.unreachable(sent, failure),
            TokenError::GiveUp(failure) => self.stop(StopReason::Unreachable(failure)),
            TokenError::Refused(refusal) => {
                self.stop(StopReason::Refused(halt(*refusal, wire::GETTOKEN)));
            }
        }
    }
}
