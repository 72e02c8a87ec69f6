//! Whether a run sends a ticket, and how it may come to one: a decision for the operator, since a
//! corp can obtain one only once (D96250).

use std::{path::Path, time::Duration};

use serde::Serialize;

use super::{error::Error, exit::Exit, files::JobFiles, operator::Operator, passes, token};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    ledger::{Ledger, Tickets},
    model::State,
    quota::{Account, Quota},
    runner::{
        RunOptions,
        event::{RunEvent, TicketNews, TicketState},
        ticket::{self, ApplicationOutcome, PROVEN, TicketSource},
    },
    secret::Secret,
    store::{Reader, StoreError},
    wecom::{ApplicationReply, Client, Ticket},
};

/// When a ticket is used and applied for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketPolicy {
    /// Use a stored one; apply if today's quota cannot finish the job and the operator agrees.
    #[default]
    Auto,
    /// The same, and the operator agrees.
    Apply,
    /// Use a stored one; never apply.
    Stored,
    /// Use a stored one, or one that is stored during the run; never apply.
    Postpone,
    /// Never send one.
    None,
}

/// What the decision rests on.
pub(super) struct TicketContext<'a> {
    pub(super) tickets: &'a Tickets<'a>,
    pub(super) account: &'a Account,
    /// The time in the ledger.
    pub(super) now: Timestamp,
    pub(super) clock: Clock,
    /// Subjects to look up.
    pub(super) queued: u64,
    pub(super) options: &'a RunOptions,
}

/// Returns the ticket to begin with, and where one may come from during the run.
pub(super) fn choose(
    policy: TicketPolicy,
    context: &TicketContext<'_>,
    operator: &mut dyn Operator,
) -> Result<(Option<Ticket>, TicketSource), Error> {
    if policy == TicketPolicy::None {
        return Ok((None, TicketSource::Nowhere));
    }
    if let Some(ticket) = ticket::stored(context.tickets, context.clock)? {
        return Ok((Some(ticket), TicketSource::Nowhere));
    }
    let source = match policy {
        TicketPolicy::Postpone => TicketSource::Elsewhere,
        TicketPolicy::Auto | TicketPolicy::Apply => context.whether_to_apply(policy, operator)?,
        TicketPolicy::Stored | TicketPolicy::None => TicketSource::Nowhere,
    };
    Ok((None, source))
}

impl TicketContext<'_> {
    fn whether_to_apply(
        &self,
        policy: TicketPolicy,
        operator: &mut dyn Operator,
    ) -> Result<TicketSource, Error> {
        let mut say = |news| operator.event(&RunEvent::Ticket(news));
        if !self.is_needed() {
            if policy == TicketPolicy::Apply {
                say(TicketNews::NotNeeded);
            }
            return Ok(TicketSource::Nowhere);
        }
        if let Some(state) = state(self.tickets, self.clock.now())? {
            say(TicketNews::Spent(state));
            return Ok(match self.may_be_under_way(state) {
                true => TicketSource::Elsewhere,
                false => TicketSource::Nowhere,
            });
        }
        let agrees = policy == TicketPolicy::Apply || operator.agrees_to_apply();
        Ok(match agrees {
            true => TicketSource::Application,
            false => TicketSource::Nowhere,
        })
    }

    /// Whether another process may still wait for the reply to the application.
    fn may_be_under_way(&self, state: TicketState) -> bool {
        let longest = 2 * self.options.call_timeout;
        matches!(state, TicketState::Unanswered(at) if self.clock.now().since(at) < longest)
    }

    /// Whether what the run is to do does not fit today's quota.
    fn is_needed(&self) -> bool {
        let RunOptions {
            budget, deadline, ..
        } = self.options;
        let time = deadline.map(|at| at.since(self.clock.now()));
        let limits = self.account.limits();
        let calls = ticket::most_calls(self.queued, *budget, time, &limits);
        calls > ticket::room_today(self.account, self.now)
    }
}

