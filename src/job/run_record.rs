//! What a session writes of its run into the list of runs, for `status` and `runs`: that it began,
//! what it does before and beside its calls, how it ended.

use super::{
    error::Error, exit::Exit, operator::Operator, operator::TicketNotice,
    quota_record::QuotaRecord, session::Session,
};
use crate::{
    clock::Clock,
    runner::event::RunEvent,
    store::{Journal, RunId, RunProgress},
};

/// What a run waits for while its operator is asked.
pub(crate) const QUESTION: &str = "a question on its terminal, whether to apply for a ticket";

impl Session {
    /// Records the beginning of the run `command`, with the quota it respects.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn begin(&self, command: &str) -> Result<RunId, Error> {
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

/// An operator whose questions `status` shows while they wait for an answer.
pub(super) struct AskedOnTerminal<'o, 's> {
    pub(super) operator: &'o mut dyn Operator,
    pub(super) journal: Journal<'s>,
    pub(super) run: RunId,
    pub(super) clock: Clock,
}

impl AskedOnTerminal<'_, '_> {
    fn note(&self, hold: Option<String>) -> Result<(), Error> {
        let progress = RunProgress {
            seen_at: self.clock.now(),
            hold,
            ..RunProgress::default()
        };
        Ok(self.journal.save_progress(self.run, &progress)?)
    }
}

impl Operator for AskedOnTerminal<'_, '_> {
    fn event(&mut self, event: &RunEvent) {
        self.operator.event(event);
    }

    fn ticket(&mut self, notice: &TicketNotice) {
        self.operator.ticket(notice);
    }

    fn agrees_to_apply(&mut self) -> bool {
        // What cannot be noted is asked all the same.
        let _ = self.note(Some(QUESTION.to_owned()));
        let agrees = self.operator.agrees_to_apply();
        let _ = self.note(None);
        agrees
    }

    fn calls_started(&mut self) {
        self.operator.calls_started();
    }
}
