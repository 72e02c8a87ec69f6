//! Whether to apply for the ticket.

use super::{Scenario, TicketScenario, render::lasting};
use crate::{clock::Timestamp, format::count, model::QuotaWindow};

const DAY_SECONDS: u64 = 86_400;
const ONLY_ONCE: &str = "A ticket can be obtained once, within 3 months of the authorisation, \
                         and lives 7 days (D96250)";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recommendation {
    Export,
    Run,
    Apply,
}

impl Recommendation {
    pub(super) fn command(self, inputs: &str) -> String {
        let command = match self {
            Self::Export => return "idferry export".to_owned(),
            Self::Run => format!("idferry run {inputs}"),
            Self::Apply => format!("idferry run {inputs} --ticket apply"),
        };
        command.replace("  ", " ")
    }
}

pub(super) struct Advice {
    pub(super) step: Recommendation,
    pub(super) sentences: String,
}

/// Compares both scenarios. There is only one ticket, so it is advised only where it gains a lot
/// of time.
pub(super) fn advise(
    calls: u64,
    without: &Scenario,
    with: Option<&TicketScenario>,
    stored: bool,
) -> Advice {
    let Some(with) = with.filter(|_| calls > 0) else {
        return without_ticket(calls, without);
    };
    let (slow, fast) = (lasting(without.seconds), lasting(with.seconds));
    let (step, sentences) = if with.forecast.finish == Timestamp::MAX {
        let why = "It is never done: a window allows no call (--quota).".to_owned();
        (Recommendation::Run, why)
    } else if stored {
        let rest = left_over(with);
        let why = format!("A ticket is stored and will be used: done in {fast}.{rest}");
        (Recommendation::Run, why)
    } else if is_done_today(without) {
        let why = format!(
            "Today's quota is enough: done in {slow} without a ticket. {ONLY_ONCE}: keep it."
        );
        (Recommendation::Run, why)
    } else if gains_little(without, with) {
        let why = format!(
            "A ticket would gain little: {slow} without, {fast} with one. {ONLY_ONCE}: keep it."
        );
        (Recommendation::Run, why)
    } else {
        let rest = left_over(with);
        let why = format!(
            "Apply for the ticket: done in {fast} instead of {slow}.{rest} \
             {ONLY_ONCE}: apply when the input is complete."
        );
        (Recommendation::Apply, why)
    };
    Advice { step, sentences }
}

/// There is nothing to ask, or no ticket to be had.
fn without_ticket(calls: u64, without: &Scenario) -> Advice {
    let (step, sentences) = if calls == 0 {
        (
            Recommendation::Export,
            "Nothing to ask: every subject is answered.".to_owned(),
        )
    } else if without.forecast.finish == Timestamp::MAX {
        let why = "It is never done: a window allows no call (--quota).".to_owned();
        (Recommendation::Run, why)
    } else {
        let why = format!(
            "Done in {} without a ticket: the only one of this corp was applied for already \
             (`idferry ticket show`).",
            lasting(without.seconds)
        );
        (Recommendation::Run, why)
    };
    Advice { step, sentences }
}

/// Whether it takes a day at most, and no window of a day or more holds calls.
fn is_done_today(scenario: &Scenario) -> bool {
    let held = |window: QuotaWindow| !scenario.forecast.held[window as usize].is_zero();
    let is_long = |window: &QuotaWindow| window.span().as_secs() >= DAY_SECONDS;
    let mut long = QuotaWindow::ALL.into_iter().filter(is_long);
    scenario.seconds <= DAY_SECONDS && !long.any(held)
}

/// Whether the ticket gains less than a tenth of the time, or less than an hour.
fn gains_little(without: &Scenario, with: &TicketScenario) -> bool {
    let gain = without.seconds.saturating_sub(with.seconds);
    gain < 3600 || gain < without.seconds / 10
}

/// Says what remains when the ticket expires and how long that takes; empty if nothing does.
fn left_over(with: &TicketScenario) -> String {
    let left = with.left_over;
    if with.fits || left == 0 {
        return String::new();
    }
    let after = lasting(
        with.seconds
            .saturating_sub(with.usable_seconds.unwrap_or(0)),
    );
    let left = count(left);
    format!(" Even so {left} subjects are left when it ends and take {after} more.")
}
