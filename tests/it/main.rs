//! One test binary. `world` is the scenario object and checks the six invariants at the end of
//! every run, `stage` plays it, `ear` overhears the wire; the rest tells what must be true.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is how tests fail"
)]

mod cli;
mod clocks;
mod ear;
mod eta;
mod faults;
mod house;
mod invariants;
mod quota;
mod resume;
mod seeds;
mod stage;
mod ticket;
mod world;
