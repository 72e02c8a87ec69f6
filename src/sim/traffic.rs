//! The calls of one API that passed the rate limiter.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::clock::Timestamp;

/// Counts of one API that the rate limiter does not keep.
#[derive(Default)]
pub(super) struct EndpointTraffic {
    pub(super) in_flight: CallsInFlight,
    /// Calls answered with errcode 0.
    pub(super) answered: u64,
    /// Calls refused with 45033.
    pub(super) refused_45033: u64,
}

/// Calls that have arrived and are not answered yet.
#[derive(Default)]
pub(super) struct CallsInFlight {
    /// When each of them is answered. That time is known on arrival, so no event ends a call.
    answered_at: BinaryHeap<Reverse<Timestamp>>,
    /// The most calls at once.
    pub(super) peak: u64,
}

impl CallsInFlight {
    /// Adds a call that arrives at `now` and is answered at `answered_at`; returns `false`, and
    /// adds nothing, if `limit` calls are in flight already.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        answered_at: Timestamp,
        limit: Option<u32>,
    ) -> bool {
        let earliest = |heap: &BinaryHeap<Reverse<Timestamp>>| heap.peek().map(|first| first.0);
        while earliest(&self.answered_at).is_some_and(|at| at <= now) {
            self.answered_at.pop();
        }
        let in_flight = self.answered_at.len();
        let is_free = limit.is_none_or(|limit| in_flight < limit as usize);
        if is_free {
            self.peak = self.peak.max(in_flight as u64 + 1);
            if answered_at > now {
                self.answered_at.push(Reverse(answered_at));
            }
        }
        is_free
    }
}
