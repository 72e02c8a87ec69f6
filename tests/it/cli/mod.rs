//! The built binary, started as its user starts it, against the simulator over real HTTP on
//! loopback. `dir` is the folder it is typed in, `server` a server whose every reply a test
//! decides; the rest tells what must be true. Nothing sleeps: events are awaited.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this is how a test fails, and how it says that it could not be tried"
)]

mod contract;
mod disk;
mod doctor;
mod exit_codes;
mod export;
mod faults;
mod forget;
mod held;
mod input;
mod job_file;
mod kill;
mod ledger;
mod outputs;
mod page;
mod plan;
mod progress;
mod readme;
mod rejects;
mod report;
mod results;
mod resync;
mod secrets;
mod server;
mod settings;
mod signals;
mod simulate;
mod snapshots;
mod status;
mod steer;
mod test_dir;
mod ticket;
mod wire;
