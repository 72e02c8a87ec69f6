//! The ticket of a run, and the trial that finds out whether it still works.
//!
//! No page says what the API answers to a ticket that has ended or was taken back. So a refusal of a
//! call with the ticket that is not plainly about the subject, listed or not, puts the ticket on
//! trial: the subject is asked again without it. Refused again, the code is the subject's own.
//! Answered, another subject is asked with the ticket: if that is refused too, the ticket is dead,
//! and if it is answered, the first refusal was a passing one. While the standard windows are full,
//! the subject with the ticket is asked first.
//!
//! A 45009 in spite of the ticket is tried by the probe of its lockout: refused twice, where only
//! the business windows explain it, the remote ignores the ticket.

use std::time::Duration;

use super::ticket::TicketSearch;
use crate::{
    clock::Timestamp,
    quota::{CallKind, PaidCalls},
    wecom::{Refusal, Ticket, errcode::Class},
};

/// Refusals in a row with the ticket, of a code that was a subject's own before, until the ticket is
/// doubted again.
const IN_A_ROW: u8 = 3;

/// Which subjects may be asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidates {
    /// Any: no trial is open.
    Any,
    /// Those that were refused with the ticket, without it.
    OnTrial,
    /// One with the ticket, while nothing else is in flight; rather one that was not refused with it.
    Control,
}

/// What is asked in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing: the ticket works as far as is known.
    Trusted,
    /// Whether it works: an earlier run ended with a trial open.
    Unsure,
    /// Whether those who were refused with it are answered without.
    Without,
    /// One was answered without: whether the ticket is refused again.
    Again,
}

/// What a refusal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The subject is asked without the ticket.
    OnTrial,
    /// The ticket is dead.
    Dead,
}

/// The ticket, if there is one, and the state of its trial.
pub(super) struct TicketTrial {
    /// Where one may come from.
    pub(super) search: TicketSearch,
    /// The doubt that this run has written: whether a call without it was answered.
    pub(super) saved_doubt: Option<bool>,
    ticket: Option<Ticket>,
    /// When the ticket is no longer sent, in ledger time.
    until: Option<Timestamp>,
    stage: Stage,
    /// Subjects that were refused with the ticket and are asked without it.
    subjects: usize,
    /// When the stage began, or the last of them was refused.
    since: Timestamp,
    /// A control that was asked with the ticket meanwhile was refused too.
    control_refused: bool,
    /// Listed codes with which subjects were refused without the ticket too.
    own_codes: Vec<i64>,
    /// Refusals with these codes since the ticket was last answered.
    in_a_row: u8,
    /// When a call with the ticket was refused with 45009, and none was answered since.
    over_quota: Option<Timestamp>,
}

