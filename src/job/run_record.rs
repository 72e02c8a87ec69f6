//! What a session writes of its run into the list of runs, for `status` and `runs`: that it began,
//! what it does before and beside its calls, how it ended.

use super::{error::Error, exit::Exit, passes, quota_record::QuotaRecord, session::Session};
use crate::store::RunId;

impl Session {
    /// Records the beginning of the run `command`, with the quota it respects, and opens the passes of a
    /// resync.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn begin(&mut self, command: &str) -> Result<RunId, Error> {
        let refresh = self
            .settings
            .refresh
            .filter(|_| self.settings.draw.is_none());
        passes::open(&mut self.store, refresh, self.clock.now())?;
        let quota = QuotaRecord::of(&self.settings.quota).to_json();
        let journal = self.store.journal();
        Ok(journal.begin_run(command, &quota, self.clock.now())?)
    }

    /// Records the command line that resumes `run`.
    pub(crate) fn record_next_command(&self, run: RunId, command: &str) -> Result<(), Error> {
        Ok(self.store.journal().save_next_command(run, command)?)
    }

    /// Records what `run` does while it makes no calls, such as `importing fans.csv`.
    pub(crate) fn record_activity(&self, run: RunId, what: Option<&str>) -> Result<(), Error> {
        let now = self.clock.now();
        Ok(self.store.journal().save_activity(run, what, now)?)
    }

    /// Records what was said at the end of `run`, a JSON object.
    pub(crate) fn record_summary(&self, run: RunId, summary: &str) -> Result<(), Error> {
        Ok(self.store.journal().save_summary(run, summary)?)
    }

    /// Records that `run` ended with `exit`; the last record counts.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn end(&self, run: RunId, exit: Exit) -> Result<(), Error> {
        let (code, now) = (i64::from(exit.code()), self.clock.now());
        Ok(self.store.journal().end_run(run, code, now)?)
    }
}
