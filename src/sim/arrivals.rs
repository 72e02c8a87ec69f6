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
    ahead_millis: i64,
    latest: Timestamp,
    /// Sorted by arrival.
    abandoned: Vec<AbandonedCall>,
}

impl Arrivals {
    /// The remote's clock is `ahead_millis` ahead of `clock`.
    pub(super) fn new(clock: Clock, ahead_millis: i64) -> Self {
        let mut arrivals = Self {
            latest: Timestamp::default(),
            clock: LedgerClock::resume(clock, None),
            ahead_millis,
            abandoned: Vec::new(),
        };
        arrivals.latest = arrivals.now();
        arrivals
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.now().as_millis() + self.ahead_millis)
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
