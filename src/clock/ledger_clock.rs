//! Ledger time, and what the remote's clock tells it.

use std::time::Duration;

use super::{Clock, MonotonicTime, Timestamp};

/// The remote's clock, as the `Date` of replies has told it. A `Date` is cut to the second and a reply
/// takes a moment: the remote is up to three seconds further than that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteClock {
    /// The remote's date less ledger time, in milliseconds.
    pub ahead_millis: i64,
    /// The boot of this machine in which it was heard; 0 where the system does not tell.
    pub boot: u64,
}

/// How much further than its `Date` the remote may be.
const UNSURE: Duration = Duration::from_secs(3);
/// For how long the reply that took the least counts: clocks drift apart by less than a second.
const STEADY: Duration = Duration::from_secs(3600);

/// Ledger time beside wall and monotonic time at one moment: what another process needs to
/// continue ledger time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// Ledger time.
    pub at: Timestamp,
    /// Wall time at that moment.
    pub wall: Timestamp,
    /// Monotonic time at that moment.
    pub monotonic: MonotonicTime,
    /// The remote's clock; `None` before its first reply.
    pub remote: Option<RemoteClock>,
}

impl ClockReading {
    /// Returns the ledger time at `monotonic`, which is this reading's own if the boot is another one.
    #[must_use]
    pub fn time_at(&self, monotonic: MonotonicTime) -> Timestamp {
        let passed = match self.monotonic.boot == monotonic.boot && monotonic.boot != 0 {
            true => monotonic.millis.saturating_sub(self.monotonic.millis),
            false => 0,
        };
        Timestamp(self.at.0.saturating_add(passed))
    }
}

/// What a reply has told of the remote's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// By how much ledger time moved forward: the time for which the machine was down.
    pub advanced: Duration,
    /// How far the wall clock is ahead of the remote's, in milliseconds.
    pub wall_ahead_millis: i64,
}

/// Ledger time: begins at wall time and then follows monotonic time alone, and beyond a boot the
/// remote's clock.
#[derive(Debug, Clone, Copy)]
pub struct LedgerClock {
    clock: Clock,
    last: ClockReading,
    /// The machine was down for a time that only the remote can tell.
    awaits_date: bool,
    /// Since when the remote's clock is known as it is.
    heard_at: Option<Timestamp>,
}

impl LedgerClock {
    /// Continues from the last reading; without one, begins at wall time.
    ///
    /// Within one boot, monotonic time tells how much time has passed since. After a reboot, or on
    /// another machine, at least so much has passed as both the wall clock and the time since boot
    /// say; how much it was, [`hear`](Self::hear) finds out.
    pub fn resume(clock: Clock, last: Option<ClockReading>) -> Self {
        let (wall, monotonic) = (clock.now(), clock.monotonic());
        let at = match last {
            None => wall,
            Some(last) if last.monotonic.boot == monotonic.boot && monotonic.boot != 0 => {
                last.time_at(monotonic).max(last.at)
            }
            Some(last) => {
                let millis = u64::try_from(monotonic.millis).unwrap_or(0);
                let since_boot = match monotonic.boot {
                    0 => Duration::ZERO,
                    _ => Duration::from_millis(millis),
                };
                last.at.plus(since_boot.min(wall.since(last.wall)))
            }
        };
        let remote = last.and_then(|last| last.remote);
        let last = ClockReading {
            at,
            wall,
            monotonic,
            remote,
        };
        Self {
            clock,
            last,
            awaits_date: remote.is_some_and(|it| it.boot == 0 || it.boot != monotonic.boot),
            heard_at: None,
        }
    }

    /// Whether more time may have passed than ledger time shows, which the remote's next reply will
    /// tell.
    pub const fn awaits_date(&self) -> bool {
        self.awaits_date
    }

    /// Takes the `Date` of a reply that has just come.
    ///
    /// After a reboot ledger time moves forward by as much as the remote's date has. Within a boot
    /// no date moves it.
    pub fn hear(&mut self, date: Timestamp) -> Heard {
        let now = self.reading();
        let mut advanced = Duration::ZERO;
        if let Some(remote) = now.remote
            && self.awaits_date
        {
            let unsure = i64::try_from(UNSURE.as_millis()).unwrap_or(0);
            let at = date
                .0
                .saturating_sub(remote.ahead_millis)
                .saturating_sub(unsure);
            advanced = self.advance_to(Timestamp(at));
        }
        self.awaits_date = false;
        let now = self.reading();
        let ahead_millis = date.0 - now.at.0;
        let is_steady = self.heard_at.is_some_and(|at| now.at.since(at) < STEADY);
        let known = now.remote.filter(|_| is_steady);
        let is_closer = known.is_none_or(|it| ahead_millis > it.ahead_millis);
        if is_closer {
            self.heard_at = Some(now.at);
            self.last.remote = Some(RemoteClock {
                ahead_millis,
                boot: now.monotonic.boot,
            });
        }
        Heard {
            advanced,
            wall_ahead_millis: now.wall.0 - date.0,
        }
    }

    /// Moves to the time of `reading`, which another process has taken, if that is further. Returns
    /// by how much.
    pub fn catch_up(&mut self, reading: &ClockReading) -> Duration {
        let now = self.reading();
        if self.awaits_date
            && reading
                .remote
                .is_some_and(|it| it.boot == now.monotonic.boot)
        {
            self.awaits_date = false;
            self.last.remote = reading.remote;
        }
        self.advance_to(reading.time_at(now.monotonic))
    }

    fn advance_to(&mut self, at: Timestamp) -> Duration {
        let by = at.since(self.now());
        self.last.at = self.last.at.plus(by);
        by
    }

