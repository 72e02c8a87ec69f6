//! Sends requests and returns replies, both as bytes.
//!
//! There are two [`Transport`]s: HTTPS ([`HttpTransport`]), and to a simulator in the same process
//! ([`MemoryTransport`](crate::sim::MemoryTransport)).

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use crate::{clock::Timestamp, secret::Secret};

mod base_url;
mod http;

pub use base_url::{BadBaseUrl, BaseUrl};
pub use http::{HttpTransport, LONGEST_BODY, NoHttp, Timeouts};

pub use crate::model::{Failure, NoConnection};

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
    /// How long `Retry-After` asks to wait, if it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The server's clock at the reply, in whole seconds, from its `Date`.
    pub date: Option<Timestamp>,
    /// The body as it was received.
    pub body: Vec<u8>,
}
