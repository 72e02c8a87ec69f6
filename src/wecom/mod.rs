//! One call: token, encode, send, decode, classify.
//!
//! 1. [`client`]: [`Client::convert`] takes a subject and the claim paid for it, writes the body
//!    in the words of [`wire`] (empty fields left out, the [`Ticket`] only if there is one), puts
//!    the [`Token`] into the query, and hands both to the transport. The claim is dropped once
//!    the request has been answered or lost.
//! 2. [`transport`]: bytes out, bytes in. [`HttpTransport`] sends each request once, over a
//!    pooled connection. What comes back is a [`Response`](transport::Response), or a
//!    [`Failure`] that can be copied, printed and counted, and names nothing.
//! 3. [`reply`]: the bytes become a [`Verdict`]. `errcode` first; links only beside `errcode` 0;
//!    HTTP status other than 200 and anything that is not the page's JSON is a [`Failure`] too.
//! 4. [`errcode`]: one table says what a code means, and what it asks of us ([`Class`]); a few
//!    codes mean different things on different calls ([`class_of`](errcode::class_of)). The
//!    runner decides by class and never looks at `errmsg`.
//! 5. Where people will read the server's own words, whatever we sent is taken out of them
//!    first: a token, a ticket, a secret, a unionid or an openid is in no error, no log line and
//!    no `Debug`.
//!
//! Nothing here waits, retries, caches or tells the time: that is the runner's and the gate's.

pub mod client;
pub mod errcode;
mod query;
mod redact;
pub mod reply;
pub mod ticket;
pub mod token;
pub mod transport;
pub mod wire;

pub use client::Client;
pub use errcode::{Class, WecomCall};
pub use reply::{CallError, Refusal, Verdict};
pub use ticket::Ticket;
pub use token::Token;
pub use transport::{BaseUrl, Failure, HttpTransport, NoConnection, Timeouts, Transport};
