//! Whether the service works and the input is plausible: what may hold or stop a run beside
//! quotas.

use super::{
    breaker::Breaker,
    event::BreakerTrip,
    outage::{FailedCall, Outage},
    service::ServiceWatch,
};
use crate::{
    clock::Timestamp,
    model::{Failure, Outcome, SubjectId},
    quota::{Hold, Trouble},
};

/// Failures in a row that no waiting mends, before the run ends.
const PERMANENT: usize = 5;

/// The subject whose lookup failed, and who else there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct FailedSubject {
    pub(super) id: SubjectId,
    /// When a call about it failed before, in ledger time.
    pub(super) failed_before: Option<Timestamp>,
    /// Subjects that are left to ask, this one included.
    pub(super) left: usize,
    pub(super) is_first_pass: bool,
}

/// What a failed lookup is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Trouble of the service: the subject is not affected.
    Service,
    /// Others are answered: an attempt of the subject is used up.
    Subject,
    /// The service fails for so long that the few subjects that are left may be the reason.
    Hopeless,
    /// What is called is not the API.
    NotTheApi,
}

/// Service, outage and circuit breaker of a run.
pub(super) struct Health {
    service: ServiceWatch,
    outage: Outage,
    breaker: Breaker,
    /// Failures in a row that waiting does not mend.
    permanent: usize,
    /// When the first failure after the last answer came, in wall time.
    failing_since: Option<Timestamp>,
}

impl Health {
    /// `error_budget`: the share of errors among the last answers that is tolerated, 0 to 1.
    pub(super) fn new(error_budget: f64) -> Self {
        Self {
            service: ServiceWatch::default(),
            outage: Outage::default(),
            breaker: Breaker::new(error_budget),
            permanent: 0,
            failing_since: None,
        }
    }

    /// # Errors
    ///
    /// The hold of an outage.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        self.outage.check(now, in_flight)
    }

    /// The service answered a fetch of a token sent at `sent`. Returns whether an outage ends.
    pub(super) fn token_answered(&mut self, sent: Timestamp) -> bool {
        let ends = self.outage.reached(sent, false);
        self.settle_down();
        ends
    }

    /// The service answered a lookup of `subject`, sent at `sent`. Returns whether an outage ends.
    pub(super) fn answered(&mut self, subject: SubjectId, sent: Timestamp, now: Timestamp) -> bool {
        self.service.answered(subject, now);
        self.permanent = 0;
        let ends = self.outage.reached(sent, true);
        self.settle_down();
        ends
    }

    fn settle_down(&mut self) {
        if !self.outage.is_on() {
            self.failing_since = None;
        }
    }

    /// When the failures in a row began, in wall time, if another comes at `wall`.
    pub(super) fn failing_since(&mut self, wall: Timestamp) -> Timestamp {
        *self.failing_since.get_or_insert(wall)
    }

    /// A call did not come through, whichever subject it was about. Returns what is wrong and when
    /// the next probe is, if this is news.
    pub(super) fn unreachable(&mut self, call: &FailedCall) -> Option<(Trouble, Timestamp)> {
        self.outage.failed(call)
    }

    /// Judges a failed lookup, and begins an outage if nobody is answered any more; see
    /// [`unreachable`](Self::unreachable) for what is returned beside the judgement.
    pub(super) fn judge(
        &mut self,
        call: &FailedCall,
        subject: &FailedSubject,
    ) -> (Judgement, Option<(Trouble, Timestamp)>) {
        self.permanent = match call.failure.is_permanent() {
            true => self.permanent + 1,
            false => 0,
        };
        if let Failure::Connect(_) = call.failure {
            let judgement = match self.permanent >= PERMANENT {
                true => Judgement::NotTheApi,
                false => Judgement::Service,
            };
            return (judgement, self.outage.failed(call));
        }
        self.service.failed(subject.id);
        if self.permanent >= PERMANENT && self.service.failed_subjects() >= PERMANENT {
            return (Judgement::NotTheApi, None);
        }
        if self
            .outage
            .gives_up(call.now, subject.left, subject.is_first_pass)
        {
            return (Judgement::Hopeless, None);
        }
        let before = subject.failed_before;
        if before.is_some_and(|before| self.service.works_for_others(subject.id, before)) {
            return (Judgement::Subject, None);
        }
        let asks_for_a_pause = matches!(call.failure, Failure::RetryAfter(..));
        let begins = asks_for_a_pause || self.service.is_out_of_order(subject.left);
        let news = (begins || self.outage.is_on()).then(|| self.outage.failed(call));
        (Judgement::Service, news.flatten())
    }

    /// Whether an outage holds the run.
    pub(super) const fn is_out_of_order(&self) -> bool {
        self.outage.is_on()
    }

    /// Whether the API was never reached in this run, and tried often enough.
    pub(super) fn is_hopeless(&self) -> bool {
        self.outage.is_hopeless()
    }

    /// Notes an outcome. Returns the trip if that was one error too many.
    pub(super) fn note(&mut self, outcome: &Outcome) -> Option<BreakerTrip> {
        self.breaker.note(outcome)
    }
}
