//! Counts, windows and waits as JSON, which several events have.

use serde::Serialize;

use super::super::{PassProgress, QuotaWindow, Waiting, WindowUse};
use crate::{
    clock::Timestamp,
    model::{State, Tally},
};

#[derive(Serialize)]
pub(super) struct SubjectCounts {
    total: u64,
    queued: u64,
    linked: u64,
    unlinked: u64,
    rejected: u64,
    parked: u64,
}

impl SubjectCounts {
    pub(super) fn of(tally: Tally) -> Self {
        Self {
            total: tally.total(),
            queued: tally.of(State::Queued),
            linked: tally.of(State::Linked),
            unlinked: tally.of(State::Unlinked),
            rejected: tally.of(State::Rejected),
            parked: tally.of(State::Parked),
        }
    }
}

#[derive(Serialize)]
pub(super) struct PassJson {
    pass: &'static str,
    asked: u64,
    subjects: u64,
}

impl PassJson {
    pub(super) const fn of(progress: PassProgress) -> Self {
        Self {
            pass: progress.origin.as_str(),
            asked: progress.asked,
            subjects: progress.subjects,
        }
    }
}

#[derive(Serialize)]
pub(super) struct WindowJson {
    window: &'static str,
    used: u64,
    limit: u64,
}

impl WindowJson {
    pub(super) fn of(window: &WindowUse) -> Self {
        Self {
            window: window.window.name(),
            used: window.used,
            limit: window.limit,
        }
    }
}

#[derive(Serialize)]
pub(super) struct WaitJson {
    reason: &'static str,
    window: Option<&'static str>,
    text: String,
    until: Option<String>,
}

impl WaitJson {
    pub(super) fn of(wait: &Waiting) -> Self {
        Self {
            reason: wait.reason.code(),
            window: wait.reason.window().map(QuotaWindow::name),
            text: wait.reason.to_string(),
            until: wait.until.map(Timestamp::rfc3339),
        }
    }
}
