//! One call: token, encode, send, decode, classify.

pub mod transport;
pub mod wire;
