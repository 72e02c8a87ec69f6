//! The ticket of a run, and the trial that finds out whether it still works.
//!
//! No page says what the API answers to a ticket that has ended or was taken back, so an unlisted
//! code on a call with a ticket puts the ticket on trial: the subject is asked again without it.
//! If that is answered, the ticket is dead. If it is refused too, the code is the subject's own.
//! While the standard windows are full, another subject is asked with the ticket as a control: an
//! answer clears the ticket; the same code decides nothing, but ends the wait for a control.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    quota::{CallKind, PaidCalls},
    wecom::Ticket,
};

/// Which subjects may be asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Any: no trial is open.
    Any,
    /// Those that were refused with the ticket, without it.
    OnTrial,
    /// One that was not refused with the ticket, with it, while nothing else is in flight.
    Control,
}

/// The ticket, if there is one, and the state of its trial.
pub(super) struct TicketTrial {
    ticket: Option<Ticket>,
    /// When the ticket is no longer sent, in ledger time.
    until: Option<Timestamp>,
    /// Subjects that were refused with the ticket and are asked without it.
    subjects: usize,
    /// When the last of them was refused.
    since: Timestamp,
    /// A control that was asked with the ticket meanwhile was refused too.
    control_refused: bool,
}

impl TicketTrial {
    /// A run without a ticket.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            ticket: None,
            until: None,
            subjects: 0,
            since: now,
            control_refused: false,
        }
    }

    /// Sends `ticket` with every call until `until`.
    pub(super) fn begin(&mut self, ticket: Ticket, until: Timestamp) {
        self.ticket = Some(ticket);
        self.until = Some(until);
    }

    /// Stops sending a ticket that ends before `now`.
    pub(super) fn expire(&mut self, now: Timestamp) {
        if self.until.is_some_and(|until| now >= until) {
            self.ticket = None;
            self.until = None;
            self.subjects = 0;
        }
    }

    /// The ticket to send with a call of `kind`.
    pub(super) fn ticket(&self, kind: CallKind) -> Option<&Ticket> {
        self.ticket
            .as_ref()
            .filter(|_| kind == CallKind::WithTicket)
    }

    /// When calls become standard ones, in ledger time.
    pub(super) const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Ledger time has moved forward by what had passed before this run.
    pub(super) fn clock_moved(&mut self, by: Duration) {
        self.until = self.until.map(|at| at.plus(by));
    }

    /// Whether it is not known whether the ticket still works.
    pub(super) const fn is_open(&self) -> bool {
        self.subjects > 0
    }

    /// What the next call is charged as. During a trial calls are sent without the ticket while
    /// there is room for that; else a control is sent with it.
    pub(super) fn next_kind(
        &self,
        paid: &PaidCalls,
        standard_is_full: impl FnOnce() -> bool,
    ) -> CallKind {
        if self.ticket.is_none() {
            return CallKind::Standard;
        }
        if !self.is_open() {
            return CallKind::WithTicket;
        }
        let standard_is_paid = paid.kind() == CallKind::Standard && paid.calls() > 0;
        if self.control_refused || standard_is_paid || !standard_is_full() {
            CallKind::Standard
        } else {
            CallKind::WithTicket
        }
    }

    /// Which subjects may be asked with a call of the kind that [`next_kind`](Self::next_kind)
    /// returned.
    pub(super) const fn candidates(&self, kind: CallKind) -> Candidates {
        match kind {
            _ if !self.is_open() => Candidates::Any,
            CallKind::Standard => Candidates::OnTrial,
            CallKind::WithTicket => Candidates::Control,
        }
    }

    /// A call sent with the ticket at `sent` was refused with an unlisted code: its subject is to
    /// be asked without the ticket.
    pub(super) fn doubt(&mut self, sent: Timestamp, now: Timestamp) {
        let is_control = self.is_open() && sent >= self.since;
        self.control_refused = self.is_open() && (self.control_refused || is_control);
        self.subjects += 1;
        self.since = now;
    }

    /// A subject of the trial is done, `answered` without the ticket or not. Returns whether the
    /// ticket is dead.
    pub(super) fn subject_done(&mut self, answered: bool) -> bool {
        self.subjects = self.subjects.saturating_sub(1);
        let dead = answered && self.ticket.take().is_some();
        if dead {
            self.subjects = 0;
        }
        dead
    }

    /// A call sent with the ticket at `sent` was answered. Returns whether that ends a trial: what
    /// its subjects met is their own.
    pub(super) fn answered_with_ticket(&mut self, sent: Timestamp) -> bool {
        let cleared = self.is_open() && sent >= self.since;
        if cleared {
            self.subjects = 0;
        }
        cleared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    fn trial() -> TicketTrial {
        let ticket = Ticket::obtained(Secret::new("ticket".to_owned()), at(0)).unwrap();
        let mut trial = TicketTrial::new(at(0));
        trial.begin(ticket, at(1000));
        trial
    }

    fn kind(trial: &TicketTrial, standard_is_full: bool) -> CallKind {
        let paid = PaidCalls::empty(CallKind::WithTicket);
        trial.next_kind(&paid, || standard_is_full)
    }

    #[test]
    fn without_a_trial_every_call_has_the_ticket_until_it_ends() {
        let mut trial = trial();
        assert_eq!(kind(&trial, false), CallKind::WithTicket);
        trial.expire(at(999));
        assert_eq!(kind(&trial, false), CallKind::WithTicket);
        trial.expire(at(1000));
        assert_eq!(kind(&trial, true), CallKind::Standard);
        assert!(trial.until().is_none());
    }

    #[test]
    fn on_trial_calls_are_standard_and_a_full_window_sends_a_control() {
        let mut trial = trial();
        trial.doubt(at(1), at(2));
        assert_eq!(kind(&trial, false), CallKind::Standard);
        assert_eq!(trial.candidates(CallKind::Standard), Candidates::OnTrial);
        assert_eq!(kind(&trial, true), CallKind::WithTicket);
        assert_eq!(trial.candidates(CallKind::WithTicket), Candidates::Control);
    }

    #[test]
    fn answer_without_the_ticket_kills_it() {
        let mut trial = trial();
        trial.doubt(at(1), at(2));
        trial.doubt(at(1), at(2));
        assert!(trial.subject_done(true));
        assert_eq!(trial.candidates(CallKind::Standard), Candidates::Any);
        assert_eq!(kind(&trial, false), CallKind::Standard);
        assert!(!trial.subject_done(true), "it dies once");
    }

    #[test]
    fn refusal_without_the_ticket_keeps_it() {
        let mut trial = trial();
        trial.doubt(at(1), at(2));
        assert!(!trial.subject_done(false));
        assert_eq!(kind(&trial, false), CallKind::WithTicket);
    }

    #[test]
    fn only_a_call_sent_after_the_doubt_clears_the_ticket() {
        let mut trial = trial();
        trial.doubt(at(1), at(5));
        assert!(!trial.answered_with_ticket(at(4)), "sent before");
        assert!(trial.answered_with_ticket(at(5)));
        assert_eq!(trial.candidates(CallKind::WithTicket), Candidates::Any);
        assert!(!trial.answered_with_ticket(at(6)), "no trial is open");
    }

    #[test]
    fn refused_control_ends_the_wait_for_a_control() {
        let mut trial = trial();
        trial.doubt(at(1), at(5));
        trial.doubt(at(3), at(6));
        assert_eq!(kind(&trial, true), CallKind::WithTicket, "sent before");
        trial.doubt(at(7), at(8));
        assert_eq!(kind(&trial, true), CallKind::Standard);
    }
}
