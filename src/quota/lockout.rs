//! A lockout: the API answered 45009 in spite of the ledger, and is left alone for a while.

use std::time::Duration;

use super::{CallKind, Hold, HoldReason, RefusedAt};
use crate::{
    clock::Timestamp,
    model::{Period, QuotaWindow},
};

/// The length of a minute's lockout, of which jitter adds up to a tenth.
const MINUTE: Duration = Duration::from_secs(60);
/// Natural days that a lockout of the day is waited for before it is taken for the month's: "one
/// natural day" (D90454) may mean 24 hours, and clocks differ.
const DAYS: u8 = 2;

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

    /// The period of the limit that it is taken for; `None` without a lockout.
    pub(super) const fn period(self) -> Option<Period> {
        match self {
            Self::Clear => None,
            Self::Minute => Some(Period::Minute),
            Self::Hour => Some(Period::Hour),
            Self::Day => Some(Period::Day),
            Self::Month => Some(Period::Month),
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

    /// What crossing `window` leads to.
    const fn of(window: QuotaWindow) -> Self {
        match window.period() {
            Period::Minute => Self::Minute,
            Period::Hour => Self::Hour,
            Period::Day => Self::Day,
            Period::Month => Self::Month,
        }
    }
}

/// A call that was refused with 45009.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuotaRefusal {
    /// When it was sent, in ledger time.
    pub sent: Timestamp,
    /// What it was charged as.
    pub kind: CallKind,
    /// When it was refused, in ledger time.
    pub now: Timestamp,
    /// The same moment by the remote's clock, which turns natural days.
    pub remote: Timestamp,
    /// 0 to 1: adds up to a tenth of a minute.
    pub jitter: f64,
}

/// A probe that is under way: until when its result is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Probe(Timestamp);

impl Probe {
    /// A probe whose result is awaited until `until`.
    #[must_use]
    pub const fn until(until: Timestamp) -> Self {
        Self(until)
    }

    /// Until when its result is awaited, in ledger time; the epoch if there is none.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.0
    }
}

