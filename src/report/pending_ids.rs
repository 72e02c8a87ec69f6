//! What people read of the pending_ids that a run asks for beside its lookups.

use super::{WindowUse, phrases};
use crate::{
    clock::Timestamp,
    format::{count, counted},
    runner::event::PendingIdProgress,
};

/// `pending ids: 1,204 obtained, 31 refused, 8,000 left · 1,235 of 98,000 business.hour`
pub(super) fn standing(progress: &PendingIdProgress, now: Timestamp) -> String {
    let mut parts = vec![format!("pending ids: {}", counts(progress))];
    parts.extend(tightest(progress).map(phrases::window));
    if let Some(hold) = progress.hold {
        parts.push(phrases::waiting(&hold, now, ", "));
    }
    parts.join(" · ")
}

/// `1,204 obtained, 31 refused, 8,000 left`
pub(super) fn counts(progress: &PendingIdProgress) -> String {
    let mut counts = vec![format!("{} obtained", count(progress.obtained))];
    for (number, what) in [(progress.refused, "refused"), (progress.left, "left")] {
        if number > 0 {
            counts.push(format!("{} {what}", count(number)));
        }
    }
    counts.join(", ")
}

/// `1,204 obtained, 31 refused (1,240 calls)`
pub(super) fn summary(progress: &PendingIdProgress) -> String {
    let calls = counted(progress.calls, "call");
    format!("{} ({calls})", counts(progress))
}

/// The window with the least room, in relation to its limit.
fn tightest(progress: &PendingIdProgress) -> Option<&WindowUse> {
    let share = |window: &&WindowUse| window.used.saturating_mul(1_000_000) / window.limit.max(1);
    let used = progress.windows.iter().filter(|window| window.used > 0);
    used.max_by_key(share)
}
