//! One window: a sum of completed calls over slots that leave one after the other.

use std::collections::VecDeque;

use super::limits::{leaves, slot_millis};
use crate::{
    clock::Timestamp,
    model::{QuotaWindow, WindowKind},
};

/// Slots are counted in time at +08:00, so that natural days begin with one.
const SHIFT: i64 = 8 * 3600 * 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    start: Timestamp,
    leaves: Timestamp,
    calls: u64,
}

/// The completed calls of one window.
///
/// A charge is dated by the slot in which its call completed, and leaves one span after that slot's
/// *end*. The remote counted the call no later than it answered, so on no reading of its rules
/// (sliding or calendar) does a window there hold more than this one does.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    window: QuotaWindow,
    limit: Option<u64>,
    kind: WindowKind,
    slots: VecDeque<Slot>,
    completed: u64,
}

impl SlidingWindow {
    pub(super) const fn new(window: QuotaWindow, limit: Option<u64>, kind: WindowKind) -> Self {
        Self {
            window,
            limit,
            kind,
            slots: VecDeque::new(),
            completed: 0,
        }
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

    /// Completed calls that had not left the window when it was last asked.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// Adds `calls` that completed at `at`; returns the start of their slot.
    pub(super) fn add(&mut self, at: Timestamp, calls: u64) -> Timestamp {
        let start = self.slot_of(at);
        self.completed += calls;
        // Nearly always the last slot; a restored charge may be later than one that follows.
        let place = self.slots.iter().rposition(|slot| slot.start <= start);
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place))
            && slot.start == start
        {
            slot.calls += calls;
            return start;
        }
        let leaves = leaves(self.kind, self.window, start);
        let slot = Slot {
            start,
            leaves,
            calls,
        };
        self.slots.insert(place.map_or(0, |place| place + 1), slot);
        start
    }

    /// Drops the slots that have left by `now`.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some(slot) = self.slots.front()
            && slot.leaves <= now
        {
            self.completed -= slot.calls;
            self.slots.pop_front();
        }
    }

    /// How many more calls fit beside `in_flight` ones.
    #[must_use]
    pub fn room(&self, in_flight: u64) -> u64 {
        self.limit.map_or(u64::MAX, |limit| {
            limit.saturating_sub(self.completed + in_flight)
        })
    }

    /// When one more call fits beside `in_flight` ones; `None` if only a completion can tell.
    #[must_use]
    pub fn frees_at(&self, in_flight: u64) -> Option<Timestamp> {
        let limit = self.limit?;
        let mut held = self.completed + in_flight;
        self.slots.iter().find_map(|slot| {
            held -= slot.calls;
            (held < limit).then_some(slot.leaves)
        })
    }

    fn slot_of(&self, at: Timestamp) -> Timestamp {
        let millis = slot_millis(self.window);
        Timestamp::from_millis((at.as_millis() + SHIFT).div_euclid(millis) * millis - SHIFT)
    }
}
