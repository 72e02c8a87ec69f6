//! What operators ask of the run from elsewhere, looked at once a second.

use std::time::Duration;

use super::{Runner, lanes};
use crate::{
    clock::Timestamp,
    quota::{Hold, HoldReason},
    runner::event::RunEvent,
    store::{Asked, Result, Wishes},
};

/// How soon a wish is noticed.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// The wishes that are obeyed.
#[derive(Default)]
pub(super) struct ObeyedWishes {
    known: Wishes,
    /// `None` for a run that nobody can ask anything of, such as a rehearsal.
    next_look: Option<Timestamp>,
}

impl ObeyedWishes {
    /// From now on wishes are looked for.
    pub(super) const fn obey(&mut self, now: Timestamp) {
        self.next_look = Some(now);
    }

    /// Whether wishes are looked for.
    pub(super) const fn are_looked_for(&self) -> bool {
        self.next_look.is_some()
    }

    /// The hold of a paused run.
    pub(super) fn hold(&self) -> Option<Hold> {
        self.known.pause().map(|pause| Hold {
            until: None,
            reason: HoldReason::Paused(pause.at),
        })
    }

    /// Who wants the run to end.
    pub(super) fn stop(&self) -> Option<&Asked> {
        self.known.stop()
    }

    fn is_time_to_look(&mut self, now: Timestamp) -> bool {
        let is_time = self.next_look.is_some_and(|next| next <= now);
        if is_time {
            self.next_look = Some(now.plus(LOOK));
        }
        is_time
    }

    /// Replaces the wishes; returns what is to be reported.
    fn replace(&mut self, found: Wishes) -> Vec<RunEvent> {
        let asked = found.0.iter().filter(|asked| !self.known.0.contains(asked));
        let asked = asked.cloned().map(RunEvent::Asked);
        let is_withdrawn = |code| found.find(|wish| wish.code() == code).is_none();
        let before = self.known.0.iter().map(|asked| asked.wish);
        let withdrawn = before.filter(|wish| is_withdrawn(wish.code()));
        let events = asked.chain(withdrawn.map(RunEvent::Withdrawn)).collect();
        self.known = found;
        events
    }
}

impl Runner<'_> {
    /// Obeys what operators have asked since the last look.
    pub(super) fn obey_wishes(&mut self) -> Result<()> {
        let now = self.clock.now();
        if !self.stopping.wishes.is_time_to_look(now) {
            return Ok(());
        }
        let found = self.job.store.wishes()?;
        let events = self.stopping.wishes.replace(found);
        if events.is_empty() {
            return Ok(());
        }
        for event in &events {
            self.reports.report(event);
        }
        let wishes = &self.stopping.wishes.known;
        let pauses = wishes.pause().is_some();
        for lane in lanes::all(&mut self.lane, &mut self.other) {
            lane.gate.throttle(wishes.rate(), wishes.concurrency(), now);
            if pauses {
                lane.gate.give_back(lane.pending.take_paid());
                lane.pending.commit_at_once(now);
            }
        }
        Ok(())
    }
}
