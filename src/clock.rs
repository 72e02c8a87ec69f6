//! Time: the system's, or tokio's paused time anchored to a date.
//!
//! Three questions are kept apart. *What is the date?* is [`Clock::now`]. *How much time has
//! passed, whatever anybody did to the date?* is [`Clock::steady`]. *What time is it in the
//! books?* is [`LedgerClock::now`]: it never runs backwards, counts a suspended laptop's sleep,
//! and does not believe a wall clock that was set forward, because the remote would not.

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::Duration,
};

use jiff::{
    civil,
    tz::{Offset, TimeZone},
};

/// Where the remote's natural days turn: UTC+8, no daylight saving. (The page does not name the
/// zone; D90454 marks it as unstated, UTC+8 is the assumption.)
pub const SHANGHAI: Offset = jiff::tz::offset(8);

/// Milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The end of time, as far as waiting is concerned.
    pub const MAX: Self = Self(i64::MAX);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Later by `span`, to the millisecond, rounded up; stops at [`Timestamp::MAX`].
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let millis = span.as_nanos().div_ceil(1_000_000);
        Self(
            self.0
                .saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(if millis > 0 { millis.unsigned_abs() } else { 0 })
    }

    /// Civil time at +08:00; the year 0 for what no calendar holds.
    #[must_use]
    pub fn civil(self) -> civil::DateTime {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|at| SHANGHAI.to_datetime(at))
            .unwrap_or_default()
    }

    /// From civil time at +08:00.
    #[must_use]
    pub fn from_civil(at: civil::DateTime) -> Self {
        SHANGHAI
            .to_timestamp(at)
            .map_or(Self::MAX, |at| Self(at.as_millisecond()))
    }

    /// The next midnight at +08:00.
    #[must_use]
    pub fn next_natural_day(self) -> Self {
        self.civil()
            .date()
            .tomorrow()
            .map_or(Self::MAX, |day| Self::from_civil(day.at(0, 0, 0, 0)))
    }

    /// RFC 3339 with seconds and `+08:00`, as in the results file.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.civil().strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
    }

    /// Reads RFC 3339, seconds and zone optional (`2026-11-22T09:00+08:00`; without a zone +08:00).
    ///
    /// # Errors
    ///
    /// A sentence naming the expected form.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("'{text}' is not a time such as 2026-11-22T09:00+08:00");
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(at.as_millisecond()));
        }
        let at: civil::DateTime = text.parse().map_err(|_| expected())?;
        TimeZone::fixed(SHANGHAI)
            .to_timestamp(at)
            .map(|at| Self(at.as_millisecond()))
            .map_err(|_| expected())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A reading of the steady clock: time since boot, suspended time included, and which boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonotonicTime {
    /// Tells two boots apart; 0 where the system does not say.
    pub boot: u64,
    /// Milliseconds since some moment of that boot.
    pub millis: i64,
}

/// What a rehearsal does to its clocks: milliseconds that the wall clock is off, and milliseconds
/// that passed while the machine was suspended.
#[derive(Debug, Default)]
pub struct ClockSkew {
    /// Added to the wall clock alone: somebody set the date.
    pub wall: AtomicI64,
    /// Added to wall and steady clock: the lid was closed.
    pub suspended: AtomicI64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    System {
        boot: u64,
    },
    Virtual {
        anchor: tokio::time::Instant,
        wall: Timestamp,
        skew: Option<&'static ClockSkew>,
    },
}

/// Tells the time. A small value, copied about freely.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Kind);

impl Clock {
    /// The system's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System { boot: boot_id() })
    }

    /// Tokio's (paused) clock, with `wall` as the date of now. Call it inside a runtime.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Kind::Virtual {
            anchor: tokio::time::Instant::now(),
            wall,
            skew: None,
        })
    }

    /// The same clock, whose wall time and suspends follow `skew`.
    #[must_use]
    pub fn skewed(self, skew: &'static ClockSkew) -> Self {
        match self.0 {
            Kind::Virtual { anchor, wall, .. } => Self(Kind::Virtual {
                anchor,
                wall,
                skew: Some(skew),
            }),
            Kind::System { .. } => self,
        }
    }

    /// The date, in milliseconds; jumps when somebody sets it.
    #[must_use]
    pub fn now(self) -> Timestamp {
        match self.0 {
            Kind::System { .. } => Timestamp(system_wall()),
            Kind::Virtual { anchor, wall, skew } => {
                let off = skew.map_or(0, |skew| {
                    skew.wall.load(Relaxed) + skew.suspended.load(Relaxed)
                });
                Timestamp(wall.0 + elapsed(anchor) + off)
            }
        }
    }

    /// Time passed since boot, which no setting of the date changes.
    #[must_use]
    pub fn steady(self) -> MonotonicTime {
        match self.0 {
            Kind::System { boot } => MonotonicTime {
                boot,
                millis: system_steady(),
            },
            Kind::Virtual { anchor, wall, skew } => MonotonicTime {
                boot: 1,
                // Counted from the epoch, so that clocks made in one rehearsal one after the
                // other agree with each other.
                millis: wall.0
                    + elapsed(anchor)
                    + skew.map_or(0, |skew| skew.suspended.load(Relaxed)),
            },
        }
    }
}

