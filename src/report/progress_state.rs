//! What bar, lines and JSON know of a run: the latest snapshot, the rate, the finish.

use std::{collections::VecDeque, time::Duration};

use super::{Eta, HoldReason, RunEvent, Snapshot, Waiting};
use crate::{
    clock::Timestamp,
    model::{State, Tally},
};

/// The rate is that of the last so much time in which nothing held.
const RATE_OVER: Duration = Duration::from_secs(10);

/// A rate over less than this is too inexact to be shown.
const RATE_FROM: Duration = Duration::from_millis(500);

/// Waits shorter than this are not shown.
const SHOWN_FROM: Duration = Duration::from_secs(2);

/// What is further off is not foreseeable.
const FORESEEABLE: Duration = Duration::from_secs(10 * 366 * 86_400);

/// The state of a run, as its events report it.
pub(super) struct ProgressState {
    eta: Eta,
    started: Option<Tally>,
    latest: Option<Snapshot>,
    /// Time in which nothing held.
    unheld: Duration,
    /// That time, and the calls completed by then.
    samples: VecDeque<(Duration, u64)>,
    /// A forecast that came before the first time.
    undated: Option<Duration>,
    finish: Option<Timestamp>,
}

impl ProgressState {
    pub(super) fn new(eta: Eta) -> Self {
        Self {
            eta,
            started: None,
            latest: None,
            unheld: Duration::ZERO,
            samples: VecDeque::new(),
            undated: None,
            finish: None,
        }
    }

    /// Takes an event into account.
    pub(super) fn observe(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started { tally } => self.started = Some(*tally),
            RunEvent::Progress(snapshot) => self.observe_snapshot(snapshot),
            RunEvent::ForecastInput(input) => {
                let left = self.tally().of(State::Queued);
                let eta = (self.eta)(input, left).filter(|eta| *eta < FORESEEABLE);
                self.finish = eta.and_then(|eta| Some(self.now()?.plus(eta)));
                self.undated = if self.finish.is_none() { eta } else { None };
            }
            _ => {}
        }
    }

    fn observe_snapshot(&mut self, snapshot: &Snapshot) {
        if let Some(before) = &self.latest
            && before.hold.is_none()
        {
            self.unheld += snapshot.at.since(before.at);
        }
        if let Some(eta) = self.undated.take() {
            self.finish = Some(snapshot.at.plus(eta));
        }
        self.samples.push_back((self.unheld, snapshot.calls));
        while self
            .samples
            .get(1)
            .is_some_and(|(unheld, _)| self.unheld - *unheld >= RATE_OVER)
        {
            self.samples.pop_front();
        }
        self.latest = Some(snapshot.clone());
    }

    /// How many subjects are in each state.
    pub(super) fn tally(&self) -> Tally {
        let latest = self.latest.as_ref().map(|latest| latest.tally);
        latest.or(self.started).unwrap_or_default()
    }

    pub(super) fn latest(&self) -> Option<&Snapshot> {
        self.latest.as_ref()
    }

    /// The time of the latest snapshot.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.latest.as_ref().map(|latest| latest.at)
    }

    /// When all will be answered, every window and lockout considered; `None` if it is not known,
    /// nothing is left, or the forecast has passed.
    pub(super) fn finish(&self) -> Option<Timestamp> {
        let (left, now) = (self.tally().of(State::Queued), self.now()?);
        self.finish.filter(|finish| left > 0 && *finish > now)
    }

    /// Calls a second while nothing held.
    #[expect(clippy::cast_precision_loss, reason = "only looked at")]
    pub(super) fn per_second(&self) -> Option<f64> {
        let ((from, first), (to, last)) = (self.samples.front()?, self.samples.back()?);
        let span = to.saturating_sub(*from);
        (span >= RATE_FROM).then(|| last.saturating_sub(*first) as f64 / span.as_secs_f64())
    }

    /// The present wait, if it is long enough to be shown.
    pub(super) fn wait(&self) -> Option<Waiting> {
        let latest = self.latest.as_ref()?;
        latest
            .hold
            .filter(|hold| lasts(hold, latest.at, SHOWN_FROM))
    }
}

/// Whether a wait lasts at least `span` from `now`; one whose end is not known does not, but for a
/// pause.
pub(super) fn lasts(hold: &Waiting, now: Timestamp, span: Duration) -> bool {
    let is_pause = matches!(hold.reason, HoldReason::Paused(_));
    is_pause || hold.until.is_some_and(|until| until.since(now) >= span)
}
