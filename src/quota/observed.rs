//! What refusals tell of the remote's limits.

use super::CallKind;
use crate::model::{Limits, Period, QuotaWindow};

/// What the account held when the first call of a lockout was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefusedAt {
    /// Whether the call carried a ticket, which lifts the business windows.
    pub with_ticket: bool,
    /// Calls of the minute.
    pub minute: u64,
    /// Calls of the hour.
    pub hour: u64,
    /// Calls of the day.
    pub day: u64,
}

impl RefusedAt {
    /// Returns what the account held; `used` counts the calls in a window.
    pub(super) fn of(kind: CallKind, mut used: impl FnMut(QuotaWindow) -> u64) -> Self {
        let with_ticket = kind == CallKind::WithTicket;
        let mut held = Self {
            with_ticket,
            ..Self::default()
        };
        let mut count = |period| held.window(period).map_or(0, &mut used);
        let (minute, hour) = (count(Period::Minute), count(Period::Hour));
        let day = count(Period::Day);
        (held.minute, held.hour, held.day) = (minute, hour, day);
        held
    }

    /// The narrowest window of `period` that counts such a call; `None` for a month, which no lockout
    /// is first taken for.
    const fn window(&self, period: Period) -> Option<QuotaWindow> {
        match period {
            Period::Minute => Some(QuotaWindow::BasicMinute),
            Period::Hour if self.with_ticket => Some(QuotaWindow::BasicHour),
            Period::Hour => Some(QuotaWindow::BusinessHour),
            Period::Day if !self.with_ticket => Some(QuotaWindow::BusinessDay),
            _ => None,
        }
    }

    const fn calls(&self, period: Period) -> u64 {
        match period {
            Period::Minute => self.minute,
            Period::Hour => self.hour,
            Period::Day => self.day,
            Period::Month => 0,
        }
    }

    /// Whether the account held less than half of each of `limits`: it does not explain the refusal.
    #[must_use]
    pub fn is_far_below(&self, limits: &Limits) -> bool {
        let periods = [Period::Minute, Period::Hour, Period::Day];
        periods.into_iter().all(|period| {
            let limit = self.window(period).and_then(|window| limits.of(window));
            limit.is_none_or(|limit| self.calls(period) < limit / 2)
        })
    }

    /// Returns what a lockout tells that lasted for `period`: which window was crossed, and at how many
    /// calls. `None` if that was near the window's limit.
    #[must_use]
    pub fn observation(
        &self,
        period: Option<Period>,
        limits: &Limits,
    ) -> Option<(QuotaWindow, u64)> {
        let period = period?;
        let window = self.window(period)?;
        let calls = self.calls(period);
        let is_near = |limit: u64| calls >= limit - limit / 20;
        (calls > 0 && !limits.of(window).is_some_and(is_near)).then_some((window, calls))
    }
}

/// Returns the limit to keep where calls beyond `learnt` were refused.
pub(super) fn kept_below(learnt: u64) -> u64 {
    (learnt - learnt / 50).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_explained_by_half_a_window() {
        let limits = Limits::none()
            .with(QuotaWindow::BasicMinute, Some(100))
            .with(QuotaWindow::BusinessHour, Some(1000));
        let held = |minute, hour| RefusedAt {
            minute,
            hour,
            ..RefusedAt::default()
        };
        assert!(held(49, 499).is_far_below(&limits));
        assert!(!held(50, 499).is_far_below(&limits));
        assert!(!held(0, 500).is_far_below(&limits));
        let hour = |hour| held(9, hour).observation(Some(Period::Hour), &limits);
        assert_eq!(hour(500), Some((QuotaWindow::BusinessHour, 500)));
        assert_eq!(hour(950), None);
        assert_eq!(hour(0), None);
    }
}
