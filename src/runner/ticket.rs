//! The one application for a `mass_call_ticket`, before the loop begins.
//!
//! At most once per corp, ever (D96250): the application is on disk before it is made, the ticket
//! before it is used, and nothing here is repeated.

use super::{decide::halt, event::FatalRefusal};
use crate::{
    clock::Clock,
    ledger::Tickets,
    store::Result,
    wecom::{CallError, Client, Ticket, Token, errcode::Class, transport::Failure, wire},
};

/// The result of an application.
pub enum Applied {
    /// A ticket, stored; and the token it was obtained with, still valid.
    Ticket(Ticket, Token),
    /// The API refused.
    Refused(Box<FatalRefusal>),
    /// No answer: the one chance may be used up. It is remembered and not repeated.
    Unanswered(Failure),
    /// The API could not be reached; nothing was applied for.
    Unreachable(Failure),
}

/// The stored ticket, if it is not known to be dead or about to expire.
pub fn stored(tickets: &Tickets<'_>, clock: Clock) -> Result<Option<Ticket>> {
    let Some(application) = tickets.latest_application()? else {
        return Ok(None);
    };
    if application.dead_at.is_some() {
        return Ok(None);
    }
    let ticket = application
        .ticket
        .and_then(|text| Ticket::obtained(text, application.applied_at).ok());
    Ok(ticket.filter(|ticket| ticket.usable_until() > clock.now()))
}

/// Applies for a ticket, once.
pub async fn apply(tickets: &Tickets<'_>, client: &Client, clock: Clock) -> Result<Applied> {
    let token = match client.fetch_token().await {
        Ok(token) => token,
        Err(CallError::Refused(refusal)) => {
            return Ok(Applied::Refused(Box::new(halt(refusal, wire::GETTOKEN))));
        }
        Err(CallError::Failed(failure)) => return Ok(Applied::Unreachable(failure)),
    };
    let now = clock.now();
    tickets.record_application(now)?;
    match client.apply_ticket(&token, now).await {
        Ok(ticket) => {
            tickets.save(ticket.secret(), ticket.expires_at())?;
            Ok(Applied::Ticket(ticket, token))
        }
        Err(CallError::Refused(refusal)) => {
            // A code that is listed has nothing to do with tickets: the chance is not used up.
            if refusal.class != Class::Unlisted {
                tickets.forget_application()?;
            }
            let halt = halt(refusal, wire::APPLY_MASS_CALL_TICKET);
            Ok(Applied::Refused(Box::new(halt)))
        }
        Err(CallError::Failed(failure @ Failure::Connect(_))) => {
            tickets.forget_application()?;
            Ok(Applied::Unreachable(failure))
        }
        Err(CallError::Failed(failure)) => Ok(Applied::Unanswered(failure)),
    }
}
