//! The time of a run: ledger time, read once a turn of the loop.

use std::time::Duration;

use crate::clock::{Clock, ClockReading, Heard, LedgerClock, Timestamp};

/// The ledger's clock, and this turn's time.
pub(super) struct RunClock {
    ledger: LedgerClock,
    now: Timestamp,
    started: Timestamp,
    deadline: Option<Timestamp>,
    /// When charges on disk are next cleared.
    clears_at: Timestamp,
}

/// The time between two clearances of the charges on disk.
const CLEARANCES: Duration = Duration::from_secs(600);

impl RunClock {
    /// Starts now; `deadline` is wall time.
    pub(super) fn start(ledger: LedgerClock, deadline: Option<Timestamp>) -> Self {
        let now = ledger.now();
        let mut clock = Self {
            ledger,
            now,
            started: now,
            deadline: None,
            clears_at: now,
        };
        clock.deadline = deadline.map(|at| clock.ledger_time_of(at));
        clock
    }

    /// Reads the time for this turn.
    pub(super) fn tick(&mut self) {
        self.now = self.ledger.now();
    }

    /// Takes the `Date` of a reply that has just come. Returns by how much ledger time moved forward,
    /// and how far the wall clock is ahead.
    pub(super) fn hear(&mut self, date: Timestamp) -> Heard {
        let heard = self.ledger.hear(date);
        self.moved(heard.advanced);
        heard
    }

    /// Catches up with the ledger's clocks as another process left them. Returns by how much.
    pub(super) fn catch_up(&mut self, ahead: &ClockReading) -> Duration {
        let advanced = self.ledger.catch_up(ahead);
        self.moved(advanced);
        advanced
    }

    /// Ledger time has moved forward by what had passed before this run.
    fn moved(&mut self, by: Duration) {
        self.started = self.started.plus(by);
        self.deadline = self.deadline.map(|at| at.plus(by));
        self.tick();
    }

    /// Whether the machine was down for a time that only the remote's next reply will tell.
    pub(super) const fn awaits_date(&self) -> bool {
        self.ledger.awaits_date()
    }

    /// The remote's clock this turn.
    pub(super) fn remote_now(&self) -> Timestamp {
        self.ledger.to_remote_time(self.now)
    }

    /// Whether charges on disk are to be cleared now; if so, it takes them as cleared.
    pub(super) fn clearance_is_due(&mut self) -> bool {
        let is_due = self.now >= self.clears_at;
        if is_due {
            self.clears_at = self.now.plus(CLEARANCES);
        }
        is_due
    }

    /// Ledger time of this turn.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// How long the run has taken.
    pub(super) const fn took(&self) -> Duration {
        self.now.since(self.started)
    }

    /// The deadline, while it is ahead.
    pub(super) fn deadline_ahead(&self) -> Option<Timestamp> {
        self.deadline.filter(|at| *at > self.now)
    }

    /// Whether the deadline has passed.
    pub(super) fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|at| self.now >= at)
    }

    /// The ledger time at which the wall clock shows `at`; now, if it shows it already.
    pub(super) fn ledger_time_of(&self, at: Timestamp) -> Timestamp {
        self.now.plus(at.since(self.ledger.clock().now()))
    }

    /// What the wall clock shows at ledger time `at`.
    pub(super) fn to_wall_time(&self, at: Timestamp) -> Timestamp {
        self.ledger.to_wall_time(at)
    }

    /// The wall clock.
    pub(super) const fn wall(&self) -> Clock {
        self.ledger.clock()
    }

    /// What the wall clock shows this turn.
    pub(super) fn wall_now(&self) -> Timestamp {
        self.ledger.to_wall_time(self.now)
    }

    /// All clocks, to be written with the ledger.
    pub(super) fn reading(&self) -> ClockReading {
        self.ledger.reading()
    }
}
