//! One call: token, encode, send, decode, classify.
//!
//! 1. [`endpoint`]: the APIs that are called about a subject, each a value: path, quota, request
//!    body, reply, and what a code means there. Another API is another [`Endpoint`].
//! 2. [`client`]: [`Client::call`] takes an endpoint, a subject and the call that is paid for,
//!    puts the [`Token`] into the query, and hands the request to the transport. The paid call is
//!    dropped once the request was answered or lost.
//! 3. [`transport`]: bytes out, bytes in. [`HttpTransport`] sends each request once, over a
//!    pooled connection. It returns a [`Response`](transport::Response), or a [`Failure`] that
//!    can be copied, printed and counted, and names nothing.
//! 4. [`reply`]: the bytes become a [`Verdict`]. `errcode` first; an [`Answer`] only beside
//!    `errcode` 0; an HTTP status other than 200 and anything that is not the page's JSON is a
//!    [`Failure`] too.
//! 5. [`errcode`]: one table says what a code means, and what it asks for ([`Class`]). The runner
//!    decides by class and never looks at `errmsg`.
//! 6. Where people read the server's own words, whatever was sent is taken out of them first: a
//!    token, a ticket, a secret, a unionid or an openid is in no error, no log line and no
//!    `Debug`.
//!
//! Nothing here waits, retries, caches or reads a clock: that is the business of runner and gate.

mod application_reply;
pub mod client;
pub mod downstream;
pub mod endpoint;
pub mod errcode;
mod lenient;
mod query;
mod redact;
pub mod reply;
pub mod ticket;
pub mod token;
pub mod transport;
pub mod wire;

pub use application_reply::ApplicationReply;
pub use client::Client;
pub use endpoint::{Answer, Endpoint};
pub use errcode::Class;
pub use reply::{CallError, Refusal, Verdict};
pub use ticket::Ticket;
pub use token::Token;
pub use transport::{BaseUrl, Failure, HttpTransport, NoConnection, Timeouts, Transport};
