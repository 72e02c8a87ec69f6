//! How a run comes to its ticket, and loses it.

use super::Runner;
use crate::{
    model::Failure,
    quota::{CallKind, HoldReason},
    runner::{
        claim::Claim,
        decide::{SentCall, Snooze},
        event::{RunEvent, TicketNews},
        ticket::{self, Application, ApplicationOutcome, PROVEN, Step, TicketSource},
        ticket_trial::Doubt,
    },
    store::Result,
    wecom::{ApplicationReply, CallError, Ticket, Verdict},
};

impl Runner<'_> {
    /// Sends this ticket with every call until an hour before it expires.
    #[must_use]
    pub fn with_ticket(mut self, ticket: Option<Ticket>) -> Self {
        let wall = self.clock.wall_now();
        if let Some(ticket) = ticket.filter(|ticket| ticket.usable_until() > wall) {
            self.begin_ticket(ticket);
        }
        self
    }

    /// Where a ticket may come from during the run.
    #[must_use]
    pub const fn seeking_ticket(mut self, source: TicketSource) -> Self {
        self.lane.trial.search.from(source);
        self
    }

    /// Applies for a ticket, or looks for one that came from elsewhere, if that is due.
    pub(super) fn seek_ticket(&mut self) -> Result<()> {
        if !self.lane.is_of_lookups() {
            return Ok(());
        }
        if self.lane.trial.has_ticket() {
            return self.hear_doubt();
        }
        if self.stopping.reason.is_some() {
            return Ok(());
        }
        match self.lane.trial.search.step(self.clock.now()) {
            Step::Nothing => Ok(()),
            Step::Look => self.look_for_ticket(),
            Step::Apply => self.apply_for_ticket(),
        }
    }

    /// Another process doubts the ticket, or has found it dead: it is tried here too, or laid down.
    fn hear_doubt(&mut self) -> Result<()> {
        if self.lane.trial.is_open() || !self.lane.gate.account().is_ticket_in_doubt() {
            return Ok(());
        }
        let latest = self.lane.ledger.tickets().latest()?;
        let Some(latest) = latest.filter(|latest| latest.is_usable()) else {
            self.lose_ticket();
            self.reports.report(&RunEvent::TicketRejected);
            return Ok(());
        };
        let ours = self.lane.trial.ticket(CallKind::WithTicket);
        if !ours.is_some_and(|ours| ticket::is_of(&latest, ours)) {
            // Another was imported.
            self.lose_ticket();
            return self.look_for_ticket();
        }
        let without = latest.answered_without;
        self.lane.trial.question(self.clock.now(), without);
        self.lane.trial.saved_doubt = Some(without);
        self.lane.gate.try_ticket(true);
        Ok(())
    }

    /// Stops sending a ticket that is at its end.
    pub(super) fn expire_ticket(&mut self) {
        if self.lane.trial.is_expired(self.clock.now()) {
            self.lose_ticket();
        }
    }

    /// No call is sent with the ticket from here on, and those that were count as the ledger says.
    fn lose_ticket(&mut self) {
        self.lane.trial.lay_down();
        self.lane.gate.try_ticket(false);
        self.end_trials();
    }

    fn look_for_ticket(&mut self) -> Result<()> {
        let found = ticket::stored(&self.lane.ledger.tickets(), self.clock.wall())?;
        if let Some(ticket) = found {
            let until = ticket.usable_until();
            self.begin_ticket(ticket);
            self.news(TicketNews::Found { until });
        }
        Ok(())
    }

    fn apply_for_ticket(&mut self) -> Result<()> {
        let is_held = self.lane.health.is_out_of_order() || self.stopping.wishes.hold().is_some();
        if is_held || !self.is_proven() || !self.is_ticket_needed() {
            return Ok(());
        }
        let now = self.clock.now();
        if self.tokens.needs_fetch(now) {
            self.fetch_token()?;
        }
        let Ok((token, token_generation)) = self.tokens.get(now) else {
            return Ok(());
        };
        let at = self.clock.wall_now();
        if !self.lane.ledger.tickets().record_application(at)? {
            // Another process was faster, and its reply is to come.
            self.lane.trial.search.from(TicketSource::Elsewhere);
            return Ok(());
        }
        self.lane.calls.apply(self.client.apply_ticket(&token));
        self.lane.trial.search.applied(Application {
            at,
            token,
            token_generation,
        });
        Ok(())
    }

    /// Whether lookups of this corp are known to be answered, and still are: at least one was in this
    /// run, unless the business windows allow none.
    fn is_proven(&mut self) -> bool {
        let now = self.clock.now();
        let is_business = |reason| matches!(reason, HoldReason::Window(it) if it.is_business());
        let full = self.lane.gate.check_quota(now, CallKind::Standard);
        self.job.store.tally().answered() >= PROVEN
            && (self.lane.trial.search.has_answers()
                || full.is_err_and(|hold| is_business(hold.reason)))
    }

    /// Whether what is left to do does not fit today's quota.
    fn is_ticket_needed(&self) -> bool {
        let (now, account) = (self.clock.now(), self.lane.gate.account());
        let time = self.clock.deadline_ahead().map(|at| at.since(now));
        let calls = ticket::most_calls(self.left(), self.budget_left(), time, &account.limits());
        calls > ticket::room_today(account, now)
    }

    /// The application was answered, or not. The reply is on disk before it is read.
    pub(super) fn application_completed(
        &mut self,
        reply: std::result::Result<ApplicationReply, Failure>,
    ) -> Result<()> {
        let Some(made) = self.lane.trial.search.take_application() else {
            return Ok(());
        };
        let tickets = self.lane.ledger.tickets();
        match ticket::take_reply(&tickets, &self.client, reply, (made.at, &made.token))? {
            ApplicationOutcome::Ticket(ticket) => {
                let until = ticket.usable_until();
                self.begin_ticket(ticket);
                self.news(TicketNews::Obtained { until });
            }
            ApplicationOutcome::NotMade(why) => {
                self.lane.trial.search.not_made(self.clock.now());
                if let CallError::Refused(_) = why {
                    self.token_refused(made.token_generation);
                }
            }
            ApplicationOutcome::Nothing(news) => self.news(news),
        }
        Ok(())
    }

    /// Sends `ticket` with every call until an hour before it expires.
    pub(super) fn begin_ticket(&mut self, ticket: Ticket) {
        let until = self.clock.ledger_time_of(ticket.usable_until());
        self.lane.trial.begin(ticket, until);
    }

    fn news(&mut self, news: TicketNews) {
        self.reports.report(&RunEvent::Ticket(news));
    }

    /// Whether the subject is to be asked without the ticket, as that may be why it was refused.
    pub(super) fn doubt_by(
        &mut self,
        verdict: &Verdict,
        claim: &Claim,
        sent: &SentCall,
    ) -> Result<Option<Snooze>> {
        let Verdict::Refused(refusal) = verdict else {
            return Ok(None);
        };
        let had_ticket = sent.kind == CallKind::WithTicket;
        if !had_ticket || !self.lane.trial.suspects(refusal, claim.was_on_trial()) {
            return Ok(None);
        }
        let ticket = self.lane.trial.ticket(sent.kind).cloned();
        if self.lane.trial.doubt(sent.at, self.clock.now()) == Doubt::Dead {
            self.ticket_is_dead(ticket)?;
        }
        Ok(Some(Snooze::WithoutTicket))
    }

    pub(super) fn trial_of_subject_done(
        &mut self,
        claim: &Claim,
        answered: bool,
        errcode: Option<i64>,
    ) {
        if claim.is_on_trial() {
            self.lane
                .trial
                .subject_done(answered, errcode, self.clock.now());
        }
    }

    /// A call was refused with 45009: if it had the ticket, that may be ignored by the remote.
    pub(super) fn blame_ticket(&mut self, sent: &SentCall) -> Result<()> {
        if sent.kind == CallKind::WithTicket {
            let now = self.clock.now();
            let is_to_blame = self.lane.gate.account().is_ticket_to_blame(now);
            let ticket = self.lane.trial.ticket(sent.kind).cloned();
            if self.lane.trial.over_quota(sent.at, now, is_to_blame) {
                self.ticket_is_dead(ticket)?;
            }
        }
        Ok(())
    }

    /// Makes durable whether the ticket is in doubt, before another call is charged.
    pub(super) fn save_doubt(&mut self) -> Result<()> {
        let is_open = self.lane.trial.is_open();
        let doubt = is_open.then(|| self.lane.trial.was_answered_without());
        let ticket = self.lane.trial.ticket(CallKind::WithTicket).cloned();
        let Some(ticket) = ticket.filter(|_| doubt != self.lane.trial.saved_doubt) else {
            return Ok(());
        };
        self.lane.trial.saved_doubt = doubt;
        let since = is_open.then(|| self.clock.wall_now());
        let tickets = self.lane.ledger.tickets();
        tickets.doubt(&ticket::tried(&ticket), since, doubt.unwrap_or(false))?;
        self.lane.gate.try_ticket(is_open);
        self.lane.gate.doubt_ticket(is_open);
        Ok(())
    }

    /// Calls with it count in the business windows from here on.
    fn ticket_is_dead(&mut self, ticket: Option<Ticket>) -> Result<()> {
        if let Some(ticket) = &ticket {
            let tickets = self.lane.ledger.tickets();
            tickets.mark_dead(&ticket::tried(ticket), self.clock.wall_now())?;
        }
        self.lane.gate.doubt_ticket(true);
        self.lose_ticket();
        self.reports.report(&RunEvent::TicketRejected);
        Ok(())
    }

    /// Those on trial are asked as others are.
    pub(super) fn end_trials(&mut self) {
        let now = self.clock.now();
        for mut claim in self.lane.queue.take_all_on_trial() {
            claim.end_trial();
            self.lane.queue.put_back(claim, now);
        }
    }
}
