//! The two lanes of a run: each has its turn, and the run is over when both are.

use super::Runner;
use crate::{
    runner::{
        LaneAccount,
        event::{RunEvent, StopReason},
        lane::Lane,
    },
    store::Result,
};

/// What a turn led to; of two lanes the later one in this list says what the run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    /// Nothing is left to do, or to wait for.
    Over,
    /// Nothing can be done before a call completes or a time comes.
    Waits,
    /// There is more to do now.
    Again,
    /// A rehearsal kills the process.
    Crashed,
}

/// The lanes, that of the lookups first.
pub(super) fn all<'a, 'l>(
    lane: &'a mut Lane<'l>,
    other: &'a mut Option<Lane<'l>>,
) -> impl Iterator<Item = &'a mut Lane<'l>> {
    std::iter::once(lane).chain(other)
}

/// Waits for a completion in a lane, forever if there is none to come. Cancel-safe.
pub(super) async fn complete(lane: &mut Option<Lane<'_>>) {
    match lane {
        Some(lane) if !lane.calls.is_empty() => lane.calls.complete().await,
        _ => std::future::pending().await,
    }
}

impl<'s> Runner<'s> {
    /// Asks for a pending_id for every unlinked subject, beside the lookups.
    pub fn with_pending_ids(mut self, account: Option<LaneAccount<'s>>) -> Result<Self> {
        if let Some(account) = account {
            let (now, wall) = (self.clock.now(), self.clock.wall_now());
            let budget = self.options.error_budget;
            let lane = Lane::of_pending_ids(account, self.job.store, budget, (now, wall))?;
            self.other = Some(lane);
        }
        Ok(self)
    }
}

impl Runner<'_> {
    /// Gives each lane its turn.
    pub(super) fn turn_of_each_lane(&mut self) -> Result<Turn> {
        let turn = self.turn()?;
        let other = self.on_other_lane(|run| {
            run.follow_lookups();
            run.turn()
        })?;
        Ok(other.map_or(turn, |other| turn.max(other)))
    }

    /// Does `work` in the other lane, if there is one.
    pub(super) fn on_other_lane<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.other.is_none() {
            return Ok(None);
        }
        self.swap_lanes();
        let done = work(self);
        self.swap_lanes();
        done.map(Some)
    }

    fn swap_lanes(&mut self) {
        if let Some(other) = &mut self.other {
            std::mem::swap(&mut self.lane, other);
        }
    }

    /// In the lane of pending_ids: takes over how far the lookups have come.
    fn follow_lookups(&mut self) {
        if let Some(lookups) = &self.other {
            self.lane.queue.reach(lookups.done_upto());
        }
    }

    /// Whether the lane may get more to do from the lookups.
    pub(super) fn is_fed(&self) -> bool {
        let lookups = self.other.as_ref();
        !self.lane.is_of_lookups() && lookups.is_some_and(|lane| lane.ended.is_none())
    }

    /// No more calls of this lane are sent. Without its lookups a run has nothing to do.
    pub(super) fn end_lane(&mut self, reason: StopReason) {
        if self.lane.is_of_lookups() {
            self.stop(reason);
        } else if self.lane.ended.is_none() {
            self.lane.ended = Some(reason.clone());
            self.reports.report(&RunEvent::PendingIdsEnded(reason));
        }
    }
}
