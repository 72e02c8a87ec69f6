//! `--pending-ids`: what is asked for beside the lookups.

use clap::Args;

use crate::config::RunSection;

/// What is asked for beside the lookups.
#[derive(Args)]
pub(super) struct PendingIdsFlag {
    /// Ask for a pending_id for every unlinked subject, beside the lookups and in a quota of its own:
    /// by it a later external_userid is recognised, for 90 days.
    #[arg(long)]
    pending_ids: bool,
}

impl PendingIdsFlag {
    pub(super) fn is_set(&self, file: &RunSection) -> bool {
        self.pending_ids || file.pending_ids.unwrap_or_default()
    }
}
