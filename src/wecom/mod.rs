//! One call: token, encode, send, decode, classify.

pub mod errcode;
mod query;
pub mod transport;
pub mod wire;