    /// Returns the ledger time.
    pub fn now(&self) -> Timestamp {
        self.reading().at
    }

    /// Returns the remote's clock at ledger time `at`; the wall clock's before its first reply.
    pub fn to_remote_time(&self, at: Timestamp) -> Timestamp {
        match self.last.remote {
            Some(remote) => Timestamp(at.0.saturating_add(remote.ahead_millis)),
            None => self.to_wall_time(at),
        }
    }

    /// Returns all times at once, to be stored with the ledger.
    pub fn reading(&self) -> ClockReading {
        let monotonic = self.clock.monotonic();
        let passed = (monotonic.millis - self.last.monotonic.millis).max(0);
        ClockReading {
            at: Timestamp(self.last.at.0.saturating_add(passed)),
            wall: self.clock.now(),
            monotonic,
            remote: self.last.remote,
        }
    }

    /// Returns the clock behind it.
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns the wall time at which ledger time will be `at`, if the date is not set until then.
    pub fn to_wall_time(&self, at: Timestamp) -> Timestamp {
        let now = self.reading();
        Timestamp(at.0.saturating_add(now.wall.0 - now.at.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::clock::ClockSkew;

    fn noon() -> Timestamp {
        Timestamp::parse("2026-11-22T12:00+08:00").unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn ledger_time_ignores_a_date_that_was_set() {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let ledger_clock = LedgerClock::resume(Clock::starting_at(noon()).skewed(skew), None);
        skew.wall.store(7_200_000, Relaxed);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(ledger_clock.now(), noon().plus(Duration::from_secs(1)));
        skew.wall.store(-7_200_000, Relaxed);
        assert_eq!(ledger_clock.now(), noon().plus(Duration::from_secs(1)));
        assert_eq!(
            ledger_clock.to_wall_time(ledger_clock.now()),
            ledger_clock.clock().now(),
            "times that are shown follow the date"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn ledger_time_counts_suspended_time() {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let ledger_clock = LedgerClock::resume(Clock::starting_at(noon()).skewed(skew), None);
        skew.suspended.store(3_600_000, Relaxed);
        assert_eq!(ledger_clock.now(), noon().plus(Duration::from_secs(3600)));
    }

    const HOURS: i64 = 3_600_000;

    /// A machine that is down for `down` and boots with its wall clock set by `wall_millis`; returns
    /// the ledger's clock before it, and after it.
    async fn reboot(down: Duration, wall_millis: i64) -> (ClockReading, LedgerClock) {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let clock = Clock::starting_at(noon()).skewed(skew);
        let mut before = LedgerClock::resume(clock, None);
        // The remote is nine hours ahead of this machine.
        before.hear(clock.now().plus(Duration::from_secs(9 * 3600)));
        let reading = before.reading();
        tokio::time::advance(down).await;
        let clock = clock.rebooted();
        skew.wall.store(wall_millis, Relaxed);
        (reading, LedgerClock::resume(clock, Some(reading)))
    }

    #[tokio::test(start_paused = true)]
    async fn wall_clock_that_is_ahead_at_boot_moves_nothing() {
        let (before, mut after) = reboot(Duration::from_secs(600), 8 * HOURS).await;
        assert_eq!(after.now(), before.at);
        assert!(after.awaits_date());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(after.now(), before.at.plus(Duration::from_secs(60)));
        let date = noon().plus(Duration::from_secs(9 * 3600 + 660));
        let heard = after.hear(date);
        assert_eq!(heard.advanced, Duration::from_secs(600) - UNSURE);
        assert_eq!(heard.wall_ahead_millis, -HOURS);
        assert!(!after.awaits_date());
        let again = after.hear(date.plus(Duration::from_secs(7 * 3600)));
        assert_eq!(again.advanced, Duration::ZERO, "within a boot");
    }

    #[tokio::test(start_paused = true)]
    async fn wall_clock_that_is_behind_at_boot_holds_nothing_back() {
        let (before, mut after) = reboot(Duration::from_secs(86_400), -48 * HOURS).await;
        assert_eq!(after.now(), before.at);
        after.hear(noon().plus(Duration::from_secs(33 * 3600)));
        assert_eq!(
            after.now(),
            before.at.plus(Duration::from_secs(86_400) - UNSURE)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn process_catches_up_with_one_that_has_heard_the_date() {
        let (before, mut first) = reboot(Duration::from_secs(86_400), 0).await;
        let mut second = LedgerClock::resume(first.clock(), Some(first.reading()));
        first.hear(noon().plus(Duration::from_secs(33 * 3600)));
        assert!(second.awaits_date());
        assert!(!second.catch_up(&first.reading()).is_zero());
        assert!(!second.awaits_date());
        assert_eq!(second.now(), first.now());
        assert!(second.now() > before.at);
        let third = LedgerClock::resume(first.clock(), Some(second.reading()));
        assert!(!third.awaits_date());
    }

    #[tokio::test(start_paused = true)]
    async fn remote_time_is_that_of_the_quickest_reply() {
        let mut clock = LedgerClock::resume(Clock::starting_at(noon()), None);
        assert_eq!(clock.to_remote_time(clock.now()), noon());
        let date = noon().plus(Duration::from_secs(60));
        clock.hear(date);
        tokio::time::advance(Duration::from_secs(5)).await;
        clock.hear(date);
        assert_eq!(
            clock.to_remote_time(clock.now()),
            date.plus(Duration::from_secs(5))
        );
        tokio::time::advance(STEADY).await;
        clock.hear(date);
        assert_eq!(clock.to_remote_time(clock.now()), date);
    }
}