/// Returns how it stands with the corp's ticket at `now`, by the wall clock; `None` if none was ever
/// applied for or imported, so that one may be applied for.
pub(crate) fn state(tickets: &Tickets<'_>, now: Timestamp) -> Result<Option<TicketState>, Error> {
    let latest = ticket::latest(tickets)?;
    Ok(latest.map(|latest| latest.state(now, Ticket::LAST_HOUR)))
}

/// How it stands with a corp's ticket. In JSON, times are RFC 3339 at +08:00.
#[derive(Debug, Serialize)]
pub struct TicketStatus {
    /// The upstream corp.
    pub corp_id: String,
    /// `none`, `works`, `doubted`, `dead`, `expired`, `refused`, `unanswered`, `unreadable` or
    /// `forgotten`.
    pub state: &'static str,
    /// When it was applied for or obtained.
    pub obtained_at: Option<String>,
    /// Until when it is sent.
    pub until: Option<String>,
    /// How long its text is.
    pub characters: Option<usize>,
    /// The state with its particulars.
    #[serde(skip)]
    pub known: Option<TicketState>,
}

/// Reads how it stands with the ticket of `corp` in the ledger at `path`, which is not changed.
///
/// # Errors
///
/// If the ledger cannot be read.
pub fn status(path: &Path, corp: &str, clock: Clock) -> Result<TicketStatus, Error> {
    let latest = match Ledger::open_to_read(path) {
        Ok(ledger) => ticket::latest(&Tickets::of(&ledger, corp))?,
        Err(StoreError::Missing { .. }) => None,
        Err(why) => return Err(why.into()),
    };
    let known = latest
        .as_ref()
        .map(|latest| latest.state(clock.now(), Ticket::LAST_HOUR));
    let (state, until) = match known {
        None => ("none", None),
        Some(TicketState::Works(until)) => ("works", Some(until)),
        Some(TicketState::Doubted(until)) => ("doubted", Some(until)),
        Some(TicketState::Dead(_)) => ("dead", None),
        Some(TicketState::Expired(_)) => ("expired", None),
        Some(TicketState::Refused(_)) => ("refused", None),
        Some(TicketState::Unanswered(_)) => ("unanswered", None),
        Some(TicketState::Unreadable) => ("unreadable", None),
        Some(TicketState::Forgotten) => ("forgotten", None),
    };
    let text = latest.as_ref().and_then(|latest| latest.ticket.as_ref());
    Ok(TicketStatus {
        corp_id: corp.to_owned(),
        state,
        characters: text.map(|text| text.expose().chars().count()),
        obtained_at: latest.as_ref().map(|latest| latest.obtained_at.rfc3339()),
        until: until.map(Timestamp::rfc3339),
        known,
    })
}

/// Returns an error if the ticket of `corp` may not be applied for now.
pub(crate) fn check_application(
    files: &JobFiles,
    corp: &str,
    quota: &Quota,
    clock: Clock,
) -> Result<(), Error> {
    let known = status(&files.ledger, corp, clock)?;
    if known.known.is_some() {
        return Err(Error::usage(format!(
            "{corp} has applied for or imported a ticket, and there is no second one (D96250): \
             `idferry ticket show` tells of it"
        )));
    }
    let reader = Reader::open(&files.job)?;
    let standing = files.standing(&reader)?;
    let job = files.job.display();
    if !standing
        .corp_id
        .is_some_and(|id| id.eq_ignore_ascii_case(corp))
    {
        return Err(Error::usage(format!(
            "{job} is not a job of {corp}: name one with --state; its answers show that lookups work"
        )));
    }
    let tally = reader.tally()?;
    if tally.answered() < PROVEN {
        return Err(Error::usage(format!(
            "fewer than {PROVEN} lookups of {job} are answered: run it first, with --ticket \
             postpone, so that the seven days of the ticket are not spent on finding out what is \
             missing"
        )));
    }
    let now = LedgerClock::resume(clock, standing.lookups.reading).now();
    let snapshot = &standing.lookups.snapshot;
    let account = Account::restore(quota.allowed(), quota.window_kind, snapshot);
    let left = passes::left(tally.of(State::Queued), &reader.passes(), None)?;
    let room = ticket::room_today(&account, now);
    if left <= room {
        return Err(Error::usage(format!(
            "{left} subjects of {job} are left, and today's quota has room for {room} calls: the \
             ticket is kept for work that needs it"
        )));
    }
    Ok(())
}

