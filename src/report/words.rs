//! The sentences that bar and lines share.

use super::{
    HoldReason, LockoutLevel, QuotaWindow, RunEvent, Snapshot, Waiting, WindowUse,
    style::{count, counted, moment_and_wait, share_of},
};
use crate::clock::Timestamp;

/// What a window's use must reach to be worth showing.
const WORTH_SHOWING: f64 = 0.5;

/// What to say of an event at once, as heard at `now`; `None` if it is not worth a line.
pub(super) fn notable(event: &RunEvent, now: Option<Timestamp>) -> Option<String> {
    let when = |at: Timestamp| match now {
        Some(now) => moment_and_wait(at, now),
        None => at.to_string(),
    };
    let sentence = match event {
        RunEvent::LockedOut { rung, until } => format!(
            "{}, taken for {}: one probe at {}",
            HoldReason::Lockout,
            penalty(*rung),
            when(*until)
        ),
        RunEvent::LockoutEnded => "the block is over: the probe was answered".into(),
        RunEvent::Unreachable { failure, until } => format!(
            "{} ({failure}), next try at {}",
            HoldReason::Outage,
            when(*until)
        ),
        RunEvent::Reconnected => "the API can be reached again".into(),
        RunEvent::TicketRejected => {
            "the ticket does not work any more: the business windows apply from here".into()
        }
        RunEvent::Draining { in_flight } => draining(*in_flight),
        RunEvent::RetryPassStarted => "asking the parked subjects once more".into(),
        RunEvent::Started { .. }
        | RunEvent::Progress(_)
        | RunEvent::ForecastInput(_)
        | RunEvent::TokenFetched
        | RunEvent::ConcurrencyReduced { .. } => return None,
    };
    Some(sentence)
}

/// Stopping is a story too.
pub(super) fn draining(in_flight: usize) -> String {
    let calls = counted(in_flight as u64, "call");
    format!("stopping: no new calls, {calls} in the air awaited")
}

fn penalty(rung: LockoutLevel) -> &'static str {
    match rung {
        LockoutLevel::Clear | LockoutLevel::Minute => "the minute limit",
        LockoutLevel::Hour => "the hour limit",
        LockoutLevel::Day => "the day limit",
        LockoutLevel::Month => "the 30-day limit",
    }
}

/// `waiting: business.hour is used up, goes on at 12:41:02 (in 30 min 31 s)`, with `between`
/// instead of the comma.
pub(super) fn waiting(wait: &Waiting, now: Timestamp, between: &str) -> String {
    let reason = wait.reason;
    match wait.until {
        Some(until) => {
            let goes_on = moment_and_wait(until, now);
            format!("waiting: {reason}{between}goes on at {goes_on}")
        }
        None => format!("waiting: {reason}{between}goes on when a call lands"),
    }
}

/// The windows worth showing: the one that holds, and those at least half full.
pub(super) fn worth_showing(snapshot: &Snapshot) -> impl Iterator<Item = &WindowUse> {
    let binding = snapshot.hold.and_then(|hold| match hold.reason {
        HoldReason::Window(span) => Some(span),
        _ => None,
    });
    snapshot.windows.iter().filter(move |window| {
        binding == Some(window.span) || share_of(window.used, window.limit) >= WORTH_SHOWING
    })
}

/// The one of them to name if there is room for one: the fullest, and of equals the longest. The
/// minute's fills and empties all the time, so it is named only if no other is.
pub(super) fn tightest(snapshot: &Snapshot) -> Option<&WindowUse> {
    worth_showing(snapshot).max_by(|one, other| {
        let rank = |window: &WindowUse| {
            let lasting = window.span != QuotaWindow::BasicMinute;
            (lasting, share_of(window.used, window.limit))
        };
        let ((lasting, share), (others_lasting, others)) = (rank(one), rank(other));
        lasting
            .cmp(&others_lasting)
            .then(share.total_cmp(&others))
            .then(one.span.cmp(&other.span))
    })
}

/// `98,000 of 98,000 business.hour`
pub(super) fn window(window: &WindowUse) -> String {
    let (used, limit) = (count(window.used), count(window.limit));
    format!("{used} of {limit} {}", window.span)
}
