//! What goes in and out of the remote, borrowed from whichever shell carries it.

use std::{borrow::Cow, time::Duration};

use percent_encoding::percent_decode_str;

use crate::wecom::transport::{Method, Request};

/// One call as it arrives. No `Debug`: its query carries secrets.
#[derive(Clone, Copy)]
pub struct ApiCall<'a> {
    /// The verb.
    pub method: Method,
    /// The path, from `/cgi-bin/` on.
    pub path: &'a str,
    /// Where token and credentials are.
    pub query: Query<'a>,
    /// Empty for a GET.
    pub body: &'a [u8],
}

impl<'a> From<&'a Request> for ApiCall<'a> {
    fn from(request: &'a Request) -> Self {
        Self {
            method: request.method,
            path: request.path,
            query: Query::Of(request),
            body: &request.body,
        }
    }
}

/// The query, as the wire or as the client's request has it.
#[derive(Clone, Copy)]
pub enum Query<'a> {
    /// Percent-encoded, without the question mark.
    Raw(&'a str),
    /// That of a request in memory.
    Of(&'a Request),
}

impl<'a> Query<'a> {
    /// The value of `name`, empty if it is not there.
    pub(super) fn get(&self, name: &str) -> Cow<'a, str> {
        let found = match self {
            Self::Raw(text) => text
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| decode(value)),
            Self::Of(request) => request
                .query
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| Cow::Borrowed(value.expose().as_str())),
        };
        found.unwrap_or_default()
    }
}

/// As forms are: a plus sign is a space.
fn decode(value: &str) -> Cow<'_, str> {
    if !value.contains('+') {
        return percent_decode_str(value).decode_utf8_lossy();
    }
    let spaced = value.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
    Cow::Owned(decoded.into_owned())
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status: 200 for business errors too.
    pub status: u16,
    /// As in the body; 0 where there is none.
    pub errcode: i64,
    /// As in the body; ASCII.
    pub errmsg: Cow<'static, str>,
    /// JSON, or a page of HTML for a status other than 200.
    pub body: Vec<u8>,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseBody {
    /// A reply.
    Reply(Reply),
    /// The first half of this reply's body, then the end of the connection.
    Cut(Reply),
    /// The connection breaks.
    Reset,
    /// Nothing, ever.
    Hang,
    /// No connection at all.
    Down,
}

/// What comes back, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    /// What.
    pub what: ResponseBody,
    /// How long after the arrival.
    pub delay: Duration,
    /// Whether the remote's books saw the call.
    pub counted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_query_is_decoded_like_any_other() {
        let query = Query::Raw("corpid=ww1&corpsecret=a%2Bb+c%zz%2&empty=&debug");
        assert_eq!(query.get("corpid"), "ww1");
        assert_eq!(query.get("corpsecret"), "a+b c%zz%2");
        assert_eq!(query.get("empty"), "");
        assert_eq!(query.get("debug"), "");
    }
}