/// Applies for the ticket, once, and stores the reply and what it brings.
pub(crate) async fn apply(
    path: &Path,
    client: &Client,
    timeout: Duration,
    clock: Clock,
) -> Result<TicketNews, Error> {
    let ledger = Ledger::open(path)?;
    let tickets = Tickets::of(&ledger, client.corp_id());
    let who = ("idferry ticket apply", timeout);
    let token = token::fetch(&ledger, client, &mut ledger.resume_clock(clock)?, who).await?;
    let applied_at = clock.now();
    if !tickets.record_application(applied_at)? {
        let known = state(&tickets, applied_at)?.unwrap_or(TicketState::Forgotten);
        return Ok(TicketNews::Spent(known));
    }
    let reply = client.apply_ticket(&token).await;
    match ticket::take_reply(&tickets, client, reply, (applied_at, &token))? {
        ApplicationOutcome::NotMade(why) => Err(Error {
            exit: Exit::Halted,
            message: format!("nothing was applied for, so that it may be tried again: {why}"),
        }),
        ApplicationOutcome::Ticket(ticket) => Ok(TicketNews::Obtained {
            until: ticket.usable_until(),
        }),
        ApplicationOutcome::Nothing(news) => Ok(news),
    }
}

/// Whether there is a ticket now.
pub(crate) const fn is_obtained(news: &TicketNews) -> bool {
    matches!(news, TicketNews::Obtained { .. })
}

/// Stores a ticket that was obtained at `obtained_at`; `text` is its text, or the reply that brought
/// it. Returns until when it is sent.
pub(crate) fn import(
    path: &Path,
    corp: &str,
    text: Secret<Vec<u8>>,
    obtained_at: Timestamp,
    clock: Clock,
) -> Result<Timestamp, Error> {
    let bytes = text.expose();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let bytes = bytes.trim_ascii();
    let ticket = if bytes.starts_with(b"{") {
        let reply = ApplicationReply::kept(200, text);
        let read = reply.read(obtained_at, &[]);
        read.map_err(|why| Error::usage(format!("no ticket is in this reply: {why}")))?
    } else {
        let text = std::str::from_utf8(bytes);
        let text = text.ok().filter(|text| !text.contains(char::is_control));
        let text = text.ok_or_else(|| Error::usage("a ticket is one line of text"))?;
        let ticket = Ticket::obtained(Secret::new(text.to_owned()), obtained_at);
        ticket.map_err(|why| Error::usage(why.to_string()))?
    };
    let ledger = Ledger::open(path)?;
    let tickets = Tickets::of(&ledger, corp);
    let (since, now) = (tickets.since(ticket.secret(), obtained_at)?, clock.now());
    let until = Ticket::last_use(since.plus(Ticket::LIFE));
    if obtained_at > now || until <= now {
        return Err(Error::usage(format!(
            "a ticket lives seven days (D96250), and this one is of {since}, which is not within the \
             last seven"
        )));
    }
    tickets.import(ticket.secret(), obtained_at, Ticket::LIFE)?;
    Ok(until)
}

/// Deletes the text of every ticket and reply of `corp`. Returns whether there was any.
pub(crate) fn forget(path: &Path, corp: &str) -> Result<bool, Error> {
    match path.exists() {
        true => Ok(Tickets::of(&Ledger::open(path)?, corp).forget()?),
        false => Ok(false),
    }
}

#[cfg(test)]
mod tests;
