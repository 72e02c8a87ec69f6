//! One window: a sum of completed calls over slots that leave one after the other.

use std::collections::VecDeque;

use super::{
    CallCount,
    limits::{leaves, slot_of},
};
use crate::{
    clock::Timestamp,
    model::{QuotaWindow, WindowKind},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    start: Timestamp,
    leaves: Timestamp,
    calls: CallCount,
}

/// The completed calls of one window.
///
/// A charge is dated by the slot in which its call completed, and leaves one span after that slot's
/// *end*. The remote counted the call no later than it answered, so on no reading of its rules
/// (sliding or calendar) does a window there hold more than this one does.
///
/// Calls with a ticket are kept in every window. The business windows do not count them, unless
/// the ticket is in doubt.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    window: QuotaWindow,
    limit: Option<u64>,
    kind: WindowKind,
    slots: VecDeque<Slot>,
    completed: CallCount,
    counts_tickets: bool,
}

impl SlidingWindow {
    pub(super) const fn new(window: QuotaWindow, limit: Option<u64>, kind: WindowKind) -> Self {
        Self {
            window,
            limit,
            kind,
            slots: VecDeque::new(),
            completed: CallCount {
                standard: 0,
                with_ticket: 0,
            },
            counts_tickets: !window.is_business(),
        }
    }

    /// Whether a ticket is in doubt, so that calls with it count in the business windows too.
    pub(super) const fn doubt_ticket(&mut self, is_in_doubt: bool) {
        self.counts_tickets = is_in_doubt || !self.window.is_business();
    }

    /// Which window it is.
    #[must_use]
    pub const fn window(&self) -> QuotaWindow {
        self.window
    }

    /// The most calls it may hold; `None` for no limit.
    #[must_use]
    pub const fn limit(&self) -> Option<u64> {
        self.limit
    }

    pub(super) const fn set_limit(&mut self, limit: Option<u64>) {
        self.limit = limit;
    }

    /// Completed calls that had not left the window when it was last asked.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.counted(self.completed)
    }

    /// How many of `calls` the window counts.
    #[must_use]
    pub const fn counted(&self, calls: CallCount) -> u64 {
        if self.counts_tickets {
            calls.total()
        } else {
            calls.standard
        }
    }

    /// Adds `calls` that completed at `at`; returns the start of their slot.
    pub(super) fn add(&mut self, at: Timestamp, calls: CallCount) -> Timestamp {
        let start = slot_of(self.window.period(), at);
        self.slot(start).add(calls);
        self.completed.add(calls);
        start
    }

    /// Sets the calls of the slot that begins at `start`.
    pub(super) fn set(&mut self, start: Timestamp, calls: CallCount) {
        let slot = self.slot(start);
        let before = std::mem::replace(slot, calls);
        self.completed = self.completed.minus(before);
        self.completed.add(calls);
    }

    /// The calls of the slot that begins at `start`.
    fn slot(&mut self, start: Timestamp) -> &mut CallCount {
        // Nearly always the last slot; a restored charge may be later than one that follows.
        let place = self.slots.iter().rposition(|slot| slot.start <= start);
        let found = place.filter(|place| self.slots[*place].start == start);
        let place = found.unwrap_or_else(|| {
            let place = place.map_or(0, |place| place + 1);
            let slot = Slot {
                start,
                leaves: leaves(self.kind, self.window, start),
                calls: CallCount::default(),
            };
            self.slots.insert(place, slot);
            place
        });
        &mut self.slots[place].calls
    }

    /// Drops the slots that have left by `now`.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(slot) = self.slots.front()
            && slot.leaves <= now
        {
            self.completed = self.completed.minus(slot.calls);
            self.slots.pop_front();
        }
    }

    /// How many more calls fit beside `in_flight` ones.
    #[must_use]
    pub fn room(&self, in_flight: CallCount) -> u64 {
        let held = self.completed() + self.counted(in_flight);
        self.limit
            .map_or(u64::MAX, |limit| limit.saturating_sub(held))
    }

    /// When one more call fits beside `in_flight` ones; `None` if only a completion can tell.
    #[must_use]
    pub fn frees_at(&self, in_flight: CallCount) -> Option<Timestamp> {
        let limit = self.limit?;
        let mut held = self.completed() + self.counted(in_flight);
        self.slots.iter().find_map(|slot| {
            held -= self.counted(slot.calls);
            (held < limit).then_some(slot.leaves)
        })
    }
}