fn elapsed(anchor: tokio::time::Instant) -> i64 {
    i64::try_from(anchor.elapsed().as_millis()).unwrap_or(i64::MAX / 4)
}

fn system_wall() -> i64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    at.tv_sec * 1000 + at.tv_nsec / 1_000_000
}

/// On Linux `CLOCK_MONOTONIC` stands still while the machine sleeps; `CLOCK_BOOTTIME` does not.
fn system_steady() -> i64 {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let at = rustix::time::clock_gettime(id);
    at.tv_sec * 1000 + at.tv_nsec / 1_000_000
}

fn boot_id() -> u64 {
    std::fs::read("/proc/sys/kernel/random/boot_id")
        .map_or(0, |id| xxhash_rust::xxh3::xxh3_64(&id) >> 1)
}

/// What a chronometer needs to go on in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The time in the books.
    pub at: Timestamp,
    /// The wall clock at that moment.
    pub wall: Timestamp,
    /// The steady clock at that moment.
    pub steady: MonotonicTime,
}

/// Time for the books: wall time at first, then moved by the steady clock alone.
#[derive(Debug, Clone, Copy)]
pub struct LedgerClock {
    clock: Clock,
    last: ClockReading,
}

impl LedgerClock {
    /// Goes on from the last reading, or starts at the wall clock's.
    ///
    /// Within one boot the steady clock says how long the books were closed. Across a reboot only
    /// the wall clock can, and a wall clock that went back counts as no time at all.
    #[must_use]
    pub fn resume(clock: Clock, last: Option<ClockReading>) -> Self {
        let (wall, steady) = (clock.now(), clock.steady());
        let at = match last {
            None => wall,
            Some(last) if last.steady.boot == steady.boot && steady.boot != 0 => {
                let passed = steady.millis.saturating_sub(last.steady.millis).max(0);
                Timestamp(last.at.0.saturating_add(passed))
            }
            Some(last) => last.at.plus(wall.since(last.wall)),
        };
        let last = ClockReading { at, wall, steady };
        Self { clock, last }
    }

    /// The time in the books.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.reading().at
    }

    /// All three clocks at once, to be written with the books.
    #[must_use]
    pub fn reading(&self) -> ClockReading {
        let steady = self.clock.steady();
        let passed = (steady.millis - self.last.steady.millis).max(0);
        ClockReading {
            at: Timestamp(self.last.at.0.saturating_add(passed)),
            wall: self.clock.now(),
            steady,
        }
    }

    /// The clock behind it.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// What the wall clock will show when the books reach `at`, if nobody sets it till then.
    #[must_use]
    pub fn to_wall_time(&self, at: Timestamp) -> Timestamp {
        let now = self.reading();
        Timestamp(at.0.saturating_add(now.wall.0 - now.at.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        Timestamp::parse("2026-11-22T12:00+08:00").unwrap()
    }

    #[test]
    fn civil_time_is_at_plus_eight() {
        assert_eq!(noon().rfc3339(), "2026-11-22T12:00:00+08:00");
        assert_eq!(noon(), Timestamp::parse("2026-11-22T04:00:00Z").unwrap());
        assert_eq!(noon(), Timestamp::parse("2026-11-22T12:00").unwrap());
        assert_eq!(
            noon().next_natural_day().rfc3339(),
            "2026-11-23T00:00:00+08:00"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_books_do_not_believe_a_clock_that_was_set() {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let books = LedgerClock::resume(Clock::starting_at(noon()).skewed(skew), None);
        skew.wall.store(7_200_000, Relaxed);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(books.now(), noon().plus(Duration::from_secs(1)));
        skew.wall.store(-7_200_000, Relaxed);
        assert_eq!(books.now(), noon().plus(Duration::from_secs(1)));
        assert_eq!(
            books.to_wall_time(books.now()),
            books.clock().now(),
            "what people read follows their clock"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_books_count_a_suspend() {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let books = LedgerClock::resume(Clock::starting_at(noon()).skewed(skew), None);
        skew.suspended.store(3_600_000, Relaxed);
        assert_eq!(books.now(), noon().plus(Duration::from_secs(3600)));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_reboot_the_books_never_go_back() {
        let clock = Clock::starting_at(noon());
        let ahead = ClockReading {
            at: noon().plus(Duration::from_secs(60)),
            wall: noon().plus(Duration::from_secs(60)),
            steady: MonotonicTime { boot: 7, millis: 5 },
        };
        assert_eq!(LedgerClock::resume(clock, Some(ahead)).now(), ahead.at);
    }
}
