//! How long the calls for pending_ids take, which are made at the same time as the lookups.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

use super::{forecast, to_wall_time};
use crate::{
    clock::Timestamp,
    format::{count, duration},
    model::{State, Tally},
    quota::ForecastInput,
};

/// The calls for pending_ids, in windows of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PendingIdPlan {
    /// So many: those that are due, and of the subjects that are to be looked up as large a share as
    /// was unlinked so far.
    pub calls: u64,
    /// Nobody was looked up so far: they are no more than that.
    pub at_most: bool,
    /// From now to the last of them, if the lookups keep ahead.
    pub seconds: u64,
    /// When that is, by the wall clock, as in [`Scenario`](super::Scenario).
    pub finish: Option<String>,
}

impl PendingIdPlan {
    /// `due` are unlinked by now, of the subjects in `tally`; `lookups` are to be made. `input` is of
    /// their account; `wall` is the wall-clock time of `input.now`.
    pub(crate) fn compute(
        due: u64,
        lookups: u64,
        tally: &Tally,
        (input, wall): (&ForecastInput, Timestamp),
    ) -> Self {
        let unlinked = tally.of(State::Unlinked);
        let answered = unlinked + tally.of(State::Linked);
        let of_lookups = match answered {
            0 => lookups,
            _ => (u128::from(lookups) * u128::from(unlinked)).div_ceil(answered.into()) as u64,
        };
        let calls = due + of_lookups;
        let forecast = forecast(input, calls);
        Self {
            calls,
            at_most: answered == 0,
            seconds: forecast.seconds,
            finish: to_wall_time(forecast.finish, input.now, wall),
        }
    }

    /// For a terminal.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let finish = self.finish.as_deref().unwrap_or("beyond the calendar");
        let _ = writeln!(
            text,
            "\n{:<18}{:<14}{finish}",
            "Pending ids",
            duration(Duration::from_secs(self.seconds))
        );
        let at_most = if self.at_most { "at most " } else { "about " };
        let calls = count(self.calls);
        let _ = writeln!(
            text,
            "  {at_most}{calls} calls at the same time, in windows of their own:"
        );
        let _ = writeln!(text, "  all is done at the later of the two ends");
        text
    }
}
