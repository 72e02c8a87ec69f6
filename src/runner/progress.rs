//! What a run reports, and how often.

use std::{collections::BTreeMap, time::Duration};

use super::{
    clock::RunClock,
    event::{ClockDifference, RunEvent, Snapshot, Waiting},
};
use crate::{
    clock::Timestamp,
    quota::{Hold, HoldReason},
};

/// The shortest time between two snapshots.
const SNAPSHOTS: Duration = Duration::from_millis(100);
/// The longest time between two forecasts.
const FORECASTS: Duration = Duration::from_secs(60);
/// A wall clock that differs from the remote's by more than this is told.
const DIFFERS: Duration = Duration::from_secs(60);
/// Waits shorter than this are not reported.
const SHORT: Duration = Duration::from_secs(2);

/// Hears what happens.
pub type Listener<'s> = Box<dyn FnMut(&RunEvent) + 's>;

/// The listener, and what it was told last.
pub(super) struct ProgressReports<'s> {
    listener: Listener<'s>,
    snapshot: Timestamp,
    forecast: Timestamp,
    forecast_is_due: bool,
    hold: Option<Waiting>,
    is_clock_told: bool,
    /// When it was asked last what is due.
    asked: Timestamp,
    /// How long it waited, by reason.
    waits: BTreeMap<&'static str, Duration>,
}

/// What is to be reported now.
pub(super) struct Due {
    pub(super) snapshot: bool,
    pub(super) forecast: bool,
    pub(super) hold_changed: bool,
    pub(super) hold: Option<Waiting>,
}

impl<'s> ProgressReports<'s> {
    pub(super) fn to(listener: Listener<'s>) -> Self {
        Self {
            listener,
            snapshot: Timestamp::default(),
            forecast: Timestamp::default(),
            forecast_is_due: false,
            hold: None,
            is_clock_told: false,
            asked: Timestamp::default(),
            waits: BTreeMap::new(),
        }
    }

    /// Reports `event`.
    pub(super) fn report(&mut self, event: &RunEvent) {
        (self.listener)(event);
    }

    /// Ledger time has moved forward by what had passed before this run: it was no wait.
    pub(super) fn clock_moved(&mut self, by: Duration) {
        self.asked = self.asked.plus(by);
    }

    /// Reports, once, a wall clock that differs from the `remote`'s.
    pub(super) fn clock(&mut self, ahead_millis: i64, remote: Timestamp) {
        let by = Duration::from_millis(ahead_millis.unsigned_abs());
        if by > DIFFERS && !std::mem::replace(&mut self.is_clock_told, true) {
            self.report(&RunEvent::ClockDiffers(ClockDifference {
                by: Duration::from_secs((by.as_secs() + 30) / 60 * 60),
                is_ahead: ahead_millis > 0,
                remote,
            }));
        }
    }

    /// Reports how the run stands.
    pub(super) fn snapshot(&mut self, snapshot: Snapshot) {
        self.report(&RunEvent::Progress(snapshot));
    }

    /// The reason for waiting that was reported last.
    pub(super) const fn hold(&self) -> Option<Waiting> {
        self.hold
    }

    /// How long it waited, by the code of the reason.
    pub(super) fn waits(&self) -> Vec<(&'static str, Duration)> {
        let waits = self.waits.iter().filter(|(_, span)| **span >= SHORT);
        waits.map(|(reason, span)| (*reason, *span)).collect()
    }

    /// The next snapshot is due.
    pub(super) fn snapshot_is_due(&mut self) {
        self.snapshot = Timestamp::default();
    }

    /// Returns what is due, and takes it as reported.
    ///
    /// `is_settled`: no answer waits for its commit. Until it is settled, a completed call would be
    /// counted twice by a forecast.
    pub(super) fn due(&mut self, hold: Option<Hold>, clock: &RunClock, is_settled: bool) -> Due {
        let now = clock.now();
        if let Some(held) = self.hold {
            *self.waits.entry(held.reason.code()).or_default() += now.since(self.asked);
        }
        self.asked = now;
        let hold = worth_reporting(self.hold, hold, clock);
        let hold_changed = hold != self.hold;
        self.forecast_is_due |= hold_changed || now.since(self.forecast) >= FORECASTS;
        let forecast = self.forecast_is_due && is_settled;
        let snapshot = hold_changed || forecast || now.since(self.snapshot) >= SNAPSHOTS;
        if snapshot {
            self.snapshot = now;
        }
        if forecast {
            (self.forecast, self.forecast_is_due) = (now, false);
        }
        self.hold = hold;
        Due {
            snapshot,
            forecast,
            hold_changed,
            hold,
        }
    }
}

/// The wait in wall time, and only what a person would want to know of; `reported` is the one that was
/// reported last.
pub(super) fn worth_reporting(
    reported: Option<Waiting>,
    hold: Option<Hold>,
    clock: &RunClock,
) -> Option<Waiting> {
    let Hold { until, reason } = hold?;
    let pauses = reason == HoldReason::Concurrency && until.is_some();
    if matches!(reason, HoldReason::Pace | HoldReason::Concurrency) && !pauses {
        return None;
    }
    let same = reported.filter(|reported| reported.reason == reason);
    let is_short = until.is_none_or(|until| until.since(clock.now()) < SHORT);
    let until = until.map(|until| clock.to_wall_time(until));
    let is_outage = matches!(reason, HoldReason::Outage(_));
    match same {
        // A short wait for the same reason continues that wait; and wall clock and ledger clock
        // are read a moment apart.
        Some(reported) if is_short || near(reported.until, until) => Some(reported),
        // The first probe of an outage may hang.
        None if is_short && !is_outage && !matches!(reason, HoldReason::Paused(_)) => None,
        _ => Some(Waiting { reason, until }),
    }
}

fn near(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.since(b) < SHORT && b.since(a) < SHORT,
        _ => a == b,
    }
}