impl TicketTrial {
    /// A run without a ticket.
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            search: TicketSearch::new(),
            saved_doubt: None,
            ticket: None,
            until: None,
            stage: Stage::Trusted,
            subjects: 0,
            since: now,
            control_refused: false,
            own_codes: Vec::new(),
            in_a_row: 0,
            over_quota: None,
        }
    }

    /// Sends `ticket` with every call until `until`.
    pub(super) fn begin(&mut self, ticket: Ticket, until: Timestamp) {
        self.close();
        self.ticket = Some(ticket);
        self.until = Some(until);
    }

    /// Whether a ticket is sent.
    pub(super) const fn has_ticket(&self) -> bool {
        self.ticket.is_some()
    }

    /// Whether the ticket is at its end at `now`.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| now >= until)
    }

    /// The ticket is doubted by others, or by an earlier run: it is asked about first. If a call
    /// `without` it was answered already, for the second time.
    pub(super) const fn question(&mut self, now: Timestamp, without: bool) {
        self.stage = match without {
            true => Stage::Again,
            false => Stage::Unsure,
        };
        self.since = now;
    }

    /// Whether a call without the ticket was answered where one with it was refused.
    pub(super) fn was_answered_without(&self) -> bool {
        self.stage == Stage::Again
    }

    /// Stops sending the ticket.
    pub(super) fn lay_down(&mut self) {
        self.ticket = None;
        self.until = None;
        self.saved_doubt = None;
        self.close();
    }

    const fn close(&mut self) {
        self.stage = Stage::Trusted;
        self.subjects = 0;
        self.control_refused = false;
        self.in_a_row = 0;
        self.over_quota = None;
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
    pub(super) fn is_open(&self) -> bool {
        self.stage != Stage::Trusted
    }

    /// Whether any subject may be the control, one on trial too.
    pub(super) fn asks_with_ticket(&self) -> bool {
        matches!(self.stage, Stage::Again | Stage::Unsure)
    }

    /// What the next call is charged as. While it is asked whether subjects are answered without the
    /// ticket, that is a call without one if there is room for that; else a control is sent with it.
    pub(super) fn next_kind(
        &self,
        paid: &PaidCalls,
        standard_is_full: impl FnOnce() -> bool,
    ) -> CallKind {
        if self.ticket.is_none() {
            return CallKind::Standard;
        }
        if self.stage != Stage::Without {
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
    pub(super) fn candidates(&self, kind: CallKind) -> Candidates {
        match kind {
            _ if !self.is_open() => Candidates::Any,
            CallKind::Standard => Candidates::OnTrial,
            CallKind::WithTicket => Candidates::Control,
        }
    }

    /// Whether `refusal` of a call with the ticket may be the ticket's fault. It is not plainly the
    /// subject's, and the subject was not refused `before` with a ticket that proved to work.
    pub(super) fn suspects(&mut self, refusal: &Refusal, before: bool) -> bool {
        let listed = match refusal.class {
            Class::Unlisted => false,
            Class::Source | Class::Downstream | Class::Stop | Class::Bug => true,
            Class::Retry | Class::Token | Class::Wait | Class::Slow | Class::Subject => {
                return false;
            }
        };
        if before || self.ticket.is_none() {
            return false;
        }
        if listed && self.own_codes.contains(&refusal.errcode) {
            self.in_a_row = self.in_a_row.saturating_add(1);
            return self.in_a_row > IN_A_ROW;
        }
        true
    }

    /// A call sent with the ticket at `sent` was refused in a way that the ticket may be the reason of.
    pub(super) fn doubt(&mut self, sent: Timestamp, now: Timestamp) -> Doubt {
        let is_control = self.is_open() && sent >= self.since;
        if is_control && self.stage == Stage::Again {
            self.lay_down();
            return Doubt::Dead;
        }
        self.control_refused = self.stage == Stage::Without && (self.control_refused || is_control);
        if self.stage != Stage::Again {
            self.stage = Stage::Without;
            self.since = now;
        }
        self.subjects += 1;
        Doubt::OnTrial
    }

    /// A subject of the trial was `answered` without the ticket, or refused with `errcode`, or given
    /// up.
    pub(super) fn subject_done(&mut self, answered: bool, errcode: Option<i64>, now: Timestamp) {
        self.subjects = self.subjects.saturating_sub(1);
        if self.ticket.is_none() || !self.is_open() {
            return;
        }
        if answered && self.stage == Stage::Without {
            self.stage = Stage::Again;
            self.since = now;
            return;
        }
        let own = errcode.filter(|code| !answered && !self.own_codes.contains(code));
        self.own_codes.extend(own);
        if self.subjects == 0 && self.stage == Stage::Without {
            self.close();
        }
    }

    /// A call sent with the ticket at `sent` was answered. Returns whether that ends a trial.
    pub(super) fn answered_with_ticket(&mut self, sent: Timestamp) -> bool {
        self.in_a_row = 0;
        if self.over_quota.is_some_and(|refused| sent >= refused) {
            self.over_quota = None;
        }
        let cleared = self.is_open() && sent >= self.since;
        if cleared {
            self.close();
        }
        cleared
    }

    /// A call sent with the ticket at `sent` was refused with 45009; `is_to_blame`: only a ticket that
    /// the remote ignores explains that. Returns whether the ticket is dead: it is the second time.
    pub(super) fn over_quota(
        &mut self,
        sent: Timestamp,
        now: Timestamp,
        is_to_blame: bool,
    ) -> bool {
        if self.ticket.is_none() {
            return false;
        }
        let is_second = self.over_quota.is_some_and(|refused| sent >= refused);
        if is_second && is_to_blame {
            self.lay_down();
            return true;
        }
        self.over_quota.get_or_insert(now);
        false
    }
}

#[cfg(test)]
mod tests;
