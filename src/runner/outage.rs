//! An outage: the service is out of order or cannot be reached, so nothing is sent but one probe
//! at a time, 1 s, 2 s, 4 s … 60 s apart. Subjects lose no attempt.

use std::time::Duration;

use super::service::SUBJECTS;
use crate::{
    clock::Timestamp,
    model::Failure,
    quota::{Hold, HoldReason, Trouble},
};

/// Tries before a run that never reached the API gives up.
const FIRST_TRIES: u32 = 6;
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// How long an outage is waited for in the retry pass, all subjects of which have failed while others
/// were answered.
const PATIENCE_WITH_PARKED: Duration = Duration::from_secs(120);
/// The same where fewer than eight subjects are left: it may be these that the service cannot bear,
/// and there is nobody else to tell by.
const PATIENCE_WITH_FEW: Duration = Duration::from_secs(600);
/// The same for up to [`SOME`] subjects.
const PATIENCE_WITH_SOME: Duration = Duration::from_secs(6 * 3600);
/// As many as may be in flight.
const SOME: usize = 64;

/// One call that the service failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedCall {
    pub(super) failure: Failure,
    /// Whether it was a lookup, not a fetch of a token.
    pub(super) is_lookup: bool,
    /// When it was sent, in ledger time.
    pub(super) sent: Timestamp,
    /// When it failed, in ledger time.
    pub(super) now: Timestamp,
    /// When the first of the failures in a row came, in wall time.
    pub(super) since: Timestamp,
    /// Between 0 and 1.
    pub(super) chance: f64,
}

/// Whether the service works, as far as that holds a run.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// What is wrong; `None` outside of an outage.
    trouble: Option<Trouble>,
    /// When the outage began, in ledger time.
    began: Timestamp,
    /// Whether it began with a lookup, not with a fetch of a token.
    is_of_lookups: bool,
    tries: u32,
    until: Timestamp,
    ever_reached: bool,
    /// It was waited for long enough: no other begins before the service answers.
    given_up: bool,
}

impl Outage {
    /// The failure of a call begins or prolongs an outage. Calls sent before the outage was known
    /// belong to it. Returns when the next probe is, if this is news.
    pub(super) fn failed(&mut self, call: &FailedCall) -> Option<(Trouble, Timestamp)> {
        if self.trouble.is_some() && call.sent < self.until {
            return None;
        }
        if self.trouble.is_none() {
            (self.began, self.is_of_lookups) = (call.now, call.is_lookup);
        }
        let trouble = Trouble {
            failure: call.failure,
            since: self.trouble.map_or(call.since, |trouble| trouble.since),
        };
        self.trouble = Some(trouble);
        // What a probe took to fail is part of the pause.
        let spaced = call.sent.plus(self.pause(call));
        self.until = spaced.max(call.now.plus(SHORTEST));
        self.tries += 1;
        Some((trouble, self.until))
    }

    /// The pause after a failure, a tenth of it left to chance. A `Retry-After` is kept up to a
    /// minute: a service that is well again sooner than it said is noticed within one.
    fn pause(&self, call: &FailedCall) -> Duration {
        let doubled = SHORTEST.saturating_mul(1 << self.tries.min(6)).min(LONGEST);
        let pause = doubled.mul_f64(0.9 + 0.1 * call.chance).max(SHORTEST);
        match call.failure {
            Failure::RetryAfter(_, asked) => asked.min(LONGEST).max(pause),
            _ => pause,
        }
    }

    /// The service answered a call sent at `sent`. Returns whether an outage ends with it. An answer
    /// to a call of before the outage, or to a fetch of a token while lookups fail, does not end it.
    pub(super) fn reached(&mut self, sent: Timestamp, is_lookup: bool) -> bool {
        self.ever_reached = true;
        self.given_up &= !is_lookup;
        let Some(trouble) = self.trouble else {
            return false;
        };
        let no_connection = matches!(trouble.failure, Failure::Connect(_));
        let ends = no_connection || (sent >= self.began && (is_lookup || !self.is_of_lookups));
        if ends {
            self.end();
        }
        ends
    }

    const fn end(&mut self) {
        (self.trouble, self.tries) = (None, 0);
    }

    /// Whether there is an outage.
    pub(super) const fn is_on(&self) -> bool {
        self.trouble.is_some()
    }

    /// Never reached in this run, and tried often enough.
    pub(super) fn is_hopeless(&self) -> bool {
        let failure = self.trouble.map(|trouble| trouble.failure);
        let no_connection = matches!(failure, Some(Failure::Connect(_)));
        no_connection && !self.ever_reached && self.tries >= FIRST_TRIES
    }

    /// Whether failing calls are not waited for any more, with so many subjects `left`. That there
    /// is no connection is no subject's fault, and is always waited for.
    pub(super) fn gives_up(&mut self, now: Timestamp, left: usize, is_first_pass: bool) -> bool {
        let patience = if !is_first_pass {
            PATIENCE_WITH_PARKED
        } else if left < SUBJECTS {
            PATIENCE_WITH_FEW
        } else if left <= SOME {
            PATIENCE_WITH_SOME
        } else {
            return false;
        };
        let outlasted = |trouble: Trouble| {
            !matches!(trouble.failure, Failure::Connect(_)) && now.since(self.began) >= patience
        };
        if self.trouble.is_some_and(outlasted) {
            self.given_up = true;
            self.end();
        }
        self.given_up
    }

    /// # Errors
    ///
    /// The hold until the next probe, and then until it has completed.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        match self.trouble {
            None => Ok(()),
            Some(trouble) => {
                Hold::one_probe(now, self.until, in_flight, HoldReason::Outage(trouble))
            }
        }
    }
}
