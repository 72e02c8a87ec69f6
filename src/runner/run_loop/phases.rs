//! The phases of a run: the queue, the passes over answered subjects, the retry pass.

use super::Runner;
use crate::{
    model::State,
    runner::{
        event::{RunEvent, StopReason},
        queue::NextPhase,
    },
    store::Result,
};

impl Runner<'_> {
    /// Whether there is another phase with something to ask; everything before it is on disk.
    pub(super) fn start_next_phase(&mut self) -> Result<bool> {
        loop {
            if let Some(pass) = self.queue.pass() {
                self.job
                    .store
                    .passes()
                    .close(pass.id, self.clock.wall_now())?;
            }
            let Some(phase) = self.queue.advance() else {
                self.stopping.reason = Some(StopReason::Finished);
                return Ok(false);
            };
            let due = self.queue.next_due(self.job.store, self.clock.now())?;
            if due.is_some() {
                self.reports.report(&match phase {
                    NextPhase::Pass(pass) => RunEvent::PassStarted {
                        origin: pass.origin,
                        subjects: pass.left(),
                    },
                    NextPhase::RetryPass => RunEvent::RetryPassStarted,
                });
                return Ok(true);
            }
        }
    }

    /// Subjects still to be asked: queued, or due in a pass as far as is known.
    pub(super) fn left(&self) -> u64 {
        self.job.store.tally().of(State::Queued) + self.queue.left_in_passes()
    }
}
