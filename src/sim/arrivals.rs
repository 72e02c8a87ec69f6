//! When calls arrive, by the remote's own clock.

use std::time::Duration;

use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    wecom::transport::Request,
};

/// A call on its way that its sender has given up; its reply goes nowhere.
pub(super) struct AbandonedCall {
    pub(super) arrives: Timestamp,
    pub(super) request: Request,
    /// From arrival to answer.
    pub(super) back: Duration,
}

/// The time of arrivals, which never runs backwards.
pub(super) struct Arrivals {
    clock: LedgerClock,
    latest: Timestamp,
    /// Sorted by arrival.
    abandoned: Vec<AbandonedCall>,
}

impl Arrivals {
    pub(super) fn new(clock: Clock) -> Self {
        let clock = LedgerClock::resume(clock, None);
        Self {
            latest: clock.now(),
            clock,
            abandoned: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the present, or the latest arrival if that is later.
    pub(super) fn latest(&self) -> Timestamp {
        self.latest.max(self.now())
    }

    /// Returns when a call arrives that is said to arrive at `now`: not before an earlier one.
    pub(super) fn arrive(&mut self, now: Timestamp) -> Timestamp {
        self.latest = self.latest.max(now);
        self.latest
    }

    /// Adds an abandoned call that arrives in `left` from now.
    pub(super) fn abandon(&mut self, request: Request, left: Duration, back: Duration) {
        let arrives = self.now().plus(left);
        let place = self
            .abandoned
            .partition_point(|call| call.arrives <= arrives);
        let call = AbandonedCall {
            arrives,
            request,
            back,
        };
        self.abandoned.insert(place, call);
    }

    /// Takes the abandoned calls that have arrived by `now`.
    pub(super) fn take_abandoned(&mut self, now: Timestamp) -> Vec<AbandonedCall> {
        let due = self.abandoned.partition_point(|call| call.arrives <= now);
        self.abandoned.drain(..due).collect()
    }
}
