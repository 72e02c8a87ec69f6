//! A reply's bytes to what they mean. `errcode` is tested first, always: an error reply may carry
//! an empty list too, and an empty list means "nobody" only beside `errcode` 0.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    errcode::{Class, WecomCall, class_of, line},
    redact,
    ticket::Ticket,
    token::Token,
    transport::{Failure, Response},
    wire::{ConvertReply, ExternalUserid, TicketReply, TokenReply},
};
use crate::{clock::Timestamp, model::Link, secret::Secret};

/// The one thing that is ever looked for in an `errmsg` (D90455): the server could not parse our
/// JSON and went on with half-read parameters, even where it says `errcode` 0.
const WRONG_JSON: &str = "Warning: wrong json format";

/// What came of one lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `errcode` 0. The links are sorted and distinct; none means nobody downstream has this
    /// person as a customer now.
    Answered(Vec<Link>),
    /// A reply that says no.
    Refused(Refusal),
    /// No reply that can be read.
    Failed(Failure),
}

/// A reply whose errcode (or wrong-json warning) refuses the call.
///
/// As text: `60020 不安全的访问IP (not allowed to access from your IP): not allow to access …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code; 0 only with the wrong-json warning.
    pub errcode: i64,
    /// What it asks us to do.
    pub class: Class,
    /// The server's own words, at most 300 characters, without anything we sent; it may hold our
    /// public address. Empty for classes that may come by the million
    /// ([`Class::keeps_errmsg`]).
    pub errmsg: String,
}

impl Refusal {
    fn new(errcode: i64, errmsg: &str, on: WecomCall, sent: &[&str]) -> Self {
        let class = match errmsg.contains(WRONG_JSON) {
            true => Class::Bug,
            false => class_of(errcode, on),
        };
        let errmsg = match class.keeps_errmsg() {
            true => redact::clean(errmsg, sent),
            false => String::new(),
        };
        Self {
            errcode,
            class,
            errmsg,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(self.errcode).fmt(f)?;
        match self.errmsg.as_str() {
            "" => Ok(()),
            errmsg => write!(f, ": {errmsg}"),
        }
    }
}

/// Why there is no token or no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A reply that says no.
    #[error("{0}")]
    Refused(Refusal),
    /// No reply that can be read.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// What every reply has, whatever else in it is broken.
#[derive(Deserialize)]
struct Head<'a> {
    errcode: Option<i64>,
    #[serde(borrow, default)]
    errmsg: Option<Cow<'a, str>>,
}

/// Reads the reply to a lookup. `sent` is what must not come back out of an `errmsg`.
#[must_use]
pub fn decode_convert(response: &Response, on: WecomCall, sent: &[&str]) -> Verdict {
    if response.status != 200 {
        return Verdict::Failed(Failure::Status(response.status));
    }
    match serde_json::from_slice::<ConvertReply<'_>>(&response.body) {
        Ok(reply) if reply.errcode == 0 && !reply.errmsg.contains(WRONG_JSON) => {
            answered(reply.external_userid_info.unwrap_or_default())
        }
        Ok(reply) => Verdict::Refused(Refusal::new(reply.errcode, &reply.errmsg, on, sent)),
        // The list may be what cannot be read; a refusal does not need it.
        Err(_) => match refused(&response.body, on, sent) {
            Some(refusal) => Verdict::Refused(refusal),
            None => Verdict::Failed(Failure::Body),
        },
    }
}

/// The links in an order of their own, since the server's is not stated (D95818) and two runs
/// must come to the same results.
fn answered(entries: Vec<ExternalUserid<'_>>) -> Verdict {
    let incomplete =
        |entry: &ExternalUserid<'_>| entry.corpid.is_empty() || entry.external_userid.is_empty();
    if entries.iter().any(incomplete) {
        return Verdict::Failed(Failure::Body);
    }
    let link = |entry: ExternalUserid<'_>| Link {
        corpid: entry.corpid.into(),
        external_userid: entry.external_userid.into(),
    };
    let mut links: Vec<Link> = entries.into_iter().map(link).collect();
    links.sort_unstable();
    links.dedup();
    Verdict::Answered(links)
}

/// The refusal in `body`, if there is one.
fn refused(body: &[u8], on: WecomCall, sent: &[&str]) -> Option<Refusal> {
    let head: Head<'_> = serde_json::from_slice(body).ok()?;
    let errmsg = head.errmsg.unwrap_or_default();
    match head.errcode {
        Some(errcode) if errcode != 0 => Some(Refusal::new(errcode, &errmsg, on, sent)),
        _ => None,
    }
}

/// The body of a token or ticket reply, unless it is a refusal. It holds a secret on success.
fn accepted(
    response: Response,
    on: WecomCall,
    sent: &[&str],
) -> Result<Secret<Vec<u8>>, CallError> {
    let body = Secret::new(response.body);
    if response.status != 200 {
        return Err(Failure::Status(response.status).into());
    }
    match refused(body.expose(), on, sent) {
        Some(refusal) => Err(CallError::Refused(refusal)),
        None => Ok(body),
    }
}

/// Reads the reply of `gettoken`; there a missing `errcode` is success (D90605).
pub(super) fn decode_token(response: Response, sent: &[&str]) -> Result<Token, CallError> {
    let body = accepted(response, WecomCall::Gettoken, sent)?;
    let reply: TokenReply = serde_json::from_slice(body.expose()).map_err(|_| Failure::Body)?;
    let secret = Secret::new(reply.access_token);
    let length = secret.expose().len();
    // A life of zero would be a new token for every call, which gets the caller blocked (D91039).
    if length == 0 || length > Token::LONGEST || reply.expires_in == 0 {
        return Err(Failure::Body.into());
    }
    Ok(Token {
        secret: Arc::new(secret),
        expires_in: Duration::from_secs(reply.expires_in),
    })
}

/// Reads the reply of `apply_mass_call_ticket` to a request sent at `now`.
pub(super) fn decode_ticket(
    response: Response,
    now: Timestamp,
    sent: &[&str],
) -> Result<Ticket, CallError> {
    let body = accepted(response, WecomCall::Ticket, sent)?;
    let reply: TicketReply = serde_json::from_slice(body.expose()).map_err(|_| Failure::Body)?;
    let ticket = Ticket::obtained(Secret::new(reply.mass_call_ticket), now);
    ticket.map_err(|_| Failure::Body.into())
}

#[cfg(test)]
mod tests;
