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
const LOOKS_A_SIGN: u64 = 60;

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
        let mut looks = 0;
        loop {
            let wishes = self.store.wishes()?;
            let Some(pause) = wishes.pause() else {
                if let Some(pause) = known {
                    operator.event(&RunEvent::Withdrawn(pause.wish));
                    // An operator may be asked before the first call.
                    operator.nothing_in_flight();
                }
                return Ok(None);
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
            if is_new || looks % LOOKS_A_SIGN == 0 {
                self.give_sign_of_life(pause)?;
            }
            looks += 1;
            operator.event(&RunEvent::Progress(self.snapshot(pause)));
            if self.deadline.is_some_and(|end| end <= self.clock.now()) {
                return Ok(Some(StopReason::Time));
            }
            tokio::select! {
                () = stop.requested() => return Ok(Some(StopReason::Interrupted)),
                () = tokio::time::sleep(LOOK) => {}
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Wish;

    /// Resumes the job once it hears that it waits; keeps what it hears, in words.
    struct Resuming<'s>(&'s Store, Vec<&'static str>);

    impl Operator for Resuming<'_> {
        fn event(&mut self, event: &RunEvent) {
            self.1.push(match event {
                RunEvent::Asked(_) => "asked",
                RunEvent::Withdrawn(Wish::Pause) => "withdrawn",
                _ => "waits",
            });
            self.0.reader().withdraw(&["pause"]).unwrap();
        }

        fn calls_started(&mut self) {
            self.1.push("waits for interrupts");
        }

        fn nothing_in_flight(&mut self) {
            self.1.push("ends by interrupts");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn resume_is_reported_and_interrupts_end_the_process_again() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::starting_at(Timestamp::from_millis(1));
        let store = Store::open(&folder.path().join("job.db"), clock.now()).unwrap();
        let run = store.journal().begin_run("run", "", clock.now()).unwrap();
        let asked = Asked {
            wish: Wish::Pause,
            by: "alice@host".to_owned(),
            pid: 7,
            at: clock.now(),
        };
        store.reader().ask(&asked).unwrap();
        let mut operator = Resuming(&store, Vec::new());
        let paused = PausedRun {
            store: &store,
            run,
            clock,
            deadline: None,
        };
        let ends = paused.wait(&Stop::default(), &mut operator).await.unwrap();
        assert!(ends.is_none());
        let heard = [
            "waits for interrupts",
            "asked",
            "waits",
            "withdrawn",
            "ends by interrupts",
        ];
        assert_eq!(operator.1, heard);
    }
}
