//! What the loop says of itself, and how often.

use std::time::Duration;

use super::{
    event::{RunEvent, Snapshot, Waiting, WindowUse},
    run_loop::Runner,
};
use crate::{
    clock::Timestamp,
    gate::{ForecastInput, Hold, HoldReason},
    model::QuotaWindow,
    store::{Result, RunProgress},
};

/// The shortest time between two snapshots.
const SNAPSHOTS: Duration = Duration::from_millis(100);
/// The longest time between two outlooks, and between two clearances of the books on disk.
const OUTLOOKS: Duration = Duration::from_secs(60);
/// Waits shorter than this are not worth telling.
const SHORT: Duration = Duration::from_secs(2);

/// What was told last.
#[derive(Default)]
pub(super) struct LastReported {
    snapshot: Timestamp,
    outlook: Timestamp,
    outlook_owed: bool,
    hold: Option<Waiting>,
}

impl Runner<'_> {
    pub(super) fn tell(&mut self, event: &RunEvent) {
        (self.listener)(event);
    }

    /// Tells how it stands, if it is time or the reason for waiting has changed.
    pub(super) fn report(&mut self, hold: Option<Hold>) -> Result<()> {
        let hold = self.worth_telling(hold);
        let changed = hold != self.told.hold;
        let wall = self.books.to_wall_time(self.now);
        self.told.outlook_owed |= changed || self.now.since(self.told.outlook) >= OUTLOOKS;
        // What has landed is in the ledger: until it is settled too, it would be counted twice.
        let outlook_due = self.told.outlook_owed && self.settled.is_empty();
        if changed || outlook_due || self.now.since(self.told.snapshot) >= SNAPSHOTS {
            self.told.snapshot = self.now;
            let snapshot = RunEvent::Progress(self.snapshot(wall, hold));
            self.tell(&snapshot);
        }
        if outlook_due {
            (self.told.outlook, self.told.outlook_owed) = (self.now, false);
            self.store.forget_charges(self.now)?;
            let outlook = RunEvent::ForecastInput(Box::new(self.outlook()));
            self.tell(&outlook);
        }
        if changed {
            self.told.hold = hold;
            self.store.save_progress(self.run, &self.progress())?;
        }
        Ok(())
    }

    /// Tells how it stood at the end.
    pub(super) fn report_end(&mut self) -> Result<()> {
        self.told.snapshot = Timestamp::default();
        self.report(None)
    }

    /// By the wall, and only what a person would want to know of.
    fn worth_telling(&self, hold: Option<Hold>) -> Option<Waiting> {
        let Hold { until, reason } = hold?;
        let rests = reason == HoldReason::Concurrency && until.is_some();
        if matches!(
            reason,
            HoldReason::Pace | HoldReason::Concurrency | HoldReason::Retry
        ) && !rests
        {
            return None;
        }
        if until.is_none_or(|until| until.since(self.now) < SHORT) {
            // A short wait for the same reason goes on being that wait.
            return self.told.hold.filter(|told| told.reason == reason);
        }
        let until = until.map(|until| self.books.to_wall_time(until));
        match self.told.hold {
            // The wall and the books read their clocks a moment apart.
            Some(told) if told.reason == reason && near(told.until, until) => Some(told),
            _ => Some(Waiting { reason, until }),
        }
    }

    pub(super) fn progress(&self) -> RunProgress {
        let hold = self.told.hold;
        RunProgress {
            seen_at: self.books.to_wall_time(self.now),
            calls: self.gate.ledger.sent(),
            hold: hold.map(|hold| hold.reason.to_string()),
            hold_until: hold.and_then(|hold| hold.until),
        }
    }

    fn outlook(&mut self) -> ForecastInput {
        let fare = self.fare();
        ForecastInput {
            ledger: self.gate.ledger.clone(),
            now: self.now,
            fare,
            ticket_until: self.ticket_until,
            blocked_until: self.gate.block.until,
            per_second: self.tempo.per_second(),
        }
    }

    fn snapshot(&mut self, at: Timestamp, hold: Option<Waiting>) -> Snapshot {
        let (now, fare) = (self.now, self.fare());
        let ledger = &mut self.gate.ledger;
        let limits = ledger.limits();
        let windows = QuotaWindow::ALL
            .into_iter()
            .filter(|span| fare.counts_in(*span));
        let windows = windows.filter_map(|span| {
            let limit = limits.of(span)?;
            let used = ledger.used(now, span);
            Some(WindowUse { span, used, limit })
        });
        Snapshot {
            at,
            windows: windows.collect(),
            tally: self.store.tally(),
            calls: self.gate.ledger.sent(),
            in_flight: self.airborne.len(),
            width: self.gate.width.calls(),
            hold,
        }
    }
}

fn near(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.since(b) < SHORT && b.since(a) < SHORT,
        _ => a == b,
    }
}
