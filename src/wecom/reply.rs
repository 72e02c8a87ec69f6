//! Reads replies. `errcode` is always tested first: an error reply may carry an empty list of links
//! too, which means "no link" only beside `errcode` 0.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    endpoint::{Answer, Endpoint},
    errcode::{Class, CredentialCall, line},
    lenient, redact,
    token::Token,
    transport::{Failure, Response},
    wire::TokenReply,
};
use crate::secret::Secret;

/// The only text that is looked for in an `errmsg` (D90455): the server could not parse the JSON
/// and used half-read parameters, even where `errcode` is 0.
const WRONG_JSON: &str = "Warning: wrong json format";

/// The result of one call about a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// `errcode` 0.
    Answered(Answer),
    /// Another errcode.
    Refused(Refusal),
    /// No reply that can be read.
    Failed(Failure),
}

impl Verdict {
    /// The errcode of a refusal.
    #[must_use]
    pub const fn errcode(&self) -> Option<i64> {
        match self {
            Self::Refused(refusal) => Some(refusal.errcode),
            Self::Answered(_) | Self::Failed(_) => None,
        }
    }
}

/// A reply whose errcode (or wrong-json warning) refuses the call.
///
/// As text: `60020 不安全的访问IP (not allowed to access from your IP): not allow to access …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code; 0 only with the wrong-json warning.
    pub errcode: i64,
    /// What to do about it.
    pub class: Class,
    /// The server's own words, at most 300 characters, without anything that was sent; they may
    /// contain the caller's public address. Empty for most classes ([`Class::keeps_errmsg`]).
    pub errmsg: String,
}

impl Refusal {
    pub(super) fn new(
        errcode: i64,
        errmsg: &str,
        class_of: impl Fn(i64) -> Class,
        sent: &[&str],
    ) -> Self {
        let class = if errmsg.contains(WRONG_JSON) {
            Class::Bug
        } else {
            class_of(errcode)
        };
        let errmsg = if class.keeps_errmsg() {
            redact::clean(errmsg, sent)
        } else {
            String::new()
        };
        Self {
            errcode,
            class,
            errmsg,
        }
    }
}

impl Refusal {
    /// Whether it is the secret, or the corp that it belongs to, that is refused (D90313).
    #[must_use]
    pub const fn is_wrong_secret(&self) -> bool {
        matches!(self.errcode, 40_001 | 40_013 | 40_091)
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

/// Why a token or a ticket was not obtained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// An errcode other than 0.
    #[error("{0}")]
    Refused(Refusal),
    /// No reply that can be read.
    #[error("{0}")]
    Failed(#[from] Failure),
}

/// The fields of every reply.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default, deserialize_with = "lenient::maybe_number")]
    errcode: Option<i64>,
    #[serde(borrow, default)]
    errmsg: Option<Cow<'a, str>>,
}

/// Reads the reply of `endpoint` to a call that named a downstream corp or not. `sent` is what
/// must not come back out of an `errmsg`.
pub(super) fn decode(
    response: &Response,
    endpoint: &Endpoint,
    names_corp: bool,
    sent: &[&str],
) -> Verdict {
    if response.status != 200 {
        return Verdict::Failed(bad_status(response));
    }
    let class_of = |errcode| endpoint.class_of(errcode, names_corp);
    let body = lenient::text(&response.body);
    match (endpoint.decode)(&body) {
        Ok(reply) if reply.errcode == 0 && !reply.errmsg.contains(WRONG_JSON) => reply
            .answer
            .map_or(Verdict::Failed(Failure::Body), Verdict::Answered),
        Ok(reply) => {
            let refusal = Refusal::new(reply.errcode, &reply.errmsg, class_of, sent);
            Verdict::Refused(refusal)
        }
        // What cannot be read may be the answer; a refusal does not need it.
        Err(_) => {
            refused(&body, class_of, sent).map_or(Verdict::Failed(Failure::Body), Verdict::Refused)
        }
    }
}

/// The failure of a reply with a status other than 200.
fn bad_status(response: &Response) -> Failure {
    let status = response.status;
    response
        .retry_after
        .map_or(Failure::Status(status), |wait| {
            Failure::RetryAfter(status, wait)
        })
}

/// Returns the refusal in `body`, if there is one.
fn refused(body: &str, class_of: impl Fn(i64) -> Class, sent: &[&str]) -> Option<Refusal> {
    let head: Head<'_> = serde_json::from_str(body).ok()?;
    let errmsg = head.errmsg.unwrap_or_default();
    match head.errcode {
        Some(errcode) if errcode != 0 => Some(Refusal::new(errcode, &errmsg, class_of, sent)),
        _ => None,
    }
}

/// Returns the body of a reply, unless it is a refusal. It may contain a secret.
pub(super) fn accepted(
    response: &Response,
    class_of: impl Fn(i64) -> Class,
    sent: &[&str],
) -> Result<Secret<String>, CallError> {
    if response.status != 200 {
        return Err(bad_status(response).into());
    }
    let body = Secret::new(lenient::text(&response.body).into_owned());
    match refused(body.expose(), class_of, sent) {
        Some(refusal) => Err(CallError::Refused(refusal)),
        None => Ok(body),
    }
}

/// Reads the reply of `gettoken`; there a missing `errcode` is success (D90605).
pub(super) fn decode_token(response: Response, sent: &[&str]) -> Result<Token, CallError> {
    let class_of = |errcode| CredentialCall::Token.class_of(errcode);
    read_token(&accepted(&response, class_of, sent)?)
}

/// Reads the body of an accepted reply that carries a token.
pub(super) fn read_token(body: &Secret<String>) -> Result<Token, CallError> {
    let reply: TokenReply = serde_json::from_str(body.expose()).map_err(|_| Failure::Body)?;
    let secret = Secret::new(reply.access_token);
    let length = secret.expose().len();
    // A life of zero would mean a fetch for every call, which gets the caller blocked (D91039).
    if length == 0 || length > Token::LONGEST || reply.expires_in == 0 {
        return Err(Failure::Body.into());
    }
    Ok(Token {
        secret: Arc::new(secret),
        expires_in: Duration::from_secs(reply.expires_in),
    })
}

#[cfg(test)]
mod tests;
