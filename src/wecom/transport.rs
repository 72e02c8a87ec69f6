//! Sends requests and returns replies, both as bytes.
//!
//! There are two [`Transport`]s: HTTPS ([`HttpTransport`]), and to a simulator in the same process
//! ([`MemoryTransport`](crate::sim::MemoryTransport)).

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::secret::Secret;

mod base_url;
mod http;

pub use base_url::{BadBaseUrl, BaseUrl};
pub use http::{HttpTransport, LONGEST_BODY, NoHttp, Timeouts};

/// The future of one exchange.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response, Failure>> + 'a>>;

/// Carries requests to the remote and replies back.
pub trait Transport {
    /// Sends `request` once. A [`Failure`] contains no secret.
    fn send(&self, request: Request) -> Sending<'static>;
}

/// The HTTP method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`, without a body.
    Get,
    /// `POST` with a JSON body.
    Post,
}

/// One request. Its query carries tokens and secrets, as the API requires (D90313 on 41001), so the
/// values are [`Secret`]s and there is no `Debug`.
pub struct Request {
    /// The HTTP method.
    pub method: Method,
    /// The path, from `/cgi-bin/` on.
    pub path: &'static str,
    /// Query parameters in order.
    pub query: Vec<(&'static str, Arc<Secret<String>>)>,
    /// The JSON body of a POST; empty for a GET.
    pub body: Vec<u8>,
}

/// One reply of any status.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body as it was received.
    pub body: Vec<u8>,
}

/// Why a call has no reply that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: the request was certainly not sent.
    Connect(NoConnection),
    /// The connection broke after the request may have been sent.
    Reset,
    /// No complete reply within the time-out.
    Timeout(Duration),
    /// An HTTP status other than 200.
    Status(u16),
    /// A body that is not the JSON that the page describes.
    Body,
    /// errcode -1 (system busy) or 45033 (too many calls), at every attempt.
    Busy,
}

/// Why no connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoConnection {
    /// The host name was not found.
    Dns,
    /// The host refused it.
    Refused,
    /// It was not made in time.
    Slow,
    /// The certificate is not trusted, not valid now, or of another host.
    Certificate,
    /// Another error of TLS; most likely the other side does not speak it.
    Tls,
    /// The proxy refused it.
    Proxy,
    /// Any other reason.
    Other,
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name not found",
            Self::Refused => "connection refused",
            Self::Slow => "no connection in time",
            Self::Certificate => "certificate not accepted",
            Self::Tls => "no TLS connection",
            Self::Proxy => "turned away by the proxy",
            Self::Other => "no connection",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => why.fmt(f),
            Self::Reset => f.write_str("connection broken"),
            Self::Timeout(after) => write!(f, "no reply within {} s", after.as_secs()),
            Self::Status(status) => write!(f, "HTTP {status}"),
            Self::Body => f.write_str("a reply that is not valid JSON"),
            Self::Busy => f.write_str("busy"),
        }
    }
}

impl std::error::Error for Failure {}
