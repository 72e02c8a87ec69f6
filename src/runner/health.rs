//! Whether the remote is reachable and the input plausible: what may hold or stop a run beside
//! quotas.

use super::{breaker::Breaker, event::BreakerTrip, outage::Outage};
use crate::{clock::Timestamp, model::Outcome, quota::Hold};

/// Outage and circuit breaker of a run.
pub(super) struct Health {
    outage: Outage,
    breaker: Breaker,
}

impl Health {
    /// `error_budget`: the share of errors among the last answers that is tolerated, 0 to 1.
    pub(super) fn new(error_budget: f64) -> Self {
        Self {
            outage: Outage::default(),
            breaker: Breaker::new(error_budget),
        }
    }

    /// # Errors
    ///
    /// The hold of an outage.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        self.outage.check(now, in_flight)
    }

    /// A reply came. Returns whether an outage ends with it.
    pub(super) fn reached(&mut self) -> bool {
        self.outage.reached()
    }

    /// A call sent at `sent` did not get through. Returns when the next try is, if this is news.
    pub(super) fn unreachable(&mut self, sent: Timestamp, now: Timestamp) -> Option<Timestamp> {
        self.outage.failed(sent, now)
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
