//! Which lines of the results are exported.

use super::line::ResultLine;
use crate::model::State;

/// Selects lines by the state of their subject and by their downstream corp.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The states of the subjects to export; empty for all.
    pub states: Vec<State>,
    /// The only downstream corp whose lines are exported: its links, and the subjects that were
    /// looked for there only; `None` for all.
    pub corpid: Option<String>,
}

impl Filter {
    pub(super) fn selects(&self, line: &ResultLine<'_>) -> bool {
        let corpid = self.corpid.as_deref();
        (self.states.is_empty() || self.states.contains(&line.state))
            && corpid.is_none_or(|corpid| corpid == line.corpid)
    }
}
