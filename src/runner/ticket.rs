//! The stored ticket, and whether and when the one application for a ticket is made.
//!
//! At most once per corp, ever (D96250), and its seven days begin at once: so only for work that does
//! not fit today's quota, and only after lookups of this corp have been answered.

use std::time::Duration;

use super::{decide::halt, event::TicketNews};
use crate::{
    clock::{Clock, Timestamp},
    ledger::{Origin, TicketRecord, Tickets, TriedTicket},
    model::{Failure, Limits, QuotaWindow},
    quota::Account,
    store::Result,
    wecom::{ApplicationReply, CallError, Client, Refusal, Ticket, Token, errcode::Class, wire},
};

/// Lookups that must have been answered before the application.
pub const PROVEN: u64 = 20;
/// The time between two looks at the ledger for a ticket that comes from elsewhere.
pub(super) const LOOK: Duration = Duration::from_secs(5);
/// The time between two decisions whether to apply.
const DECIDE: Duration = Duration::from_secs(1);
/// After no connection could be made, so that nothing was applied for.
const AGAIN: Duration = Duration::from_secs(60);

/// How a run without a ticket may come to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketSource {
    /// It does not.
    #[default]
    Nowhere,
    /// It applies for it.
    Application,
    /// Somebody else applies for it, or imports it.
    Elsewhere,
}

/// Returns the stored ticket, unless it is dead or about to expire. A reply that was kept and not
/// read, as the process ended in between, is read now.
///
/// # Errors
///
/// Those of the ledger.
pub fn stored(tickets: &Tickets<'_>, clock: Clock) -> Result<Option<Ticket>> {
    let Some(mut latest) = tickets.latest()? else {
        return Ok(None);
    };
    match read_kept(tickets, latest.obtained_at)? {
        Some(Ok(ticket)) => {
            tickets.save(ticket.secret(), ticket.expires_at())?;
            latest.ticket = Some(ticket.secret().clone());
        }
        Some(Err(CallError::Refused(refusal))) => keep_refusal(tickets, &refusal)?,
        Some(Err(CallError::Failed(_))) | None => {}
    }
    if !latest.is_usable() {
        return Ok(None);
    }
    let ticket = latest.ticket;
    let ticket = ticket.and_then(|text| Ticket::obtained(text, latest.obtained_at).ok());
    Ok(ticket.filter(|ticket| ticket.usable_until() > clock.now()))
}

/// Returns the latest ticket or application with what is in a reply that was kept and not read yet.
/// Nothing is written.
///
/// # Errors
///
/// Those of the ledger.
pub fn latest(tickets: &Tickets<'_>) -> Result<Option<TicketRecord>> {
    let Some(mut latest) = tickets.latest()? else {
        return Ok(None);
    };
    match read_kept(tickets, latest.obtained_at)? {
        Some(Ok(ticket)) => {
            latest.expires_at = Some(ticket.expires_at());
            latest.ticket = Some(ticket.secret().clone());
        }
        Some(Err(CallError::Refused(refusal))) if refusal.class == Class::Token => return Ok(None),
        Some(Err(CallError::Refused(refusal))) => latest.origin = Origin::Refused(refusal.errcode),
        Some(Err(CallError::Failed(_))) | None => {}
    }
    Ok(Some(latest))
}

/// Reads the reply to the application that was made at `applied_at`, if it was kept and not read.
fn read_kept(
    tickets: &Tickets<'_>,
    applied_at: Timestamp,
) -> Result<Option<std::result::Result<Ticket, CallError>>> {
    let reply = tickets.unread_reply()?;
    let reply = reply.map(|(status, body)| ApplicationReply::kept(status, body));
    Ok(reply.map(|reply| reply.read(applied_at, &[])))
}

/// What came of an application.
pub enum ApplicationOutcome {
    /// The ticket, stored.
    Ticket(Ticket),
    /// Nothing was sent, or its token was refused, so that it may be made again.
    NotMade(CallError),
    /// No ticket.
    Nothing(TicketNews),
}

