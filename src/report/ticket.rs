//! What is said of the ticket, of which a corp obtains one, ever (D96250).

use std::fmt::Write;

use super::{TicketNews, TicketState};
use crate::{
    clock::Timestamp,
    format::{moment, moment_and_wait},
    job::ticket::TicketStatus,
    runner::event::FatalRefusal,
};

/// The ticket by its official name.
const NAME: &str = "mass_call_ticket (大批量调用凭据)";
/// What follows from an application that brought nothing.
const WITHOUT: &str = "a corp applies once (D96250), so runs continue without and none applies again; \
                       `idferry ticket import` takes one that was obtained in another way";

/// The sentence of an event; `when` says a time.
pub(crate) fn news(news: &TicketNews, when: impl Fn(Timestamp) -> String) -> String {
    match news {
        TicketNews::Obtained { until } => {
            format!("{NAME} obtained and stored; sent until {}", when(*until))
        }
        TicketNews::Found { until } => {
            format!("{NAME} found in the ledger; sent until {}", when(*until))
        }
        TicketNews::Refused(refusal) => format!(
            "the application for a {NAME} was refused with {}: {WITHOUT}",
            words(refusal)
        ),
        TicketNews::Unanswered(failure) => format!(
            "the application for a {NAME} was not answered ({failure}): the one chance is probably \
             used up; {WITHOUT}"
        ),
        TicketNews::Unreadable => format!(
            "no ticket was found in the reply to the application for a {NAME}: the reply is kept in \
             the ledger, table tickets; {WITHOUT}"
        ),
        TicketNews::Spent(state) => format!("no {NAME} is applied for: {}", spent(*state, when)),
        TicketNews::NotNeeded => format!(
            "no {NAME} is applied for: today's quota is enough, and a corp obtains one only once \
             (D96250)"
        ),
    }
}

/// The same for programs: what happened, until when the ticket is sent, and the errcode.
pub(super) const fn code(news: &TicketNews) -> (&'static str, Option<Timestamp>, Option<i64>) {
    match news {
        TicketNews::Obtained { until } => ("obtained", Some(*until), None),
        TicketNews::Found { until } => ("found", Some(*until), None),
        TicketNews::Refused(refusal) => ("refused", None, Some(refusal.errcode)),
        TicketNews::Unanswered(_) => ("unanswered", None, None),
        TicketNews::Unreadable => ("unreadable", None, None),
        TicketNews::Spent(_) => ("spent", None, None),
        TicketNews::NotNeeded => ("not_needed", None, None),
    }
}

/// How it stands, as a fact of the summary.
pub(super) fn state(state: TicketState, now: Timestamp) -> String {
    match state {
        TicketState::Works(until) => format!("works until {}", moment_and_wait(until, now)),
        TicketState::Doubted(until) => format!(
            "in doubt: it may not work any more; sent until {}",
            moment_and_wait(until, now)
        ),
        state => spent(state, |at| moment(at, now)),
    }
}

/// Until when the ticket works, if it does.
pub(super) const fn works_until(state: TicketState) -> Option<Timestamp> {
    match state {
        TicketState::Works(until) | TicketState::Doubted(until) => Some(until),
        _ => None,
    }
}

/// What `idferry ticket show` prints.
pub(crate) fn render(status: &TicketStatus, now: Timestamp) -> String {
    let mut text = format!("{}  {NAME}\n", status.corp_id);
    let mut fact = |name: &str, fact: &str| {
        let _ = writeln!(text, "  {name:<9}{fact}");
    };
    match status.known {
        None => fact("state", "none was ever applied for or imported"),
        Some(known) => fact("state", &state(known, now)),
    }
    if let Some(at) = &status.obtained_at {
        fact("obtained", at);
    }
    if let Some(characters) = status.characters {
        fact("text", &format!("{characters} characters, in the ledger"));
    }
    text
}

/// Why there is none, and no second one.
fn spent(state: TicketState, when: impl Fn(Timestamp) -> String) -> String {
    match state {
        TicketState::Works(until) | TicketState::Doubted(until) => {
            format!("one is sent until {}", when(until))
        }
        TicketState::Dead(at) => format!("the API accepts it no more, found at {}", when(at)),
        TicketState::Expired(at) => format!("it expired at {}, and there is no second", when(at)),
        TicketState::Refused(errcode) => {
            format!("the application was refused with errcode {errcode}, and there is no second")
        }
        TicketState::Unanswered(at) => format!(
            "no reply to the application of {} is known, so the one chance is probably used up, unless \
             another process waits for it",
            when(at)
        ),
        TicketState::Unreadable => {
            "no ticket was found in the reply to the application; it is kept in the ledger".into()
        }
        TicketState::Forgotten => "there was one, and it was forgotten; there is no second".into(),
    }
}

fn words(refusal: &FatalRefusal) -> String {
    let words = match refusal.errmsg.as_str() {
        "" => String::new(),
        words => format!(", \"{}\"", super::style::printable(words)),
    };
    let entry = refusal.entry;
    let space = if entry.chinese.is_empty() { "" } else { " " };
    format!(
        "errcode {}{space}{} ({}){words}",
        refusal.errcode, entry.chinese, entry.meaning
    )
}
