//! One call: token, encode, send, decode, classify.

pub mod errcode;
mod query;
mod redact;
pub mod reply;
pub mod ticket;
pub mod token;
pub mod transport;
pub mod wire;
