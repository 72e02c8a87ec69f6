//! The text of replies.

use std::{borrow::Cow, io::Write as _};

use fastrand::Rng;
use serde::Serialize;

use super::{api::SimEndpoint, call::Reply, ticket};
use crate::clock::Timestamp;

/// The `errmsg` of a success.
pub(super) const OK: &str = "ok";
/// The same with the warning that a client must take for a bug of its own (D90455).
pub(super) const OK_WITH_WARNING: &str = "ok. Warning: wrong json format. ";

impl Reply {
    /// Returns a success; `fields` writes what follows errcode and errmsg.
    pub(super) fn success(errmsg: &'static str, fields: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(br#"{"errcode":0,"errmsg":""#);
        body.extend_from_slice(errmsg.as_bytes());
        body.push(b'"');
        fields(&mut body);
        body.push(b'}');
        Self {
            status: 200,
            retry_after: None,
            errcode: 0,
            errmsg: Cow::Borrowed(errmsg),
            body,
            oddity: None,
        }
    }

    /// Returns a business error: HTTP 200, a hint, and for every other lookup an empty list beside
    /// it, as was seen with 610017 and 845003.
    pub(super) fn error(api: SimEndpoint, errcode: i64, now: Timestamp, rng: &mut Rng) -> Self {
        Self::error_saying(text(errcode), api, errcode, now, rng)
    }

    /// Returns the error for a body that cannot be read (D90455).
    pub(super) fn malformed(api: SimEndpoint, now: Timestamp, rng: &mut Rng) -> Self {
        let text = "Invalid input. Warning: wrong json format. ";
        Self::error_saying(text, api, 40_058, now, rng)
    }

    fn error_saying(
        text: &str,
        api: SimEndpoint,
        errcode: i64,
        now: Timestamp,
        rng: &mut Rng,
    ) -> Self {
        let seconds = now.as_millis().max(0) / 1_000;
        let digits = rng.u64(0..1_000_000_000_000_000);
        let errmsg = format!(
            "{text}, hint: [{seconds:010}{digits:015}], from ip: 127.0.0.1, \
             more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}"
        );
        let mut body = format!(r#"{{"errcode":{errcode},"errmsg":"{errmsg}""#).into_bytes();
        if api == SimEndpoint::Lookup && rng.bool() {
            body.extend_from_slice(br#","external_userid_info":[]"#);
        }
        body.push(b'}');
        Self {
            status: 200,
            retry_after: None,
            errcode,
            errmsg: Cow::Owned(errmsg),
            body,
            oddity: None,
        }
    }

    /// Whether it answers what was asked.
    pub(super) fn is_success(&self) -> bool {
        self.status == 200 && self.errcode == 0 && self.body.starts_with(b"{")
    }

    /// Returns a page of HTML.
    pub(super) fn page(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            errcode: 0,
            errmsg: Cow::Borrowed(""),
            body: format!("<html><body><h1>{status}</h1>simulated</body></html>").into_bytes(),
            oddity: None,
        }
    }

    /// Returns the same reply with a body that is not JSON: full-width braces as on some of the
    /// official pages, no commas, or a proxy's page.
    pub(super) fn made_invalid(mut self, rng: &mut Rng) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        self.body = match rng.u8(0..3) {
            0 => text.replace('{', "｛").into_bytes(),
            1 => text.replace(',', " ").into_bytes(),
            _ => b"<html><body>simulated proxy</body></html>".to_vec(),
        };
        self
    }
}

/// Appends `,"name":value`. The values written here always serialize.
pub(super) fn field(body: &mut Vec<u8>, name: &str, value: &impl Serialize) {
    body.extend_from_slice(b",\"");
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(b"\":");
    if serde_json::to_writer(&mut *body, value).is_err() {
        body.extend_from_slice(b"null");
    }
}

/// Appends a token, which needs no escaping, and its life.
pub(super) fn token_fields(body: &mut Vec<u8>, token: &str, seconds: u64) {
    // Writing to a Vec cannot fail.
    let _ = write!(body, r#","access_token":"{token}","expires_in":{seconds}"#);
}

/// Returns the English text of a code, that of logged replies where there are some (D90313).
const fn text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system busy",
        40_001 => "invalid credential",
        40_013 => "invalid corpid",
        40_014 => "invalid access_token",
        40_056 => "invalid agentid",
        40_058 => "Invalid input",
        40_073 => "invalid openid",
        40_096 => "invalid external userid",
        41_001 => "access_token missing",
        41_002 => "corpid missing",
        41_004 => "corpsecret missing",
        42_001 => "access_token expired",
        45_009 => "api freq out of limit",
        45_033 => "api concurrent out of limit",
        48_002 => "api forbidden",
        60_011 => "no privilege to access/modify contact/party/agent",
        60_020 => "not allow to access from your ip",
        86_001 => "invalid chatid",
        610_014 => "invalid unionid",
        610_017 => "mini program and corp subject name not match",
        610_018 => "openid and unionid not match",
        670_001 => "agent no warrant",
        670_004 => "corp not in chain",
        845_003 => "unionid and corp subject not match",
        ticket::TICKET_APPLIED_BEFORE => "mass call ticket applied before (invented)",
        ticket::TICKET_EXPIRED => "mass call ticket expired (invented)",
        ticket::TICKET_FORGED => "invalid mass call ticket (invented)",
        _ => "simulated error",
    }
}
