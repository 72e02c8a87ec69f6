//! What bar, lines and JSON know of a run: the latest snapshot, the rate, the finish.

use std::{collections::VecDeque, time::Duration};

use super::{Eta, RunEvent, Snapshot, Waiting};
use crate::{
    clock::Timestamp,
    model::{State, Tally},
};

/// The rate is that of the last so much time in which nothing held.
const RATE_OVER: Duration = Duration::from_secs(10);

/// A rate over less than this says nothing.
const RATE_FROM: Duration = Duration::from_millis(500);

/// Waits shorter than this are not worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// What lies further off is not in sight.
const IN_SIGHT: Duration = Duration::from_secs(10 * 366 * 86_400);

/// How a run stands, as far as it can be told from its events.
pub(super) struct Pulse {
    eta: Eta,
    started: Option<Tally>,
    latest: Option<Snapshot>,
    /// Time in which nothing held.
    open: Duration,
    /// That time, and the calls that had landed by then.
    samples: VecDeque<(Duration, u64)>,
    /// An outlook that came before any time did.
    undated: Option<Duration>,
    finish: Option<Timestamp>,
}

impl Pulse {
    pub(super) fn new(eta: Eta) -> Self {
        Self {
            eta,
            started: None,
            latest: None,
            open: Duration::ZERO,
            samples: VecDeque::new(),
            undated: None,
            finish: None,
        }
    }

    /// Takes an event in.
    pub(super) fn see(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Started { tally } => self.started = Some(*tally),
            RunEvent::Progress(snapshot) => self.see_snapshot(snapshot),
            RunEvent::ForecastInput(outlook) => {
                let left = self.tally().of(State::Queued);
                let eta = (self.eta)(outlook, left).filter(|eta| *eta < IN_SIGHT);
                self.finish = eta.and_then(|eta| Some(self.now()?.plus(eta)));
                self.undated = if self.finish.is_none() { eta } else { None };
            }
            _ => {}
        }
    }

    fn see_snapshot(&mut self, snapshot: &Snapshot) {
        if let Some(before) = &self.latest
            && before.hold.is_none()
        {
            self.open += snapshot.at.since(before.at);
        }
        if let Some(eta) = self.undated.take() {
            self.finish = Some(snapshot.at.plus(eta));
        }
        self.samples.push_back((self.open, snapshot.calls));
        while self
            .samples
            .get(1)
            .is_some_and(|(open, _)| self.open - *open >= RATE_OVER)
        {
            self.samples.pop_front();
        }
        self.latest = Some(snapshot.clone());
    }

    /// The subjects.
    pub(super) fn tally(&self) -> Tally {
        let latest = self.latest.as_ref().map(|latest| latest.tally);
        latest.or(self.started).unwrap_or_default()
    }

    /// The latest snapshot.
    pub(super) fn latest(&self) -> Option<&Snapshot> {
        self.latest.as_ref()
    }

    /// The latest time that was heard of.
    pub(super) fn now(&self) -> Option<Timestamp> {
        self.latest.as_ref().map(|latest| latest.at)
    }

    /// When all will be answered, every window and block considered; `None` if it is not known,
    /// nothing is left or the forecast was too good.
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

    /// The wait there is, if it is worth a word.
    pub(super) fn wait(&self) -> Option<Waiting> {
        let latest = self.latest.as_ref()?;
        latest
            .hold
            .filter(|hold| lasts(hold, latest.at, WORTH_A_WORD))
    }
}

/// Whether a wait goes on for at least `span` from `now`; one whose end is not known does not.
pub(super) fn lasts(hold: &Waiting, now: Timestamp, span: Duration) -> bool {
    hold.until.is_some_and(|until| until.since(now) >= span)
}
