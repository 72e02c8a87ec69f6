//! What to do about a verdict: settle, ask again, ask later, or stop.
//!
//! One exhaustive match, and the only place that decides it. *Later* (snooze) costs no attempt, a
//! failure of the service usually none either (`health` judges), and some things end.

use std::time::Duration;

use super::event::FatalRefusal;
use crate::{
    clock::Timestamp,
    model::{Api, Failure, Outcome, State},
    quota::CallKind,
    wecom::{
        Answer, Refusal, Verdict,
        errcode::{Class, lookup},
    },
};

/// Attempts a subject gets before it is parked, while others are answered. The page of −1 allows
/// no more (D90313).
pub const ATTEMPTS: u8 = 3;

/// The longest backoff.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// How a lookup was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentCall {
    /// When, in ledger time.
    pub at: Timestamp,
    /// What it was charged as.
    pub kind: CallKind,
    /// The number of the token it was sent with.
    pub token_generation: u32,
    /// Which attempt of its subject it is; 1 is the first.
    pub attempt: u8,
    /// The last attempt that its subject gets.
    pub last_attempt: u8,
}

/// What to do.
#[derive(Debug)]
pub enum Decision {
    /// Commit this outcome.
    Settle(Outcome),
    /// The service failed; nothing was learnt about the subject.
    Failed(Failure),
    /// Ask later; no attempt is used up.
    Snooze(Snooze),
    /// End the run.
    Halt(Box<FatalRefusal>),
}

/// Why a subject goes back in the queue unharmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snooze {
    /// The token was refused: fetch another.
    Token,
    /// The API is locked: 45009.
    Lockout,
    /// Too many calls in flight: 45033.
    Overload,
    /// A refusal of which the ticket may be the reason: ask again without it.
    WithoutTicket,
}

/// Decides what to do about the verdict on a call of `api` that was `sent`.
#[must_use]
pub fn decide(api: Api, verdict: Verdict, sent: &SentCall) -> Decision {
    match verdict {
        Verdict::Answered(Answer::Links(links)) => Decision::Settle(Outcome {
            state: if links.is_empty() {
                State::Unlinked
            } else {
                State::Linked
            },
            errcode: Some(0),
            attempts: sent.attempt,
            links,
            pending_id: None,
        }),
        Verdict::Answered(Answer::PendingId(id)) => Decision::Settle(Outcome {
            state: State::Unlinked,
            errcode: Some(0),
            attempts: sent.attempt,
            links: Vec::new(),
            pending_id: Some(id),
        }),
        Verdict::Failed(failure) => Decision::Failed(failure),
        Verdict::Refused(refusal) => refused(api, refusal, sent),
    }
}

fn refused(api: Api, refusal: Refusal, sent: &SentCall) -> Decision {
    let errcode = Some(refusal.errcode);
    match refusal.class {
        Class::Retry => Decision::Failed(Failure::Busy(refusal.errcode)),
        Class::Token => Decision::Snooze(Snooze::Token),
        Class::Wait => Decision::Snooze(Snooze::Lockout),
        Class::Slow => Decision::Snooze(Snooze::Overload),
        Class::Subject | Class::Source | Class::Downstream => {
            settle(State::Rejected, errcode, sent)
        }
        Class::Stop | Class::Bug => Decision::Halt(Box::new(halt(refusal, api.name()))),
        Class::Unlisted => settle(State::Parked, errcode, sent),
    }
}

/// Returns the refusal that ends the run; `call` is the path of what was called, or its last part.
#[must_use]
pub fn halt(refusal: Refusal, call: &'static str) -> FatalRefusal {
    FatalRefusal {
        entry: lookup(refusal.errcode),
        errcode: refusal.errcode,
        errmsg: refusal.errmsg,
        bug: refusal.class == Class::Bug,
        remembered: None,
        call: call.rsplit('/').next().unwrap_or(call),
    }
}

fn settle(state: State, errcode: Option<i64>, sent: &SentCall) -> Decision {
    Decision::Settle(Outcome {
        state,
        errcode,
        attempts: sent.attempt,
        links: Vec::new(),
        pending_id: None,
    })
}

/// Exponential with full jitter: anything from nothing to 1 s, 2 s, 4 s … 30 s.
#[must_use]
pub fn backoff(attempt: u8, chance: f64) -> Duration {
    let most = Duration::from_secs(1 << attempt.saturating_sub(1).min(8)).min(LONGEST_BACKOFF);
    most.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Link;

    const FIRST: SentCall = SentCall {
        at: Timestamp::from_millis(0),
        kind: CallKind::Standard,
        token_generation: 1,
        attempt: 1,
        last_attempt: ATTEMPTS,
    };
    const LAST: SentCall = SentCall {
        attempt: 3,
        ..FIRST
    };

    /// What a decision is, in a word.
    fn word(verdict: Verdict, sent: &SentCall) -> String {
        match decide(Api::Lookup, verdict, sent) {
            Decision::Settle(outcome) => {
                format!("{} {:?}", outcome.state, outcome.errcode)
            }
            Decision::Failed(failure) => format!("failed: {failure}"),
            Decision::Snooze(snooze) => format!("{snooze:?}"),
            Decision::Halt(halt) => format!("halt {}", halt.errcode),
        }
    }

    fn refused(errcode: i64, class: Class) -> Verdict {
        let errmsg = String::new();
        Verdict::Refused(Refusal {
            errcode,
            class,
            errmsg,
        })
    }

    #[test]
    fn every_class_at_every_attempt() {
        use Class::*;
        let table = [
            (-1, Retry, FIRST, "failed: errcode -1"),
            (-1, Retry, LAST, "failed: errcode -1"),
            (42001, Token, LAST, "Token"),
            (45009, Wait, LAST, "Lockout"),
            (45033, Slow, LAST, "Overload"),
            (610014, Subject, FIRST, "rejected Some(610014)"),
            (845003, Source, FIRST, "rejected Some(845003)"),
            (670004, Downstream, FIRST, "rejected Some(670004)"),
            (60020, Stop, FIRST, "halt 60020"),
            (41001, Bug, LAST, "halt 41001"),
            (999, Unlisted, FIRST, "parked Some(999)"),
        ];
        for (errcode, class, sent, expected) in table {
            assert_eq!(word(refused(errcode, class), &sent), expected);
        }
    }

    #[test]
    fn answers_and_failures() {
        let link = Link {
            corpid: "wp1".into(),
            external_userid: "wm1".into(),
        };
        let links = |links| Verdict::Answered(Answer::Links(links));
        assert_eq!(word(links(vec![link]), &FIRST), "linked Some(0)");
        assert_eq!(word(links(vec![]), &LAST), "unlinked Some(0)");
        let failed = Verdict::Failed(Failure::Status(502));
        assert_eq!(word(failed, &LAST), "failed: HTTP 502");
    }

    #[test]
    fn backoff_grows_to_half_a_minute() {
        let longest = |attempt| backoff(attempt, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 200].map(longest), [1, 2, 4, 30, 30]);
        assert_eq!(backoff(3, 0.0), Duration::ZERO);
    }
}