/// Stores the reply to the application that was made with this token at this time, then reads it and
/// stores what it brings.
///
/// # Errors
///
/// Those of the ledger.
pub fn take_reply(
    tickets: &Tickets<'_>,
    client: &Client,
    reply: std::result::Result<ApplicationReply, Failure>,
    (applied_at, token): (Timestamp, &Token),
) -> Result<ApplicationOutcome> {
    let reply = match reply {
        Ok(reply) => reply,
        Err(failure @ Failure::Connect(_)) => {
            tickets.withdraw_application()?;
            return Ok(ApplicationOutcome::NotMade(CallError::Failed(failure)));
        }
        Err(failure) => return Ok(ApplicationOutcome::Nothing(TicketNews::Unanswered(failure))),
    };
    tickets.keep_reply(reply.status, &reply.body)?;
    Ok(match client.read_ticket(&reply, applied_at, token) {
        Ok(ticket) => {
            tickets.save(ticket.secret(), ticket.expires_at())?;
            ApplicationOutcome::Ticket(ticket)
        }
        Err(CallError::Refused(refusal)) => {
            keep_refusal(tickets, &refusal)?;
            if refusal.class == Class::Token {
                return Ok(ApplicationOutcome::NotMade(CallError::Refused(refusal)));
            }
            let refusal = halt(refusal, wire::APPLY_MASS_CALL_TICKET);
            ApplicationOutcome::Nothing(TicketNews::Refused(refusal))
        }
        Err(CallError::Failed(_)) => ApplicationOutcome::Nothing(TicketNews::Unreadable),
    })
}

/// A reply to a token that ended is not one to the application.
fn keep_refusal(tickets: &Tickets<'_>, refusal: &Refusal) -> Result<()> {
    match refusal.class {
        Class::Token => tickets.withdraw_application(),
        _ => tickets.refused(refusal.errcode),
    }
}

/// Returns `ticket` as the ledger knows it.
pub(super) fn tried(ticket: &Ticket) -> TriedTicket<'_> {
    TriedTicket {
        text: ticket.secret(),
        obtained_at: ticket.obtained_at(),
    }
}

/// Whether `record` is of `ticket`.
pub(super) fn is_of(record: &TicketRecord, ticket: &Ticket) -> bool {
    let ours = ticket.secret().expose();
    let theirs = record.ticket.as_ref();
    theirs.is_some_and(|theirs| theirs.expose() == ours)
}

/// Returns the most calls of a run that has `queued` subjects to ask, at most `budget` calls, and so
/// much `time`.
#[must_use]
pub fn most_calls(
    queued: u64,
    budget: Option<u64>,
    time: Option<Duration>,
    limits: &Limits,
) -> u64 {
    let by_time = time.map(|time| {
        let basic = [QuotaWindow::BasicMinute, QuotaWindow::BasicHour].into_iter();
        let most = basic.filter_map(|window| {
            let spans = time.as_secs() / window.span().as_secs() + 1;
            Some(limits.of(window)?.saturating_mul(spans))
        });
        most.min().unwrap_or(u64::MAX)
    });
    let limits = [budget, by_time].into_iter().flatten();
    limits.fold(queued, u64::min)
}

/// Returns the calls that the windows of a day and of a month still allow without a ticket. The hour
/// is no measure: it comes again today.
#[must_use]
pub fn room_today(account: &Account, now: Timestamp) -> u64 {
    let mut account = account.clone();
    let limits = account.limits();
    let rooms = [QuotaWindow::BusinessDay, QuotaWindow::BusinessMonth].map(|window| {
        let used = account.used(now, window);
        limits
            .of(window)
            .map_or(u64::MAX, |limit| limit.saturating_sub(used))
    });
    rooms.into_iter().min().unwrap_or(u64::MAX)
}

/// What is to be done about a ticket now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Apply, if it is worth it.
    Apply,
    /// Look whether there is one by now.
    Look,
}

/// The way of a run to a ticket.
pub(super) struct TicketSearch {
    source: TicketSource,
    /// When the next step may be taken.
    next: Timestamp,
    /// Whether a lookup was answered in this run, and since the last application that was not made.
    has_answers: bool,
    under_way: Option<Application>,
}

/// The application under way.
pub(super) struct Application {
    /// When it was made, by the wall clock.
    pub(super) at: Timestamp,
    pub(super) token: Token,
    /// The number of the token.
    pub(super) token_generation: u32,
}

