//! The bottom of the client: bytes out, bytes in.
//!
//! [`Transport`] is the one seam: real HTTPS here ([`HttpTransport`]), the simulator's memory in
//! [`sim::transport`](crate::sim::transport).

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::secret::Secret;

mod base_url;
mod http;

pub use base_url::{BadBaseUrl, BaseUrl};
pub use http::{HttpTransport, LONGEST_BODY, NoHttp, Timeouts};

/// A future that a transport hands back.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response, Failure>> + 'a>>;

/// Carries one request to the remote and its reply back.
pub trait Transport {
    /// Sends `request`. Every failure is a [`Failure`]; nothing in it names a secret.
    fn send(&self, request: Request) -> Sending<'static>;
}

/// Which verb a request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST with a JSON body.
    Post,
}

/// One request. The query carries tokens and secrets (the API wants them there, D90313 on 41001),
/// so its values are [`Secret`]s and the request has no `Debug`.
pub struct Request {
    /// The verb.
    pub method: Method,
    /// The path, from `/cgi-bin/` on.
    pub path: &'static str,
    /// Query parameters in order.
    pub query: Vec<(&'static str, Arc<Secret<String>>)>,
    /// The JSON body of a POST; empty for a GET.
    pub body: Vec<u8>,
}

/// One reply, whatever it says.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// Why there is no reply that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection came about: the request was certainly not sent.
    Connect(NoConnection),
    /// The connection broke after the request may have been sent.
    Reset,
    /// No complete reply within the time-out.
    Timeout(Duration),
    /// An HTTP status other than 200.
    Status(u16),
    /// A body that is not the JSON the page describes.
    Body,
    /// A reply that says to come again later, each time.
    Busy,
}

/// Why no connection came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoConnection {
    /// Nobody knows the name.
    Dns,
    /// Nobody listens there.
    Refused,
    /// It took too long.
    Slow,
    /// The certificate shown is not trusted, out of date, or somebody else's.
    Certificate,
    /// Something else went wrong with TLS; most likely the other side does not speak it.
    Tls,
    /// The proxy does not let it through.
    Proxy,
    /// Whatever else.
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
