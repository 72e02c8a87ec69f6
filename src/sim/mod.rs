//! The simulator: the WeCom API as [`SimulatedRemote`], a plain struct that is told the time and a
//! call and returns what comes back and when.
//!
//! * `remote` receives calls: `rate_limiter` counts them, `parsed_request` reads them, `answers`
//!   and `downstream` reply.
//! * [`World`] holds people, corps, and which person is a customer of which corp: a pure function
//!   of the seed.
//! * [`Faults`] and [`Latency`] say how likely each fault is and how long calls take.
//! * [`MemoryTransport`] carries calls in memory, [`server`] over HTTP on a loopback address.
//!
//! Where a page leaves open what the real remote does, this one does various things on purpose. It
//! never imports [`quota`](crate::quota): its arithmetic is its own, so that it can judge that of
//! the client.

mod answers;
mod api;
mod arrivals;
mod bursts;
mod call;
mod count;
mod credential_script;
mod credentials;
mod downstream;
mod fault_script;
mod faults;
mod id;
mod latency;
mod odd_reply;
mod options;
mod orders;
mod parsed_request;
mod pending_ids;
mod rate_limiter;
mod remote;
mod reply;
pub mod server;
mod stats;
mod ticket;
mod token;
mod traffic;
mod transport;
mod window_counter;
mod world;

#[cfg(test)]
mod tests;

pub use fault_script::Forced;
pub use faults::{Fault, Faults};
pub use id::Id;
pub use latency::Latency;
pub use options::SimOptions;
pub use remote::SimulatedRemote;
pub use server::Simulator;
pub use stats::{LaneStats, Stats, WindowStats};
pub use ticket::TicketAgain;
pub use transport::MemoryTransport;
pub use window_counter::LockoutRules;
pub use world::{EmptyListForm, World, WorldOptions};
