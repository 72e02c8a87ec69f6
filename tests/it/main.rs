//! One test binary. `scenario` is the scenario object and checks the six invariants at the end of
//! every run, `stage` plays it, `ear` overhears the wire; the rest tells what must be true.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is how tests fail"
)]

mod cli;
mod clocks;
mod eta;
mod faults;
mod house;
mod quota;
mod resume;
mod scenario;
mod seeds;
mod service;
mod ticket;
