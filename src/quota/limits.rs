//! How much of each window is allowed, and when a charge leaves it.

use crate::{
    clock::Timestamp,
    model::{Limits, Period, QuotaWindow, WindowKind},
};

/// The length of `window` in milliseconds.
pub(super) const fn span_millis(window: QuotaWindow) -> i64 {
    window.span().as_millis() as i64
}

/// How finely the charges of a period are kept, in milliseconds: at most a three-hundredth of it,
/// which is what sliding wastes, and a whole part of a day, so that natural days begin with a slot.
pub(super) const fn slot_millis(period: Period) -> i64 {
    match period {
        Period::Minute => 200,
        Period::Hour => 12_000,
        Period::Day => 288_000,
        Period::Month => 8_640_000,
    }
}

/// The start of the slot of `period` that holds `at`. Slots are counted at +08:00.
pub(crate) const fn slot_of(period: Period, at: Timestamp) -> Timestamp {
    const SHIFT: i64 = 8 * 3600 * 1000;
    let millis = slot_millis(period);
    Timestamp::from_millis((at.as_millis() + SHIFT).div_euclid(millis) * millis - SHIFT)
}

/// The start of the oldest slot of `period` that is kept at `now`: twice the period, so that a change
/// from calendar to sliding windows still finds what it needs.
pub(crate) fn oldest_kept(period: Period, now: Timestamp) -> Timestamp {
    let span = i64::try_from(period.span().as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis() - 2 * span)
}

/// What the operator allows of the remote's limits, and what is left unused of that on purpose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// The most calls that the operator allows.
    pub limits: Limits,
    /// The remote's own limits, by which its refusals are explained: the published ones, unless it
    /// is a simulator.
    pub remote: Limits,
    /// The share of every window left unused against clock differences, 0 to 1.
    pub margin: f64,
    /// A further share left to other systems of the same corp, 0 to 1.
    pub reserve: f64,
    /// How windows are counted.
    pub window_kind: WindowKind,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            limits: Limits::published(),
            remote: Limits::published(),
            margin: 0.02,
            reserve: 0.0,
            window_kind: WindowKind::Sliding,
        }
    }
}

impl Quota {
    /// The first window that is allowed more calls than published, if one is.
    #[must_use]
    pub fn above_published(&self) -> Option<QuotaWindow> {
        QuotaWindow::ALL.into_iter().find(|window| {
            let limit = self.limits.of(*window);
            limit.is_none_or(|limit| limit > window.published())
        })
    }

    /// The limits that the gate holds: each times (1 − margin − reserve), rounded down, at least 1.
    #[must_use]
    pub fn allowed(&self) -> Limits {
        let share = (1.0 - self.margin - self.reserve).clamp(0.0, 1.0);
        self.limits.map(|limit| scaled(limit, share))
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

/// When a call that completed in the slot beginning at `slot` leaves `window`.
pub(super) fn leaves(kind: WindowKind, window: QuotaWindow, slot: Timestamp) -> Timestamp {
    match kind {
        WindowKind::Sliding => {
            let millis = slot_millis(window.period()) + span_millis(window);
            Timestamp::from_millis(slot.as_millis() + millis)
        }
        WindowKind::Calendar => turn_after(window, slot),
    }
}

/// The next turn of the natural minute, hour, day or month (UTC+8) after `at`; which of them, the
/// window's span tells.
fn turn_after(window: QuotaWindow, at: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000;
    match span_millis(window) {
        millis @ ..DAY => {
            let turns = at.as_millis().div_euclid(millis) + 1;
            Timestamp::from_millis(turns * millis)
        }
        DAY => at.next_natural_day(),
        _ => {
            let month = at.civil().date().first_of_month();
            let next = month.checked_add(jiff::Span::new().months(1));
            next.map_or(Timestamp::MAX, |day| {
                Timestamp::from_civil(day.at(0, 0, 0, 0))
            })
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
    fn limit_above_the_published_one_is_found() {
        let mut quota = Quota::default();
        assert_eq!(quota.above_published(), None);
        quota.limits.set(QuotaWindow::BusinessDay, Some(480_001));
        assert_eq!(quota.above_published(), Some(QuotaWindow::BusinessDay));
        quota.limits = Limits::none();
        assert_eq!(quota.above_published(), Some(QuotaWindow::BasicMinute));
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
