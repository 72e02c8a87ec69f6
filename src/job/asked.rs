//! Questions to the operator, which `status` shows while they wait for an answer.

use super::{error::Error, operator::Operator};
use crate::{
    clock::Clock,
    runner::event::RunEvent,
    store::{Journal, RunId, RunProgress},
};

/// What a run waits for while its operator is asked.
pub(crate) const QUESTION: &str = "a question on its terminal, whether to apply for a ticket";

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
            hold_code: hold.as_ref().map(|_| "question".to_owned()),
            hold,
            ..RunProgress::default()
        };
        Ok(self.journal.save_progress(self.run, &progress, 0)?)
    }
}

impl Operator for AskedOnTerminal<'_, '_> {
    fn event(&mut self, event: &RunEvent) {
        self.operator.event(event);
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

    fn nothing_in_flight(&mut self) {
        self.operator.nothing_in_flight();
    }
}
