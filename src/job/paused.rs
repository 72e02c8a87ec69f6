//! A run that begins while its job is paused: nothing is sent until it is resumed, not even for an
//! access token.

use std::time::Duration;

use super::{error::Error, operator::Operator};
use crate::{
    clock::{Clock, Timestamp},
    model::State,
    quota::HoldReason,
    runner::{
        Stop,
        event::{RunEvent, Snapshot, StopReason, Waiting},
    },
    store::{Asked, RunId, RunProgress, Store},
};

/// How often the job file is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A sign of life is given after so many looks.
const LOOKS_A_SIGN: u32 = 60;

/// A run that has not sent anything yet.
pub(super) struct PausedRun<'s> {
    pub(super) store: &'s Store,
    pub(super) run: RunId,
    pub(super) clock: Clock,
    pub(super) deadline: Option<Timestamp>,
}

impl PausedRun<'_> {
    /// Returns at once if nobody has paused the job, else when the pause is withdrawn, or with the
    /// reason to end before.
    pub(super) async fn wait(
        &self,
        stop: &Stop,
        operator: &mut dyn Operator,
    ) -> Result<Option<StopReason>, Error> {
        let mut known: Option<Asked> = None;
        for look in 0.. {
            let wishes = self.store.wishes()?;
            let Some(pause) = wishes.pause() else {
                break;
            };
            if let Some(asked) = wishes.stop() {
                return Ok(Some(StopReason::Asked(asked.clone())));
            }
            let is_new = known.as_ref() != Some(pause);
            if is_new {
                // A signal is waited for from here on, as it is while calls are in flight.
                operator.calls_started();
                operator.event(&RunEvent::Asked(pause.clone()));
                known = Some(pause.clone());
            }
            if is_new || look % LOOKS_A_SIGN == 0 {
                self.give_sign_of_life(pause)?;
            }
            operator.event(&RunEvent::Progress(self.snapshot(pause)));
            if self.deadline.is_some_and(|end| end <= self.clock.now()) {
                return Ok(Some(StopReason::Time));
            }
            tokio::select! {
                () = stop.requested() => return Ok(Some(StopReason::Interrupted)),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(None)
    }

    fn give_sign_of_life(&self, pause: &Asked) -> Result<(), Error> {
        let reason = HoldReason::Paused(pause.at);
        let progress = RunProgress {
            seen_at: self.clock.now(),
            calls: 0,
            hold: Some(reason.to_string()),
            hold_code: Some(reason.code().to_owned()),
            hold_until: None,
        };
        Ok(self.store.journal().save_progress(self.run, &progress, 0)?)
    }

    fn snapshot(&self, pause: &Asked) -> Snapshot {
        Snapshot {
            pending_ids: None,
            at: self.clock.now(),
            tally: self.store.tally(),
            left: self.store.tally().of(State::Queued),
            pass: None,
            calls: 0,
            in_flight: 0,
            concurrency: 0,
            windows: Vec::new(),
            hold: Some(Waiting {
                reason: HoldReason::Paused(pause.at),
                until: None,
            }),
        }
    }
}
