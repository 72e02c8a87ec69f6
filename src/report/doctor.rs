//! What the doctor found, for people.

use std::fmt::Write as _;

use super::{next_steps, phrases, style::folded};
use crate::{
    job::{Check, Grade},
    runner::event::{ClockDifference, StopReason},
};

const WIDTH: usize = 80;

pub(crate) fn render(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let word = match check.grade {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Fail => "fail",
        };
        let next = check.next.iter().map(|next| format!("-> {next}"));
        let lines = std::iter::once(check.found.clone()).chain(next);
        for (place, line) in lines.flat_map(|line| folded(&line, WIDTH - 20)).enumerate() {
            let (word, name) = if place == 0 {
                (word, check.name)
            } else {
                ("", "")
            };
            let _ = writeln!(text, "{word:4}  {name:13} {line}");
        }
    }
    text
}

/// After a lookup without an answer, which says nothing about permission.
pub(crate) const NOT_ANSWERED: &str = "the lookup was sent and not answered: the service is busy or out \
    of order; type this again in a while (a run keeps trying by itself)";

/// After a clock that differs.
pub(crate) const SET_CLOCK: &str = "`timedatectl set-ntp true`, where systemd keeps the time";

/// By how much the wall clock differs.
pub(crate) fn clock(clock: &ClockDifference) -> String {
    phrases::clock_differs(clock)
}

/// What of the first call failed, and its words with the next step; `None` if it was answered.
pub(crate) fn trouble(reason: &StopReason, address: &str) -> Option<(&'static str, String)> {
    Some(match reason {
        StopReason::Refused(refusal) => {
            let steps = next_steps::after_refusal(refusal).join("; ");
            let name = match (refusal.errcode, refusal.call) {
                (60020, _) => "trusted IP",
                (_, "gettoken") => "token",
                _ => "permission",
            };
            (
                name,
                format!("{}: {steps}", phrases::refused(refusal, None)),
            )
        }
        StopReason::TokensRefused => (
            "permission",
            format!("{} {}", phrases::TOKENS_REFUSED, next_steps::CHECK_SECRET),
        ),
        StopReason::Unreachable(failure) | StopReason::NotTheApi(failure) => (
            "address",
            format!("{failure}: {}", next_steps::unreachable(failure, address)),
        ),
        StopReason::Quota(wait) => ("quota", wait.reason.to_string()),
        _ => return None,
    })
}
