//! One window: a sum of landed charges over slots that leave one after the other.

use std::collections::VecDeque;

use super::quota::{leaves, slot_millis};
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

/// The landed charges of one span.
///
/// A charge is dated by the slot in which its answer landed, and leaves one span after that
/// slot's *end*. The remote counted the call no later than it answered, so at no reading of its
/// rules (sliding or calendar) does a window there hold more than this one does.
#[derive(Debug, Clone)]
pub struct SlidingWindow {
    span: QuotaWindow,
    limit: Option<u64>,
    counting: WindowKind,
    slots: VecDeque<Slot>,
    landed: u64,
}

impl SlidingWindow {
    pub(super) const fn new(span: QuotaWindow, limit: Option<u64>, counting: WindowKind) -> Self {
        Self {
            span,
            limit,
            counting,
            slots: VecDeque::new(),
            landed: 0,
        }
    }

    /// Which one it is.
    #[must_use]
    pub const fn span(&self) -> QuotaWindow {
        self.span
    }

    /// The most calls it may hold; `None` for no limit.
    #[must_use]
    pub const fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Landed charges that have not left by the last question.
    #[must_use]
    pub const fn landed(&self) -> u64 {
        self.landed
    }

    /// Adds `calls` that landed at `at`; answers the slot's start and its new count.
    pub(super) fn land(&mut self, at: Timestamp, calls: u64) -> (Timestamp, u64) {
        let start = self.slot_of(at);
        self.landed += calls;
        // Nearly always the last slot; a restored charge may lie in the future of a later one.
        let place = self.slots.iter().rposition(|slot| slot.start <= start);
        if let Some(slot) = place.and_then(|place| self.slots.get_mut(place))
            && slot.start == start
        {
            slot.calls += calls;
            return (start, slot.calls);
        }
        let leaves = leaves(self.counting, self.span, start);
        let slot = Slot {
            start,
            leaves,
            calls,
        };
        self.slots.insert(place.map_or(0, |place| place + 1), slot);
        (start, calls)
    }

    /// Drops the slots that have left by `now`; answers the start of the last one dropped.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        let mut dropped = None;
        while let Some(slot) = self.slots.front()
            && slot.leaves <= now
        {
            self.landed -= slot.calls;
            dropped = Some(slot.start);
            self.slots.pop_front();
        }
        dropped
    }

    /// How many more calls fit beside `open` ones that are charged and have not landed.
    #[must_use]
    pub fn room(&self, open: u64) -> u64 {
        self.limit
            .map_or(u64::MAX, |limit| limit.saturating_sub(self.landed + open))
    }

    /// When one more call fits beside `open` ones; `None` if only a landing can tell.
    #[must_use]
    pub fn frees_at(&self, open: u64) -> Option<Timestamp> {
        let limit = self.limit?;
        let mut held = self.landed + open;
        self.slots.iter().find_map(|slot| {
            held -= slot.calls;
            (held < limit).then_some(slot.leaves)
        })
    }

    fn slot_of(&self, at: Timestamp) -> Timestamp {
        let millis = slot_millis(self.span);
        Timestamp::from_millis((at.as_millis() + SHIFT).div_euclid(millis) * millis - SHIFT)
    }
}
