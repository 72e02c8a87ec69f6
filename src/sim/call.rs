//! What goes into the remote and comes out of it, over HTTP or in memory.

use std::{borrow::Cow, time::Duration};

use percent_encoding::percent_decode_str;

use crate::wecom::transport::{Method, Request};

/// One call as it arrives. Not `Debug`, since its query carries secrets.
#[derive(Clone, Copy)]
pub(super) struct ApiCall<'a> {
    pub(super) method: Method,
    /// The path, from `/cgi-bin/` on.
    pub(super) path: &'a str,
    /// Carries the token or the credentials.
    pub(super) query: Query<'a>,
    /// Empty for a GET.
    pub(super) body: &'a [u8],
}

impl<'a> From<&'a Request> for ApiCall<'a> {
    fn from(request: &'a Request) -> Self {
        Self {
            method: request.method,
            path: request.path,
            query: Query::Memory(request),
            body: &request.body,
        }
    }
}

/// The query of a call.
#[derive(Clone, Copy)]
pub(super) enum Query<'a> {
    /// Percent-encoded, without the question mark.
    Raw(&'a str),
    /// That of a request in memory.
    Memory(&'a Request),
}

impl<'a> Query<'a> {
    /// Returns the value of `name`, decoded; empty if there is none.
    pub(super) fn get(&self, name: &str) -> Cow<'a, str> {
        let found = match self {
            Self::Raw(text) => text
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| decode(value)),
            Self::Memory(request) => request
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

/// One reply, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The HTTP status: 200 for business errors too.
    pub(super) status: u16,
    /// The seconds of `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// As in the body; 0 where there is none.
    pub(super) errcode: i64,
    /// As in the body; ASCII only, as it is a header too.
    pub(super) errmsg: Cow<'static, str>,
    /// JSON, or a page of HTML for a status other than 200.
    pub(super) body: Vec<u8>,
    /// How it is dressed, if not as usual.
    pub(super) oddity: Option<Oddity>,
}

/// How a reply is dressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// A byte order mark before the body.
    Bom,
    /// `errcode` as a string.
    TextErrcode,
    /// `errmsg` is null.
    NullErrmsg,
    /// `errmsg` is not UTF-8.
    NotUtf8,
    /// Fields that no page names, before and after the others.
    MoreFields,
    /// White space around everything.
    Spacious,
    /// Packed though nobody asked for it.
    Gzip,
    /// Over HTTP, `text/plain`.
    Plain,
    /// Over HTTP, in chunks.
    Chunked,
    /// Over HTTP, the connection ends after the reply.
    Closing,
}

impl Oddity {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Bom,
        Self::TextErrcode,
        Self::NullErrmsg,
        Self::NotUtf8,
        Self::MoreFields,
        Self::Spacious,
        Self::Gzip,
        Self::Plain,
        Self::Chunked,
        Self::Closing,
    ];
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ResponseBody {
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
pub(super) struct ApiAnswer {
    pub(super) body: ResponseBody,
    /// From arrival to answer.
    pub(super) delay: Duration,
    /// Whether the rate limiter counted the call.
    pub(super) counted: bool,
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
