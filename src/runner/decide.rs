//! What to do about a verdict: settle, ask again, ask later, or stop.
//!
//! One exhaustive match, and the only place that decides it. *Later* (snooze) costs no attempt,
//! *again* (retry) does, and some things end.

use std::time::Duration;

use super::event::FatalRefusal;
use crate::{
    model::{Outcome, State},
    wecom::{
        Refusal, Verdict,
        errcode::{Class, lookup},
        transport::{Failure, NoConnection},
        wire,
    },
};

/// Attempts a subject gets before it is parked. The page of −1 allows no more (D90313).
pub const ATTEMPTS: u8 = 3;

/// The longest backoff.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What is known of the call that a verdict answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The attempt that this verdict answers; 1 is the first.
    pub attempt: u8,
    /// The last attempt there is.
    pub last: u8,
    /// Whether the call carried a ticket.
    pub ticketed: bool,
}

/// What to do.
#[derive(Debug)]
pub enum Decision {
    /// Commit this outcome.
    Settle(Outcome),
    /// Ask again after this long; an attempt is used up.
    Retry(Duration),
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
    Block,
    /// Too many calls in flight: 45033.
    Narrow,
    /// An unlisted code on a call with a ticket: ask once without it.
    WithoutTicket(i64),
    /// No connection came about: nothing was sent.
    Outage(NoConnection),
}

/// Decides. `chance` is between 0 and 1.
#[must_use]
pub fn decide(verdict: Verdict, tried: Attempt, chance: f64) -> Decision {
    match verdict {
        Verdict::Answered(links) => Decision::Settle(Outcome {
            state: if links.is_empty() {
                State::Unlinked
            } else {
                State::Linked
            },
            errcode: Some(0),
            attempts: tried.attempt,
            links,
        }),
        Verdict::Failed(Failure::Connect(why)) => Decision::Snooze(Snooze::Outage(why)),
        Verdict::Failed(_) => again(None, tried, chance),
        Verdict::Refused(refusal) => refused(refusal, tried, chance),
    }
}

fn refused(refusal: Refusal, tried: Attempt, chance: f64) -> Decision {
    let errcode = Some(refusal.errcode);
    match refusal.class {
        Class::Retry => again(errcode, tried, chance),
        Class::Token => Decision::Snooze(Snooze::Token),
        Class::Wait => Decision::Snooze(Snooze::Block),
        Class::Slow => Decision::Snooze(Snooze::Narrow),
        Class::Subject | Class::Source | Class::Downstream => {
            settle(State::Rejected, errcode, tried)
        }
        Class::Stop | Class::Bug => {
            Decision::Halt(Box::new(halt(refusal, wire::UNIONID_TO_EXTERNAL_USERID)))
        }
        Class::Unlisted if tried.ticketed => {
            Decision::Snooze(Snooze::WithoutTicket(refusal.errcode))
        }
        Class::Unlisted => settle(State::Parked, errcode, tried),
    }
}

/// The refusal of `call` that ends the run.
#[must_use]
pub fn halt(refusal: Refusal, call: &'static str) -> FatalRefusal {
    FatalRefusal {
        entry: lookup(refusal.errcode),
        errcode: refusal.errcode,
        errmsg: refusal.errmsg,
        bug: refusal.class == Class::Bug,
        call: call.rsplit('/').next().unwrap_or(call),
    }
}

fn again(errcode: Option<i64>, tried: Attempt, chance: f64) -> Decision {
    if tried.attempt < tried.last {
        Decision::Retry(backoff(tried.attempt, chance))
    } else {
        settle(State::Parked, errcode, tried)
    }
}

fn settle(state: State, errcode: Option<i64>, tried: Attempt) -> Decision {
    Decision::Settle(Outcome {
        state,
        errcode,
        attempts: tried.attempt,
        links: Vec::new(),
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

    const FIRST: Attempt = Attempt {
        attempt: 1,
        last: ATTEMPTS,
        ticketed: false,
    };
    const LAST: Attempt = Attempt {
        attempt: 3,
        ..FIRST
    };
    const TICKETED: Attempt = Attempt {
        ticketed: true,
        ..FIRST
    };

    /// What a decision is, in a word.
    fn word(verdict: Verdict, tried: Attempt) -> String {
        match decide(verdict, tried, 0.5) {
            Decision::Settle(outcome) => {
                format!("{} {:?}", outcome.state, outcome.errcode)
            }
            Decision::Retry(after) => format!("retry {} ms", after.as_millis()),
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
            (-1, Retry, FIRST, "retry 500 ms"),
            (-1, Retry, LAST, "parked Some(-1)"),
            (42001, Token, LAST, "Token"),
            (45009, Wait, LAST, "Block"),
            (45033, Slow, LAST, "Narrow"),
            (610014, Subject, FIRST, "rejected Some(610014)"),
            (845003, Source, FIRST, "rejected Some(845003)"),
            (670004, Downstream, FIRST, "rejected Some(670004)"),
            (60020, Stop, FIRST, "halt 60020"),
            (41001, Bug, LAST, "halt 41001"),
            (999, Unlisted, FIRST, "parked Some(999)"),
            (999, Unlisted, TICKETED, "WithoutTicket(999)"),
        ];
        for (errcode, class, tried, expected) in table {
            assert_eq!(word(refused(errcode, class), tried), expected);
        }
    }

    #[test]
    fn answers_and_failures() {
        let link = Link {
            corpid: "wp1".into(),
            external_userid: "wm1".into(),
        };
        assert_eq!(word(Verdict::Answered(vec![link]), FIRST), "linked Some(0)");
        assert_eq!(word(Verdict::Answered(vec![]), LAST), "unlinked Some(0)");
        let failed = Verdict::Failed;
        assert_eq!(
            word(failed(Failure::Connect(NoConnection::Dns)), LAST),
            "Outage(Dns)"
        );
        assert_eq!(word(failed(Failure::Reset), FIRST), "retry 500 ms");
        assert_eq!(word(failed(Failure::Status(502)), LAST), "parked None");
    }

    #[test]
    fn backoff_grows_to_half_a_minute() {
        let longest = |attempt| backoff(attempt, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 200].map(longest), [1, 2, 4, 30, 30]);
        assert_eq!(backoff(3, 0.0), Duration::ZERO);
    }
}
