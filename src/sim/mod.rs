//! The remote in small: the WeCom API as [`SimulatedRemote`], a plain struct that is told the time and a
//! call and says what comes back and when.
//!
//! * [`world`] — who is whose customer, a pure function of the seed.
//! * [`rate_limiter`] — its own count of calls: sliding or calendar [`count`], lockouts.
//! * [`faults`] and [`latency`] — how it misbehaves, each way with a knob.
//! * `token`, [`ticket`] — what a caller must send.
//! * [`transport`] carries calls to it in memory, [`server`] over HTTP on a loopback address.
//!
//! Where the real remote promises nothing, this one differs on purpose. It never imports
//! [`quota`](crate::quota): its arithmetic is its own, so that it can judge that of the client.

mod answers;
mod api;
mod call;
mod calls_in_flight;
pub mod count;
mod downstream;
pub mod faults;
mod forced;
mod id;
pub mod latency;
mod options;
mod parsed_request;
mod pending_ids;
pub mod rate_limiter;
pub mod remote;
mod reply;
mod secret_guard;
pub mod server;
mod stats;
pub mod ticket;
mod token;
pub mod transport;
pub mod world;

#[cfg(test)]
mod tests;

pub use api::SimEndpoint;
pub use call::{ApiAnswer, ApiCall, Query, Reply, ResponseBody};
pub use faults::{Fault, Faults};
pub use forced::Forced;
pub use id::Id;
pub use latency::{Latency, Legs};
pub use options::SimOptions;
pub use remote::SimulatedRemote;
pub use server::Simulator;
pub use stats::{LaneStats, Stats, WindowStats};
pub use ticket::TicketAgain;
pub use transport::MemoryTransport;
pub use world::{EmptyListForm, World, WorldOptions};
