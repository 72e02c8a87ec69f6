//! One subject on its way through its attempts.

use super::decide::SentCall;
use crate::{
    clock::Timestamp,
    model::{Outcome, State, Subject, SubjectId},
    quota::CallKind,
    store::Settled,
};

/// A subject, and what happened to it in this run.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) subject: Subject,
    /// Its state on disk.
    pub(super) was: State,
    /// The attempt that comes next; 1 is the first.
    pub(super) attempt: u8,
    pub(super) last_attempt: u8,
    /// It is asked without the ticket, to try the ticket.
    pub(super) is_on_trial: bool,
    /// It was refused with a ticket that works for others.
    pub(super) was_on_trial: bool,
    /// Calls about it that the service failed, and when the last did.
    pub(super) failures: u8,
    pub(super) failed_at: Option<Timestamp>,
    /// When it may be sent.
    pub(super) due: Timestamp,
}

impl Claim {
    pub(super) const fn id(&self) -> SubjectId {
        self.subject.id
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns how its next attempt is sent.
    pub(super) const fn sent(
        &self,
        at: Timestamp,
        kind: CallKind,
        token_generation: u32,
    ) -> SentCall {
        SentCall {
            at,
            kind,
            token_generation,
            attempt: self.attempt,
            last_attempt: self.last_attempt,
        }
    }

    /// When a call about it failed before; long ago for one that was parked.
    pub(super) const fn failed_at(&self) -> Option<Timestamp> {
        self.failed_at
    }

    /// The service failed a call about it. Returns how many it has failed by now.
    pub(super) const fn fail(&mut self, now: Timestamp) -> u8 {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        self.failures
    }

    /// The service failed a call about it while others were answered: an attempt is used up. The
    /// failure before this one is held against it from now on. Returns whether any are left.
    pub(super) fn count_attempt(&mut self, last_attempt: u8) -> bool {
        self.attempt = (self.attempt + 1).min(last_attempt);
        self.attempt < last_attempt
    }

    /// It was refused on a call with the ticket.
    pub(super) const fn put_on_trial(&mut self) {
        self.is_on_trial = true;
    }

    /// The trial is over: it is asked as others are.
    pub(super) const fn end_trial(&mut self) {
        self.is_on_trial = false;
        self.was_on_trial = true;
    }

    /// Whether it is asked without the ticket to try the ticket.
    pub(super) const fn is_on_trial(&self) -> bool {
        self.is_on_trial
    }

    /// Whether it was refused with a ticket, and the trial is over.
    pub(super) const fn was_on_trial(&self) -> bool {
        self.was_on_trial
    }

    /// Returns the outcome of one that is given up; `None` if no reply could be read.
    pub(super) const fn parked_with(&self, errcode: Option<i64>) -> Outcome {
        Outcome {
            state: State::Parked,
            errcode,
            attempts: self.attempt,
            links: Vec::new(),
            pending_id: None,
        }
    }

    /// Returns its answer, to be committed; `at` is wall time.
    pub(super) const fn settled(&self, outcome: Outcome, at: Timestamp) -> Settled {
        Settled {
            subject: self.subject.id,
            was: self.was,
            outcome,
            at,
        }
    }
}
