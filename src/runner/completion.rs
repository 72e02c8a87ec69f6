//! What landed: verdicts become decisions, decisions become outcomes or claims put back.

use std::time::Duration;

use super::{
    decide::{Attempt, Decision, Snooze, decide, halt},
    event::{RunEvent, StopReason},
    queue::Claim,
    run_loop::{CompletedCall, Completion, Runner},
    tokens::TokenError,
};
use crate::{
    clock::Timestamp,
    gate::CallKind,
    model::{Outcome, State},
    store::{Result, Settled},
    wecom::{CallError, Token, Verdict, errcode::Class, transport::Failure, wire},
};

/// How a call went out.
#[derive(Clone, Copy)]
struct Flown {
    sent: Timestamp,
    fare: CallKind,
    generation: u32,
}

impl Runner<'_> {
    /// Works off everything that has landed since the last turn.
    pub(super) fn settle_landed(&mut self) -> Result<()> {
        for landed in std::mem::take(&mut self.landed) {
            match landed {
                Completion::Token(sent, fetched) => self.token_landed(sent, fetched),
                Completion::Call(landing) => self.call_landed(*landing)?,
            }
        }
        Ok(())
    }

    fn call_landed(&mut self, landing: CompletedCall) -> Result<()> {
        let CompletedCall {
            claim,
            fare,
            sent,
            generation,
            verdict,
        } = landing;
        self.gate.land(self.now, fare);
        if let Some(place) = self.airborne.iter().position(|id| *id == claim.subject.id) {
            self.airborne.swap_remove(place);
        }
        self.heed(&verdict, sent, generation);
        let tried = Attempt {
            attempt: claim.attempt,
            last: claim.last_attempt(),
            ticketed: fare == CallKind::WithTicket,
        };
        let answered = matches!(verdict, Verdict::Answered(_));
        let decision = decide(verdict, tried, self.chance.f64());
        self.clear_suspicion(&claim, answered, &decision)?;
        if answered && fare == CallKind::WithTicket {
            self.ticket_works(sent);
        }
        self.carry_out(
            decision,
            claim,
            Flown {
                sent,
                fare,
                generation,
            },
        );
        Ok(())
    }

    /// What the reply says about the line, the width, the penalty and the token, whoever it was
    /// about.
    fn heed(&mut self, verdict: &Verdict, sent: Timestamp, generation: u32) {
        let class = match verdict {
            Verdict::Failed(Failure::Timeout(_)) => return self.narrow(),
            Verdict::Failed(_) => return,
            Verdict::Answered(_) => None,
            Verdict::Refused(refusal) => Some(refusal.class),
        };
        if self.outage.reached() {
            self.tell(&RunEvent::Reconnected);
        }
        if class == Some(Class::Wait) {
            return;
        }
        // A remote that looks at the token, or at the calls in the air, first has not said that
        // the penalty is over.
        let admitted = !matches!(class, Some(Class::Token | Class::Slow));
        if self.gate.block.stands() && admitted {
            self.gate.block.lift(sent);
            if !self.gate.block.stands() {
                self.tell(&RunEvent::LockoutEnded);
            }
        }
        match class {
            Some(Class::Slow) => self.narrow(),
            Some(Class::Token) => {}
            _ => {
                self.gate.width.widen(self.airborne.len());
                self.tokens.works(generation);
            }
        }
    }

    fn narrow(&mut self) {
        if self.gate.width.narrow(self.now, self.airborne.len()) {
            let calls = self.gate.width.calls();
            self.tell(&RunEvent::ConcurrencyReduced { calls });
        }
    }

    fn carry_out(&mut self, decision: Decision, mut claim: Claim, flown: Flown) {
        match decision {
            Decision::Settle(outcome) => self.settle(&claim, outcome),
            Decision::Retry(after) => {
                claim.attempt += 1;
                self.feed.put_back(claim, self.now.plus(after));
            }
            Decision::Snooze(snooze) => {
                let due = self.snooze(snooze, &mut claim, flown);
                self.feed.put_back(claim, due);
            }
            Decision::Halt(halt) => {
                // It has no outcome: the feed keeps it, so that no watermark passes it.
                self.feed.put_back(claim, self.now);
                self.end(StopReason::Refused(*halt));
            }
        }
    }

    fn settle(&mut self, claim: &Claim, outcome: Outcome) {
        // A second try is of subjects that have failed before: their share says nothing.
        if self.feed.is_first_pass()
            && let Some(trip) = self.breaker.note(&outcome)
        {
            self.end(StopReason::Breaker(trip));
        }
        self.settled.push(Settled {
            subject: claim.subject.id,
            was: claim.was,
            outcome,
            at: self.books.to_wall_time(self.now),
        });
        let by = self.now.plus(self.options.commit_policy.settle_after);
        self.settle_by.get_or_insert(by);
    }

    /// Answers when the claim may leave again; what holds it till then is somebody else's business.
    fn snooze(&mut self, snooze: Snooze, claim: &mut Claim, flown: Flown) -> Timestamp {
        match snooze {
            Snooze::Token => {
                if self.tokens.refused(flown.generation) {
                    self.end(StopReason::TokensRefused);
                }
            }
            Snooze::Block => self.raise_block(flown),
            Snooze::Narrow => {
                let pause = Duration::from_millis(self.chance.u64(200..1000));
                return self.now.plus(pause);
            }
            Snooze::WithoutTicket(errcode) => {
                self.gate.ledger.doubt(self.now);
                claim.suspect = Some(errcode);
                self.control_refused =
                    self.suspects > 0 && (self.control_refused || flown.sent >= self.suspected);
                self.suspects += 1;
                self.suspected = self.now;
            }
            Snooze::Outage(why) => self.line_is_dead(flown.sent, Failure::Connect(why)),
        }
        self.now
    }

    fn raise_block(&mut self, Flown { sent, fare, .. }: Flown) {
        let jitter = self.chance.f64();
        let ledger = &mut self.gate.ledger;
        if self
            .gate
            .block
            .raise(sent, fare, &self.books, ledger, jitter)
        {
            let block = self.gate.block;
            let until = self.books.to_wall_time(block.until);
            // The penalty must be on disk before anything else happens.
            self.settle_by = Some(self.now);
            let rung = block.rung;
            self.tell(&RunEvent::LockedOut { rung, until });
        }
    }

    fn line_is_dead(&mut self, sent: Timestamp, failure: Failure) {
        let Some(until) = self.outage.failed(sent, self.now) else {
            return;
        };
        if self.outage.is_hopeless() {
            self.end(StopReason::Unreachable(failure));
        } else {
            let until = self.books.to_wall_time(until);
            self.tell(&RunEvent::Unreachable { failure, until });
        }
    }

    /// A subject that met an unlisted code with the ticket was asked without it: if that works, it
    /// is the ticket that does not.
    fn clear_suspicion(
        &mut self,
        claim: &Claim,
        answered: bool,
        decision: &Decision,
    ) -> Result<()> {
        if claim.suspect.is_none() || !matches!(decision, Decision::Settle(_) | Decision::Halt(_)) {
            return Ok(());
        }
        self.suspects = self.suspects.saturating_sub(1);
        if answered && self.ticket.take().is_some() {
            self.suspects = 0;
            self.store
                .mark_ticket_dead(self.books.to_wall_time(self.now))?;
            self.tell(&RunEvent::TicketRejected);
        }
        Ok(())
    }

    /// A call that left after the last suspicion was answered with the ticket: it works, so what the
    /// suspects met is their own.
    fn ticket_works(&mut self, sent: Timestamp) {
        if self.suspects == 0 || sent < self.suspected {
            return;
        }
        self.suspects = 0;
        for claim in self.feed.take_suspects() {
            let outcome = Outcome {
                state: State::Parked,
                errcode: claim.suspect,
                attempts: claim.attempt,
                links: Vec::new(),
            };
            self.settle(&claim, outcome);
        }
    }

    fn token_landed(&mut self, sent: Timestamp, fetched: std::result::Result<Token, CallError>) {
        let reached = !matches!(fetched, Err(CallError::Failed(_)));
        if reached && self.outage.reached() {
            self.tell(&RunEvent::Reconnected);
        }
        let error = match fetched {
            Ok(token) => {
                self.tokens.fetched(token, self.now);
                return self.tell(&RunEvent::TokenFetched);
            }
            Err(error) => error,
        };
        match self.tokens.failed(error, self.now, self.chance.f64()) {
            TokenError::Passing => {}
            TokenError::Outage(failure) => self.line_is_dead(sent, failure),
            TokenError::GiveUp(failure) => self.end(StopReason::Unreachable(failure)),
            TokenError::Refused(refusal) => {
                self.end(StopReason::Refused(halt(*refusal, wire::GETTOKEN)));
            }
        }
    }
}
