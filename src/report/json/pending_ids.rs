//! How it stands with pending_ids, as JSON.

use serde::Serialize;

use super::{WaitJson, WindowJson};
use crate::runner::event::PendingIdProgress;

#[derive(Serialize)]
pub(super) struct PendingIdsJson {
    obtained: u64,
    refused: u64,
    left: u64,
    calls: u64,
    in_flight: usize,
    windows: Vec<WindowJson>,
    waiting: Option<WaitJson>,
}

impl PendingIdsJson {
    pub(super) fn of(progress: &PendingIdProgress) -> Self {
        Self {
            obtained: progress.obtained,
            refused: progress.refused,
            left: progress.left,
            calls: progress.calls,
            in_flight: progress.in_flight,
            windows: progress.windows.iter().map(WindowJson::of).collect(),
            waiting: progress.hold.as_ref().map(WaitJson::of),
        }
    }
}
