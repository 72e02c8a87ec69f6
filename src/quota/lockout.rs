//! A lockout: the API answered 45009 in spite of the ledger, and is left alone for a while.

use std::time::Duration;

use super::{Hold, HoldReason};
use crate::{clock::Timestamp, model::QuotaWindow};

/// The length of a minute's lockout, of which jitter adds up to a tenth.
const MINUTE: Duration = Duration::from_secs(60);

/// How far up the ladder of D90454 a lockout is: the reply does not say which window was crossed,
/// so a probe that is refused again means a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum LockoutLevel {
    /// No lockout.
    #[default]
    Clear = 0,
    /// 60 s: the minute window.
    Minute = 1,
    /// 60 min: the hour window.
    Hour = 2,
    /// Until the next natural day (UTC+8): the day window.
    Day = 3,
    /// 30 days: the month window. The run stops and reports instead of waiting.
    Month = 4,
}

impl LockoutLevel {
    /// The level stored as `code`; the highest for an unknown one.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Clear,
            1 => Self::Minute,
            2 => Self::Hour,
            3 => Self::Day,
            _ => Self::Month,
        }
    }

    /// Its limit in JSON and text: `minute`, `hour`, `day` or `month`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Clear | Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Its limit in sentences: `minute`, `hour`, `day` or `30-day`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Month => "30-day",
            _ => self.code(),
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Clear => Self::Minute,
            Self::Minute => Self::Hour,
            Self::Hour => Self::Day,
            Self::Day | Self::Month => Self::Month,
        }
    }

    /// What crossing `window` leads to, by its span.
    const fn of(window: QuotaWindow) -> Self {
        match window.span().as_secs() {
            ..=60 => Self::Minute,
            61..=3_600 => Self::Hour,
            3_601..=86_400 => Self::Day,
            _ => Self::Month,
        }
    }

    /// How long it lasts from `wall` time on.
    fn length(self, wall: Timestamp) -> Duration {
        match self {
            Self::Clear | Self::Minute => MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => wall.next_natural_day().since(wall),
            Self::Month => Duration::from_secs(30 * 86_400),
        }
    }
}

/// The lockout in force. It is durable: a restart does not probe early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lockout {
    /// How long it is.
    pub level: LockoutLevel,
    /// When one probe may be sent, in ledger time.
    pub until: Timestamp,
}

impl Lockout {
    /// # Errors
    ///
    /// The hold until the probe may be sent, and then until it has completed.
    pub(crate) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        if !self.is_active() {
            return Ok(());
        }
        Hold::one_probe(now, self.until, in_flight, HoldReason::Lockout)
    }

    /// Whether the API is locked or a probe is due.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.level != LockoutLevel::Clear
    }

    /// Returns the lockout that follows another refusal at ledger time `now`, which `wall` time
    /// shows: one level up, or that of the window that explains it if that is longer. `jitter`, 0
    /// to 1, adds up to a tenth of a minute.
    pub(super) fn next(
        self,
        explained: Option<QuotaWindow>,
        now: Timestamp,
        wall: Timestamp,
        jitter: f64,
    ) -> Self {
        let explained = explained.map(LockoutLevel::of).unwrap_or_default();
        let level = self.level.next().max(explained);
        let jitter = (MINUTE / 10).mul_f64(jitter.clamp(0.0, 1.0));
        Self {
            level,
            until: now.plus(level.length(wall)).plus(jitter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn each_refused_probe_is_one_level_up() {
        let now = at("2026-11-22T23:30+08:00");
        let mut lockout = Lockout::default();
        let until = [(); 5].map(|()| {
            lockout = lockout.next(None, now, now, 0.0);
            (lockout.level.code(), lockout.until.rfc3339())
        });
        let expected = [
            ("minute", "2026-11-22T23:31:00+08:00"),
            ("hour", "2026-11-23T00:30:00+08:00"),
            ("day", "2026-11-23T00:00:00+08:00"),
            ("month", "2026-12-22T23:30:00+08:00"),
            ("month", "2026-12-22T23:30:00+08:00"),
        ];
        assert_eq!(until, expected.map(|(code, at)| (code, at.to_owned())));
    }

    #[test]
    fn window_that_explains_a_refusal_sets_its_level() {
        let now = at("2026-11-22T12:00+08:00");
        let level = |window| Lockout::default().next(Some(window), now, now, 0.0).level;
        assert_eq!(level(QuotaWindow::BasicHour), LockoutLevel::Hour);
        assert_eq!(level(QuotaWindow::BusinessDay), LockoutLevel::Day);
        assert_eq!(level(QuotaWindow::BusinessMonth), LockoutLevel::Month);
    }

    #[test]
    fn natural_day_turns_by_the_wall_clock() {
        let (now, wall) = (at("2026-11-22T12:00+08:00"), at("2026-11-22T22:00+08:00"));
        let lockout = Lockout::default().next(Some(QuotaWindow::BusinessDay), now, wall, 1.0);
        assert_eq!(lockout.until.rfc3339(), "2026-11-22T14:00:06+08:00");
    }
}
