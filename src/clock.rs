//! Time: the system's, or tokio's paused time anchored to a date.
//!
//! There are three times. *Wall time*, [`Clock::now`], is the date, which can be set.
//! *Monotonic time*, [`Clock::monotonic`], counts from boot and cannot be set. *Ledger time*,
//! [`LedgerClock::now`], is what charges are dated with: it never runs backwards, includes the
//! time for which the machine was suspended, and ignores a wall clock that was set forward,
//! because the remote's clock was not. Beyond a boot it follows the remote's clock, which replies
//! tell ([`LedgerClock::hear`]).

mod ledger_clock;

use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    time::Duration,
};

use jiff::{
    civil,
    fmt::rfc2822::{DateTimeParser, DateTimePrinter},
    tz::{Offset, TimeZone},
};

pub use ledger_clock::{ClockReading, Heard, LedgerClock, RemoteClock};

/// The zone in which the remote's natural days begin: UTC+8, no daylight saving. D90454 does not
/// name it, so this is an assumption.
pub(crate) const SHANGHAI: Offset = jiff::tz::offset(8);

/// Milliseconds since 1970-01-01T00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest time there is; as the end of a wait it means never.
    pub(crate) const MAX: Self = Self(i64::MAX);

    /// Returns the time `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the time `span` later, rounded up to a millisecond, at most `Timestamp::MAX`.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let millis = span.as_nanos().div_ceil(1_000_000);
        Self(
            self.0
                .saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)),
        )
    }

    /// Returns the moment `span` before, to the millisecond.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// Returns the time passed since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(if millis > 0 { millis.unsigned_abs() } else { 0 })
    }

    /// Returns the civil time at +08:00; year 0 if the calendar does not reach that far.
    pub(crate) fn civil(self) -> civil::DateTime {
        jiff::Timestamp::from_millisecond(self.0)
            .map(|at| SHANGHAI.to_datetime(at))
            .unwrap_or_default()
    }

    /// Returns the time that is `at` at +08:00.
    pub(crate) fn from_civil(at: civil::DateTime) -> Self {
        SHANGHAI
            .to_timestamp(at)
            .map_or(Self::MAX, |at| Self(at.as_millisecond()))
    }

    /// Returns the next midnight at +08:00.
    pub fn next_natural_day(self) -> Self {
        self.civil()
            .date()
            .tomorrow()
            .map_or(Self::MAX, |day| Self::from_civil(day.at(0, 0, 0, 0)))
    }

    /// Returns RFC 3339 with seconds and `+08:00`, the format of the results file.
    pub fn rfc3339(self) -> String {
        self.civil().strftime("%Y-%m-%dT%H:%M:%S+08:00").to_string()
    }

    /// Parses the `Date` of an HTTP reply: `Fri, 27 Nov 2026 12:00:00 GMT`.
    pub(crate) fn parse_http_date(text: &str) -> Option<Self> {
        let at = DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Self(at.as_millisecond()))
    }

    /// Returns the `Date` of an HTTP reply, in whole seconds.
    pub(crate) fn http_date(self) -> String {
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
        text.unwrap_or_default()
    }

    /// Parses RFC 3339 with optional seconds and zone: `2026-11-22T09:00+08:00`. The default zone
    /// is +08:00. The error is a sentence that names the expected form.
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

/// Monotonic time: milliseconds since boot, suspended time included, and the boot they count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonotonicTime {
    /// Identifies the boot; 0 where the system does not tell.
    pub boot: u64,
    /// Milliseconds since a fixed moment of that boot.
    pub millis: i64,
}

/// How far tests move the clocks of a virtual [`Clock`], in milliseconds.
#[derive(Debug, Default)]
pub struct ClockSkew {
    /// Added to wall time alone: the date was set.
    pub wall: AtomicI64,
    /// Added to wall and monotonic time: the machine was suspended.
    pub suspended: AtomicI64,
}

#[derive(Debug, Clone, Copy)]
enum TimeSource {
    System {
        boot: u64,
    },
    Virtual {
        anchor: tokio::time::Instant,
        wall: Timestamp,
        skew: Option<&'static ClockSkew>,
        boot: u64,
        booted: i64,
    },
}

/// Tells wall time and monotonic time: the system's, or virtual.
#[derive(Debug, Clone, Copy)]
pub struct Clock(TimeSource);

impl Clock {
    /// Returns the system's clock.
    pub fn system() -> Self {
        Self(TimeSource::System { boot: boot_id() })
    }

    /// Returns a clock that follows tokio's (paused) time, beginning at `wall`. To be called inside
    /// a tokio runtime.
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(TimeSource::Virtual {
            anchor: tokio::time::Instant::now(),
            wall,
            skew: None,
            boot: 1,
            // Monotonic time counts from the epoch, so that clocks made one after the other in
            // one process agree.
            booted: 0,
        })
    }

    /// Returns the same virtual clock after the machine has rebooted just now. The system's clock
    /// ignores it.
    #[must_use]
    pub fn rebooted(mut self) -> Self {
        let passed = self.monotonic().millis;
        if let TimeSource::Virtual { boot, booted, .. } = &mut self.0 {
            *boot += 1;
            *booted += passed;
        }
        self
    }

    /// Returns the same virtual clock moved by `skew`. The system's clock ignores it.
    pub fn skewed(mut self, moved: &'static ClockSkew) -> Self {
        if let TimeSource::Virtual { skew, .. } = &mut self.0 {
            *skew = Some(moved);
        }
        self
    }

    /// Returns the wall time, which jumps when the date is set.
    pub fn now(self) -> Timestamp {
        match self.0 {
            TimeSource::System { .. } => Timestamp(system_wall_time()),
            TimeSource::Virtual {
                anchor, wall, skew, ..
            } => {
                let off = skew.map_or(0, |skew| {
                    skew.wall.load(Relaxed) + skew.suspended.load(Relaxed)
                });
                Timestamp(wall.0 + elapsed(anchor) + off)
            }
        }
    }

    /// Returns the monotonic time, which setting the date does not change.
    pub fn monotonic(self) -> MonotonicTime {
        match self.0 {
            TimeSource::System { boot } => MonotonicTime {
                boot,
                millis: system_monotonic(),
            },
            TimeSource::Virtual {
                anchor,
                wall,
                skew,
                boot,
                booted,
            } => MonotonicTime {
                boot,
                millis: wall.0
                    + elapsed(anchor)
                    + skew.map_or(0, |skew| skew.suspended.load(Relaxed))
                    - booted,
            },
        }
    }
}

fn elapsed(anchor: tokio::time::Instant) -> i64 {
    i64::try_from(anchor.elapsed().as_millis()).unwrap_or(i64::MAX / 4)
}

fn system_wall_time() -> i64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    at.tv_sec * 1000 + at.tv_nsec / 1_000_000
}

/// On Linux `CLOCK_BOOTTIME` includes suspended time, `CLOCK_MONOTONIC` does not.
fn system_monotonic() -> i64 {
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

    #[test]
    fn http_dates_read_what_they_print() {
        assert_eq!(noon().http_date(), "Sun, 22 Nov 2026 04:00:00 GMT");
        assert_eq!(
            Timestamp::parse_http_date(&noon().http_date()),
            Some(noon())
        );
        assert_eq!(Timestamp::parse_http_date("yesterday"), None);
    }
}
