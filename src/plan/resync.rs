//! What a resync costs tonight, and how old answers get night after night.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

use super::{PendingIdPlan, forecast};
use crate::{
    format::{count, duration},
    model::QuotaWindow,
    quota::{CallKind, ForecastInput},
};

const SECONDS_A_DAY: u32 = 86_400;
const DAY: f64 = SECONDS_A_DAY as f64;

/// What a night asks, and how many subjects there are. Ages are in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ResyncWork {
    /// Subjects without an answer.
    pub(crate) new: u64,
    /// Those that chosen passes ask: of retries, the parked, the unlinked, the linked.
    pub(crate) retried: u64,
    pub(crate) parked: u64,
    pub(crate) unlinked: u64,
    pub(crate) linked: u64,
    /// All unlinked and linked subjects, and how old their answers may get; none for never.
    pub(crate) all_unlinked: (u64, Duration),
    pub(crate) all_linked: (u64, Duration),
}

/// Serializes to what `plan resync --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ResyncPlan {
    /// Subjects that were never asked.
    pub(crate) new: u64,
    /// Those that `idferry retry` asked for.
    pub(crate) retried: u64,
    /// The parked.
    pub(crate) parked: u64,
    /// Unlinked subjects whose answer is old enough.
    pub(crate) unlinked: u64,
    /// Linked subjects whose answer is old enough.
    pub(crate) linked: u64,
    /// Calls of all of these.
    pub(crate) calls: u64,
    /// Calls of one night.
    pub(crate) nightly: u64,
    /// From now until all of them are made, if nothing stops the run.
    pub(crate) seconds: u64,
    /// How old an unlinked and a linked answer gets in the long run, at so many calls a night; `None`
    /// if there is none, if they are never asked again, or if the parked take all the calls.
    pub(crate) unlinked_days: Option<f64>,
    pub(crate) linked_days: Option<f64>,
    /// The calls for pending_ids, if they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pending_ids: Option<PendingIdPlan>,
}

impl ResyncPlan {
    /// Plans nights of at most `budget` calls, without a ticket; without a budget a night has what a
    /// day's quota allows.
    pub(crate) fn compute(work: &ResyncWork, input: &ForecastInput, budget: Option<u64>) -> Self {
        let calls = work.new + work.retried + work.parked + work.unlinked + work.linked;
        let standard = ForecastInput {
            kind: CallKind::Standard,
            ticket_until: None,
            ..input.clone()
        };
        let a_day = calls_in_a_day(&standard);
        let nightly = budget.map_or(a_day, |budget| budget.min(a_day));
        let a_round = overload(work, nightly);
        let age = |(subjects, after): (u64, Duration)| {
            let age = (after.as_secs_f64() / DAY + 1.0).max(a_round?);
            (subjects > 0 && !after.is_zero()).then_some((age * 10.0).round() / 10.0)
        };
        Self {
            new: work.new,
            retried: work.retried,
            parked: work.parked,
            unlinked: work.unlinked,
            linked: work.linked,
            calls,
            nightly,
            seconds: forecast(&standard, calls).seconds,
            unlinked_days: age(work.all_unlinked),
            linked_days: age(work.all_linked),
            pending_ids: None,
        }
    }

    /// The same with calls for pending_ids.
    pub(crate) fn with_pending_ids(mut self, pending_ids: Option<PendingIdPlan>) -> Self {
        self.pending_ids = pending_ids;
        self
    }

    /// For a terminal.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        for (name, subjects) in [
            ("new", self.new),
            ("retried", self.retried),
            ("parked", self.parked),
            ("unlinked", self.unlinked),
            ("linked", self.linked),
            ("calls", self.calls),
        ] {
            let _ = writeln!(text, "  {name:<10}{:>14}", count(subjects));
        }
        let takes = duration(Duration::from_secs(self.seconds));
        let nightly = count(self.nightly);
        let _ = writeln!(
            text,
            "\nTonight's calls take {takes}, if nothing stops them."
        );
        for (state, days) in [
            ("unlinked", self.unlinked_days),
            ("linked", self.linked_days),
        ] {
            if let Some(days) = days {
                let _ = writeln!(
                    text,
                    "At {nightly} calls a night {state} answers get {days} days old."
                );
            }
        }
        text.extend(self.pending_ids.as_ref().map(PendingIdPlan::render));
        text
    }
}

/// How many nights it takes to ask everybody once if the nights are too short for the ages that were
/// wanted; 0 if they are not, `None` if they never suffice.
#[expect(clippy::cast_precision_loss, reason = "days are rounded")]
fn overload(work: &ResyncWork, nightly: u64) -> Option<f64> {
    let rounds = [work.all_unlinked, work.all_linked];
    let rounds = rounds.iter().filter(|(_, after)| !after.is_zero());
    let (mut subjects, mut wanted) = (0.0, 0.0);
    for (all, after) in rounds {
        subjects += *all as f64;
        wanted += *all as f64 / (after.as_secs_f64() / DAY);
    }
    let left = nightly.saturating_sub(work.parked) as f64;
    match wanted > left {
        true if left > 0.0 => Some(subjects / left),
        true => None,
        false => Some(0.0),
    }
}

/// Returns how many calls the quota allows a day in the long run: the least of its windows, each spread
/// over its span.
fn calls_in_a_day(input: &ForecastInput) -> u64 {
    let limits = input.account.limits();
    let a_day = QuotaWindow::ALL.into_iter().filter_map(|window| {
        let limit = u128::from(limits.of(window)?);
        let span = window.span().as_secs();
        u64::try_from(limit * u128::from(SECONDS_A_DAY) / u128::from(span.max(1))).ok()
    });
    a_day.min().unwrap_or(u64::MAX)
}