impl TicketSearch {
    pub(super) const fn new() -> Self {
        Self {
            source: TicketSource::Nowhere,
            next: Timestamp::from_millis(0),
            has_answers: false,
            under_way: None,
        }
    }

    pub(super) const fn from(&mut self, source: TicketSource) {
        self.source = source;
    }

    /// A lookup was answered.
    pub(super) const fn answered(&mut self) {
        self.has_answers = true;
    }

    /// Whether a lookup was answered since the run began, or the last application was not made.
    pub(super) const fn has_answers(&self) -> bool {
        self.has_answers
    }

    /// Returns what is to be done at `now`, at most every few seconds.
    pub(super) fn step(&mut self, now: Timestamp) -> Step {
        if now < self.next || self.under_way.is_some() {
            return Step::Nothing;
        }
        match self.source {
            TicketSource::Nowhere => Step::Nothing,
            TicketSource::Application => {
                self.next = now.plus(DECIDE);
                Step::Apply
            }
            TicketSource::Elsewhere => {
                self.next = now.plus(LOOK);
                Step::Look
            }
        }
    }

    /// When somebody else's ticket is looked for again, after `now`.
    pub(super) fn looks_after(&self, now: Timestamp) -> Option<Timestamp> {
        (self.source == TicketSource::Elsewhere && self.next > now).then_some(self.next)
    }

    /// The application is made, and never again.
    pub(super) fn applied(&mut self, application: Application) {
        self.under_way = Some(application);
        self.source = TicketSource::Nowhere;
    }

    /// Takes the application that was answered, or not.
    pub(super) const fn take_application(&mut self) -> Option<Application> {
        self.under_way.take()
    }

    /// It was not made: it is made later, once lookups are known to be answered again.
    pub(super) fn not_made(&mut self, now: Timestamp) {
        self.source = TicketSource::Application;
        self.next = now.plus(AGAIN);
        self.has_answers = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WindowKind;
    use crate::quota::CallKind;

    #[test]
    fn short_job_before_midnight_does_not_need_the_ticket() {
        let now = Timestamp::parse("2026-11-22T23:50:00+08:00").unwrap();
        let mut account = Account::new(Limits::published(), WindowKind::Sliding);
        assert_eq!(room_today(&account, now), 480_000);
        account.complete_many(now, CallKind::Standard, 400_000);
        assert_eq!(room_today(&account, now), 80_000);
        // What was used yesterday at this time is free again.
        let tomorrow = now.plus(Duration::from_secs(25 * 3600));
        assert_eq!(room_today(&account, tomorrow), 480_000);
        assert_eq!(
            room_today(&Account::new(Limits::none(), WindowKind::Sliding), now),
            u64::MAX
        );
    }

    #[test]
    fn month_counts_if_it_has_less_room_than_the_day() {
        let now = Timestamp::parse("2026-11-22T09:00:00+08:00").unwrap();
        let mut account = Account::new(Limits::published(), WindowKind::Sliding);
        account.complete_many(now, CallKind::Standard, 7_400_000);
        let later = now.plus(Duration::from_secs(3 * 86_400));
        assert_eq!(room_today(&account, later), 100_000);
    }

    #[test]
    fn budget_and_time_bound_the_calls_of_a_run() {
        let limits = Limits::published();
        let most = |budget, minutes: Option<u64>| {
            let time = minutes.map(|minutes| Duration::from_secs(60 * minutes));
            most_calls(10_000_000, budget, time, &limits)
        };
        assert_eq!(most(None, None), 10_000_000);
        assert_eq!(most(Some(100), None), 100);
        assert_eq!(most(None, Some(4)), 50_000);
        assert_eq!(most(None, Some(90)), 300_000);
        assert_eq!(most(Some(1_000), Some(90)), 1_000);
        assert_eq!(most_calls(5, None, None, &limits), 5);
    }

    #[test]
    fn ledger_is_looked_at_every_few_seconds_and_no_oftener() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let mut search = TicketSearch::new();
        assert_eq!(search.step(at(0)), Step::Nothing);
        search.from(TicketSource::Elsewhere);
        let steps = [0, 1, 4, 5, 9, 10].map(|second| search.step(at(second)));
        use Step::{Look, Nothing};
        assert_eq!(steps, [Look, Nothing, Nothing, Look, Nothing, Look]);
    }
}