/// The lockout in force. It is durable: a restart does not probe early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lockout {
    /// How long it is.
    pub level: LockoutLevel,
    /// When one probe may be sent, in ledger time.
    pub until: Timestamp,
    /// Natural days that it has been taken for a lockout of the day.
    pub days: u8,
    /// The probe that is under way, of whichever process.
    pub probe: Probe,
    /// What the account held as its first call was refused.
    pub refused_at: RefusedAt,
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

    /// # Errors
    ///
    /// The hold while another process probes.
    pub(crate) fn check_others(&self, now: Timestamp) -> Result<(), Hold> {
        if !self.is_probed(now) {
            return Ok(());
        }
        Err(Hold {
            until: Some(self.probe.end()),
            reason: HoldReason::Lockout,
        })
    }

    /// When one probe may be sent, if the API is locked.
    pub(crate) fn probe_from(&self) -> Option<Timestamp> {
        self.is_active().then_some(self.until)
    }

    /// Whether a probe is under way.
    #[must_use]
    pub fn is_probed(&self, now: Timestamp) -> bool {
        self.is_active() && now < self.probe.end()
    }

    /// Whether the API is locked or a probe is due.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.level != LockoutLevel::Clear
    }

    /// Returns the lockout that follows `refusal`: that of the window that explains it, a minute if
    /// none does, and the next one up after a refused probe. A month is never the first guess: thirty
    /// days for one refusal that others have met.
    pub(super) fn next(self, explained: Option<QuotaWindow>, refusal: &QuotaRefusal) -> Self {
        let level = match explained {
            Some(window) => LockoutLevel::of(window).min(LockoutLevel::Day),
            None if self.level == LockoutLevel::Day => return self.next_of_a_day(refusal),
            None => self.level.next(),
        };
        let jitter = (MINUTE / 10).mul_f64(refusal.jitter.clamp(0.0, 1.0));
        let length = match level {
            LockoutLevel::Clear | LockoutLevel::Minute => MINUTE,
            LockoutLevel::Hour => 60 * MINUTE,
            LockoutLevel::Day => until_next_day(refusal.remote),
            LockoutLevel::Month => 30 * DAY,
        };
        Self {
            level,
            until: refusal.now.plus(length).plus(jitter),
            days: u8::from(level == LockoutLevel::Day),
            probe: Probe::default(),
            refused_at: self.refused_at,
        }
    }

    /// A probe of a day's lockout was refused: again in ten minutes after midnight, hourly to noon,
    /// then on the next day, and only after whole days it is the month's.
    fn next_of_a_day(self, refusal: &QuotaRefusal) -> Self {
        let since_midnight = DAY.saturating_sub(until_next_day(refusal.remote) - MINUTE);
        let after = match since_midnight {
            time if time < 10 * MINUTE => 10 * MINUTE,
            time if time < DAY / 2 => 60 * MINUTE,
            _ => until_next_day(refusal.remote),
        };
        let days = self.days + u8::from(since_midnight >= DAY / 2);
        if days > DAYS {
            return Self {
                level: LockoutLevel::Month,
                until: refusal.now.plus(30 * DAY),
                refused_at: self.refused_at,
                ..Self::default()
            };
        }
        Self {
            until: refusal.now.plus(after),
            days,
            probe: Probe::default(),
            ..self
        }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// From `remote` to a minute after the next midnight.
fn until_next_day(remote: Timestamp) -> Duration {
    remote.next_natural_day().since(remote) + MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn refused(text: &str) -> QuotaRefusal {
        QuotaRefusal {
            sent: at(text),
            kind: CallKind::Standard,
            now: at(text),
            remote: at(text),
            jitter: 0.0,
        }
    }

    /// Refuses every probe from `start` on; returns level and time of each.
    fn ladder(start: &str, explained: Option<QuotaWindow>, steps: usize) -> Vec<(String, String)> {
        let mut refusal = refused(start);
        let mut lockout = Lockout::default().next(explained, &refusal);
        let mut list = Vec::new();
        for _ in 0..steps {
            let until = lockout.until.rfc3339();
            list.push((lockout.level.code().to_owned(), until[5..16].to_owned()));
            (refusal.now, refusal.remote) = (lockout.until, lockout.until);
            lockout = lockout.next(None, &refusal);
        }
        list
    }

    fn days(list: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(level, at): &(&str, &str)| ((*level).to_owned(), (*at).to_owned());
        list.iter().map(owned).collect()
    }

    #[test]
    fn each_refused_probe_is_one_level_up_to_the_day() {
        let expected = [
            ("minute", "11-22T21:01"),
            ("hour", "11-22T22:01"),
            ("day", "11-23T00:01"),
            ("day", "11-23T00:11"),
            ("day", "11-23T01:11"),
        ];
        assert_eq!(ladder("2026-11-22T21:00+08:00", None, 5), days(&expected));
    }

    #[test]
    fn month_follows_only_after_two_whole_days() {
        let list = ladder("2026-11-22T21:00+08:00", Some(QuotaWindow::BusinessDay), 40);
        let month = list.iter().position(|(level, _)| level == "month").unwrap();
        let last_day = &list[month - 1].1;
        assert!(last_day.starts_with("11-24T12"), "{last_day}");
        let midnights = list.iter().filter(|(_, at)| at.ends_with("T00:01")).count();
        assert_eq!(midnights, 2);
    }

    #[test]
    fn window_that_explains_a_refusal_sets_its_level() {
        let level = |window| {
            let refusal = refused("2026-11-22T12:00+08:00");
            Lockout::default().next(Some(window), &refusal).level
        };
        assert_eq!(level(QuotaWindow::BasicHour), LockoutLevel::Hour);
        assert_eq!(level(QuotaWindow::BusinessDay), LockoutLevel::Day);
        assert_eq!(level(QuotaWindow::BusinessMonth), LockoutLevel::Day);
    }

    #[test]
    fn natural_day_turns_by_the_remotes_clock() {
        let mut refusal = refused("2026-11-22T12:00+08:00");
        refusal.remote = at("2026-11-22T22:00+08:00");
        refusal.jitter = 1.0;
        let lockout = Lockout::default().next(Some(QuotaWindow::BusinessDay), &refusal);
        assert_eq!(lockout.until.rfc3339(), "2026-11-22T14:01:06+08:00");
    }

    #[test]
    fn only_one_process_probes() {
        let refusal = refused("2026-11-22T12:00+08:00");
        let mut lockout = Lockout::default().next(None, &refusal);
        let due = lockout.until;
        assert!(lockout.check(due, 0).is_ok());
        lockout.probe = Probe::until(due.plus(MINUTE));
        assert!(lockout.check_others(due).is_err());
        assert!(lockout.check_others(due.plus(MINUTE)).is_ok());
    }
}
