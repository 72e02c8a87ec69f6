//! The phases of a run: the queue, the passes over answered subjects, the retry pass.

use super::{Runner, lanes::Turn};
use crate::{
    model::State,
    runner::{
        event::{RunEvent, StopReason},
        queue::NextPhase,
    },
    store::Result,
};

impl Runner<'_> {
    /// Begins another phase with something to ask; everything before it is on disk.
    pub(super) fn start_next_phase(&mut self) -> Result<Turn> {
        if self.is_fed() {
            return Ok(Turn::Waits);
        }
        loop {
            if let Some(pass) = self.lane.queue.pass() {
                self.job
                    .store
                    .passes()
                    .close(pass.id, self.clock.wall_now())?;
            }
            let Some(phase) = self.lane.queue.advance() else {
                self.lane.ended = Some(StopReason::Finished);
                return Ok(Turn::Over);
            };
            let due = self.lane.queue.next_due(self.job.store, self.clock.now())?;
            if due.is_some() {
                match phase {
                    NextPhase::Pass(pass) => self.reports.report(&RunEvent::PassStarted {
                        origin: pass.origin,
                        subjects: pass.left(),
                    }),
                    NextPhase::RetryPass => self.reports.report(&RunEvent::RetryPassStarted),
                    NextPhase::UnlinkedAgain => {}
                }
                return Ok(Turn::Again);
            }
        }
    }

    /// Subjects still to be asked: queued, or due in a pass as far as is known.
    pub(super) fn left(&self) -> u64 {
        self.job.store.tally().of(State::Queued) + self.lane.queue.left_in_passes()
    }
}
