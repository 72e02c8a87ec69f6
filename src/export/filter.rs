//! Which lines of the results are exported.

use super::{
    error::ExportError,
    line::{ResultLine, lines_of},
};
use crate::{model::State, store::Reader};

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
    fn selects(&self, line: &ResultLine<'_>) -> bool {
        let corpid = self.corpid.as_deref();
        (self.states.is_empty() || self.states.contains(&line.state))
            && corpid.is_none_or(|corpid| corpid == line.corpid)
    }

    /// Passes every line that it selects to `each`, until an error of `each`. Returns their number.
    pub(super) fn for_each_line(
        &self,
        reader: &Reader,
        mut each: impl FnMut(&ResultLine<'_>) -> Result<(), ExportError>,
    ) -> Result<u64, ExportError> {
        let mut lines = 0;
        reader.for_each_subject(|subject| {
            lines_of(subject, |line| {
                if self.selects(line) {
                    lines += 1;
                    each(line)?;
                }
                Ok(())
            })
        })?;
        Ok(lines)
    }
}
