//! Which subjects are exported.

use crate::{model::State, store::SubjectRecord};

/// Selects subjects by state.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The states of the subjects to export; empty for all.
    pub states: Vec<State>,
}

impl Filter {
    pub(super) fn selects(&self, subject: &SubjectRecord) -> bool {
        self.states.is_empty() || self.states.contains(&subject.state)
    }
}
