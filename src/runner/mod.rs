//! The loop.

pub mod event;
