//! The windows of a lane, by name, and how much of each we allow ourselves.

use std::{fmt, str::FromStr, time::Duration};

use crate::clock::Timestamp;

const SECOND: i64 = 1000;

/// The five windows: two basic ones that always apply, three business ones that a ticket lifts
/// (D90454, D95818).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QuotaWindow {
    /// 60 s, every call.
    BasicMinute,
    /// 60 min, every call.
    BasicHour,
    /// 60 min, calls without a ticket.
    BusinessHour,
    /// 24 h, calls without a ticket.
    BusinessDay,
    /// 30 days, calls without a ticket.
    BusinessMonth,
}

impl QuotaWindow {
    /// All five, the ones that apply to every call first.
    pub const ALL: [Self; 5] = [
        Self::BasicMinute,
        Self::BasicHour,
        Self::BusinessHour,
        Self::BusinessDay,
        Self::BusinessMonth,
    ];

    /// Its name in flags, files and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BasicMinute => "basic.minute",
            Self::BasicHour => "basic.hour",
            Self::BusinessHour => "business.hour",
            Self::BusinessDay => "business.day",
            Self::BusinessMonth => "business.month",
        }
    }

    /// Its number in the state file.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }

    /// Whether a ticket lifts it (D96250).
    #[must_use]
    pub const fn is_business(self) -> bool {
        matches!(
            self,
            Self::BusinessHour | Self::BusinessDay | Self::BusinessMonth
        )
    }

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_millis(self.millis().unsigned_abs())
    }

    pub(super) const fn millis(self) -> i64 {
        match self {
            Self::BasicMinute => 60 * SECOND,
            Self::BasicHour | Self::BusinessHour => 3600 * SECOND,
            Self::BusinessDay => 86_400 * SECOND,
            Self::BusinessMonth => 30 * 86_400 * SECOND,
        }
    }

    /// How finely charges are kept: a three-hundredth of the span, which is what sliding wastes.
    pub(super) const fn slot_millis(self) -> i64 {
        self.millis() / 300
    }

    /// What the page promises (D90454, D95818); "default values that the platform may change".
    #[must_use]
    pub const fn published(self) -> u64 {
        match self {
            Self::BasicMinute => 10_000,
            Self::BasicHour => 150_000,
            Self::BusinessHour => 100_000,
            Self::BusinessDay => 480_000,
            Self::BusinessMonth => 7_500_000,
        }
    }
}

impl fmt::Display for QuotaWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for QuotaWindow {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let span = Self::ALL.into_iter().find(|span| span.name() == name);
        span.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no window is called '{name}': {names}")
        })
    }
}

/// How windows are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowKind {
    /// Over the last span, whenever that began: safe on every reading of the remote's rules.
    #[default]
    Sliding,
    /// From the natural minute, hour, day or month (UTC+8) on: for those who know better.
    Calendar,
}

impl FromStr for WindowKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "sliding" => Ok(Self::Sliding),
            "calendar" => Ok(Self::Calendar),
            _ => Err(format!("'{word}' is neither 'sliding' nor 'calendar'")),
        }
    }
}

/// The most calls in each window; `None` where nothing limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([Option<u64>; 5]);

impl Limits {
    /// What the pages say.
    #[must_use]
    pub fn published() -> Self {
        Self(QuotaWindow::ALL.map(|span| Some(span.published())))
    }

    /// No limit at all: for loopback.
    #[must_use]
    pub const fn none() -> Self {
        Self([None; 5])
    }

    /// The limit of one window.
    #[must_use]
    pub const fn of(&self, span: QuotaWindow) -> Option<u64> {
        self.0[span as usize]
    }

    /// Sets the limit of one window.
    pub const fn set(&mut self, span: QuotaWindow, limit: Option<u64>) {
        self.0[span as usize] = limit;
    }

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// What the operator allows: the remote's limits, less what is left unused on purpose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// The remote's limits.
    pub limits: Limits,
    /// The share of every window left unused against clock differences, 0 to 1.
    pub margin: f64,
    /// A further share left to other systems of the same corp, 0 to 1.
    pub reserve: f64,
    /// How windows are counted.
    pub counting: WindowKind,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            limits: Limits::published(),
            margin: 0.02,
            reserve: 0.0,
            counting: WindowKind::Sliding,
        }
    }
}

impl Quota {
    /// The limits that the gate holds: each times (1 − margin − reserve), rounded down, at least 1.
    #[must_use]
    pub fn allowed(&self) -> Limits {
        let share = (1.0 - self.margin - self.reserve).clamp(0.0, 1.0);
        Limits(
            self.limits
                .0
                .map(|limit| limit.map(|limit| scaled(limit, share))),
        )
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "limits are far below 2^52 and the share is within 0 and 1"
)]
fn scaled(limit: u64, share: f64) -> u64 {
    // A hair is added so that 0.98 × 50 is 49 and not 48.999….
    ((limit as f64 * share + 1e-6).floor() as u64).clamp(u64::from(limit > 0), limit)
}

impl WindowKind {
    /// When a charge that landed in the slot beginning at `slot` leaves `span`'s window.
    pub(super) fn leaves(self, span: QuotaWindow, slot: Timestamp) -> Timestamp {
        match self {
            Self::Sliding => {
                Timestamp::from_millis(slot.as_millis() + span.slot_millis() + span.millis())
            }
            Self::Calendar => turn_after(span, slot),
        }
    }
}

/// The next turn of the natural minute, hour, day or month (UTC+8) after `at`.
fn turn_after(span: QuotaWindow, at: Timestamp) -> Timestamp {
    match span {
        QuotaWindow::BusinessDay => at.next_natural_day(),
        QuotaWindow::BusinessMonth => {
            let month = at.civil().date().first_of_month();
            let next = month.checked_add(jiff::Span::new().months(1));
            next.map_or(Timestamp::MAX, |day| {
                Timestamp::from_civil(day.at(0, 0, 0, 0))
            })
        }
        QuotaWindow::BasicMinute | QuotaWindow::BasicHour | QuotaWindow::BusinessHour => {
            let millis = span.millis();
            Timestamp::from_millis((at.as_millis().div_euclid(millis) + 1) * millis)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margin_and_reserve_leave_their_share() {
        let mut quota = Quota::default();
        assert_eq!(quota.allowed().of(QuotaWindow::BusinessHour), Some(98_000));
        quota.reserve = 0.08;
        assert_eq!(quota.allowed().of(QuotaWindow::BusinessHour), Some(90_000));
        quota.limits.set(QuotaWindow::BusinessHour, Some(1));
        assert_eq!(quota.allowed().of(QuotaWindow::BusinessHour), Some(1));
        quota.margin = 0.0;
        quota.reserve = 0.0;
        assert_eq!(quota.allowed(), quota.limits);
    }

    #[test]
    fn natural_windows_turn_at_plus_eight() {
        let at = Timestamp::parse("2026-11-30T23:59:30+08:00").unwrap();
        let turn = |span| turn_after(span, at).rfc3339();
        assert_eq!(turn(QuotaWindow::BasicMinute), "2026-12-01T00:00:00+08:00");
        assert_eq!(turn(QuotaWindow::BusinessHour), "2026-12-01T00:00:00+08:00");
        assert_eq!(turn(QuotaWindow::BusinessDay), "2026-12-01T00:00:00+08:00");
        assert_eq!(
            turn(QuotaWindow::BusinessMonth),
            "2026-12-01T00:00:00+08:00"
        );
    }
}
