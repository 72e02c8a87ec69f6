//! The reply to the one application for a ticket: kept as it came, and read leniently. It does not
//! come a second time.

use serde_json::Value;

use super::{
    errcode::CredentialCall,
    lenient,
    reply::{CallError, Refusal},
    ticket::Ticket,
    transport::{Failure, Response},
};
use crate::{clock::Timestamp, secret::Secret};

/// The field of the ticket (D96250).
const FIELD: &str = "mass_call_ticket";

/// A reply to `apply_mass_call_ticket`, as it was received.
pub struct ApplicationReply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Secret<Vec<u8>>,
}

impl ApplicationReply {
    pub(super) fn of(response: Response) -> Self {
        Self {
            status: response.status,
            body: Secret::new(response.body),
        }
    }

    /// Returns a reply that was kept.
    #[must_use]
    pub const fn kept(status: u16, body: Secret<Vec<u8>>) -> Self {
        Self { status, body }
    }

    /// Looks for the errcode, then for the ticket, wherever it stands. `sent` is what must not come
    /// back out of an `errmsg`.
    ///
    /// # Errors
    ///
    /// A refusal, or a reply in which no ticket can be found.
    pub fn read(&self, applied_at: Timestamp, sent: &[&str]) -> Result<Ticket, CallError> {
        let text = Secret::new(lenient::text(self.body.expose()).into_owned());
        let json: Option<Value> = serde_json::from_str(text.expose()).ok();
        if let Some(refusal) = json.as_ref().and_then(|json| refusal(json, sent)) {
            return Err(CallError::Refused(refusal));
        }
        let found = match &json {
            Some(json) => in_json(json),
            None => in_text(text.expose()),
        };
        let ticket = found.and_then(|text| Ticket::obtained(Secret::new(text), applied_at).ok());
        ticket.ok_or(CallError::Failed(match self.status {
            200 => Failure::Body,
            status => Failure::Status(status),
        }))
    }
}

fn refusal(json: &Value, sent: &[&str]) -> Option<Refusal> {
    let errcode = match json.get("errcode")? {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let errmsg = json.get("errmsg").and_then(Value::as_str).unwrap_or("");
    let class_of = |errcode| CredentialCall::Ticket.class_of(errcode);
    (errcode != 0).then(|| Refusal::new(errcode, errmsg, class_of, sent))
}

/// The first ticket in `json`, however deep.
fn in_json(json: &Value) -> Option<String> {
    let mut open = vec![json];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if is_field(name) => return usable(text),
                        Value::Number(number) if is_field(name) => return Some(number.to_string()),
                        value => open.push(value),
                    }
                }
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    None
}

fn is_field(name: &str) -> bool {
    name.trim().eq_ignore_ascii_case(FIELD)
}

/// The ticket in what is no JSON, or only the beginning of some: the text between quotes after the
/// name.
fn in_text(text: &str) -> Option<String> {
    let (_, after) = text.split_once(FIELD)?;
    let after = after.trim_start_matches(|c: char| "\"'”".contains(c) || c.is_whitespace());
    let after = after.trim_start_matches([':', '：', '=']).trim_start();
    let quote = after.chars().next().filter(|c| "\"'“".contains(*c))?;
    let ticket = &after[quote.len_utf8()..];
    // Without the closing quote it may be cut.
    let (ticket, _) = ticket.split_once(if quote == '“' { '”' } else { quote })?;
    usable(ticket)
}

/// A ticket that can be sent back: no byte of it was replaced.
fn usable(text: &str) -> Option<String> {
    let text = text.trim();
    let is_whole = !text.is_empty() && !text.contains(['\u{fffd}', '\0']);
    is_whole.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ticket, or why there is none.
    fn read(status: u16, body: &[u8]) -> String {
        let reply = ApplicationReply {
            status,
            body: Secret::new(body.to_vec()),
        };
        match reply.read(Timestamp::from_millis(0), &["s3cret"]) {
            Ok(ticket) => ticket.secret().expose().clone(),
            Err(CallError::Refused(refusal)) => format!("{} {}", refusal.errcode, refusal.errmsg),
            Err(CallError::Failed(failure)) => failure.to_string(),
        }
    }

    #[test]
    fn ticket_is_found_in_odd_replies() {
        for body in [
            &br#"{"errcode":0,"errmsg":"ok","mass_call_ticket":"T-1"}"#[..],
            br#"{"errcode":0,"errmsg":null,"mass_call_ticket":"T-1"}"#,
            br#"{"errcode":"0","mass_call_ticket":" T-1 "}"#,
            br#"{"mass_call_ticket":"T-1"}"#,
            b"\xef\xbb\xbf{\"errcode\":0,\"errmsg\":\"\xff\",\"Mass_Call_Ticket\":\"T-1\"}",
            br#"{"errcode":0,"data":[{"mass_call_ticket":"T-1","expires_in":604800}]}"#,
            br#"{"errcode":0,"mass_call_ticket":"T-1","#,
            "{“errcode”：0，“mass_call_ticket”：“T-1”}".as_bytes(),
        ] {
            let shown = String::from_utf8_lossy(body);
            assert_eq!(read(200, body), "T-1", "{shown}");
        }
        assert_eq!(read(203, br#"{"mass_call_ticket":"T-1"}"#), "T-1");
        let long = "x".repeat(9000);
        let body = format!(r#"{{"errcode":0,"mass_call_ticket":"{long}"}}"#);
        assert_eq!(read(200, body.as_bytes()), long);
    }

    #[test]
    fn no_ticket_is_read_where_none_is_whole() {
        let unreadable = Failure::Body.to_string();
        for body in [
            &br#"{"errcode":0,"mass_call_ticket":""}"#[..],
            br#"{"errcode":0,"mass_call_ticket":"T-"#,
            b"{\"errcode\":0,\"mass_call_ticket\":\"T\xff1\"}",
            br#"{"errcode":0}"#,
            b"<html>",
        ] {
            assert_eq!(read(200, body), unreadable);
        }
        assert_eq!(read(502, b"<html>"), "HTTP 502");
    }

    #[test]
    fn refusal_is_read_first_and_its_words_are_cleaned() {
        let refused = br#"{"errcode":"48002","errmsg":"s3cret forbidden","mass_call_ticket":"T"}"#;
        let said = read(200, refused);
        assert!(said.starts_with("48002 "), "{said}");
        assert!(!said.contains("s3cret"));
    }
}
