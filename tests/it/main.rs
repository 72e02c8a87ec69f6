//! One test binary. `scenario` drives a job in virtual time and checks the invariants at the end of
//! every run; the rest tells what must be true.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is how tests fail"
)]

mod cli;
mod clocks;
mod corp;
mod eta;
mod faults;
mod house;
mod passes;
mod pending_ids;
mod pending_match;
mod quota;
mod resume;
mod scenario;
mod seeds;
mod service;
mod steering;
mod ticket;
mod tokens;
