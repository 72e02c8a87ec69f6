//! One call: token, encode, send, decode, classify.

pub mod errcode;
pub mod transport;
pub mod wire;
