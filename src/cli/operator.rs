//! The operator at the terminal: sees progress, is asked before a ticket is applied for, and may
//! interrupt.

use std::io::{self, IsTerminal};

use super::{
    console::{self, say},
    signals::Signals,
    supervisor::Supervisor,
    values::environment,
};
use crate::{
    job::Operator,
    report::{Reporter, log},
    runner::{Stop, event::RunEvent},
};

const QUESTION: &str = "Today's quota cannot finish this job. A mass_call_ticket (大批量调用凭据) \
    lifts the hour, day and month limits for seven days; a corp gets one once, within three months \
    of authorisation (D96250).";

/// How the operator agrees to apply for a ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// By `--yes`, or because it is a sandbox.
    Given,
    /// By answering a prompt.
    Ask,
}

/// The operator of a run from the command line.
pub(super) struct TerminalOperator {
    reporter: Box<dyn Reporter>,
    signals: Signals,
    consent: Consent,
    supervisor: Supervisor,
}

impl TerminalOperator {
    pub(super) fn new(reporter: Box<dyn Reporter>, signals: Signals, consent: Consent) -> Self {
        Self {
            reporter,
            signals,
            consent,
            supervisor: Supervisor::at(environment("NOTIFY_SOCKET").as_deref()),
        }
    }

    /// What an interrupt asks to stop.
    pub(super) fn stop(&self) -> Stop {
        self.signals.stop()
    }

    /// The import has begun: an interrupt ends it between two lines.
    pub(super) fn import_started(&self) {
        self.signals.set_importing(true);
    }

    /// The import is over.
    pub(super) fn import_finished(&self) {
        self.signals.set_importing(false);
    }

    /// The calls of the run are over and recorded: an interrupt exits immediately from here.
    pub(super) fn calls_finished(&mut self) {
        self.signals.calls_finished();
        self.supervisor.exporting();
        self.reporter.finish();
    }
}

impl Operator for TerminalOperator {
    fn event(&mut self, event: &RunEvent) {
        log::event(event);
        self.supervisor.event(event);
        self.reporter.event(event);
    }

    fn agrees_to_apply(&mut self) -> bool {
        if self.consent == Consent::Given {
            return true;
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            say(&format!(
                "{QUESTION} Not applied for: --ticket apply or --yes gives consent."
            ));
            return false;
        }
        say(QUESTION);
        console::agrees("Apply for it, once lookups are answered?")
    }

    fn calls_started(&mut self) {
        self.signals.calls_started();
    }

    fn nothing_in_flight(&mut self) {
        self.signals.calls_finished();
    }
}
