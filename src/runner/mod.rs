//! The loop that drives a job: one owner of job, ledger and gate, many messengers.
//!
//! | file | |
//! | --- | --- |
//! | `run_loop` | the loop; what is sent (`dispatch`), what completed (`completion`) |
//! | [`decide`] | the table of decisions |
//! | `queue`, `calls`, `pending` | subjects to ask, calls in flight, the commit to come |
//! | `tokens`, `ticket_trial`, `health` | access token, ticket, outage and circuit breaker |
//! | `clock`, `rate`, `progress` | ledger time, the rate, reports |
//! | [`ticket`] | the one application for a ticket, before the loop |
//! | [`event`] | what is reported |

pub mod breaker;
mod calls;
mod clock;
pub mod decide;
pub mod event;
mod health;
mod outage;
mod pending;
mod progress;
mod queue;
mod rate;
mod run_loop;
mod stop;
pub mod ticket;
mod ticket_trial;
mod tokens;

use std::time::Duration;

pub use self::{progress::Listener, rate::CommitPolicy, run_loop::Runner, stop::Stop};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    gate::{Concurrency, Gate},
    model::{Api, WindowKind},
    quota::{Ledger, Quota},
    store::{Result, Store},
};

/// Opens the gate and the ledger's clock as the last commit left them.
pub fn open_gate(
    store: &Store,
    quota: &Quota,
    concurrency: Concurrency,
    clock: Clock,
    call_timeout: Duration,
) -> Result<(Gate, LedgerClock)> {
    let (books, block, reading) = store.books(Api::Lookup)?;
    let time = LedgerClock::resume(clock, reading);
    let landed_by = time.now().plus(call_timeout);
    let ledger = Ledger::restore(quota.allowed(), counting(quota, &time), &books, landed_by);
    let gate = Gate::open(ledger, concurrency, block, time.now());
    Ok((gate, time))
}

/// Calendar windows turn with the wall clock, and only a ledger clock that agrees can count them; if
/// it was set, sliding windows are safe on every reading.
fn counting(quota: &Quota, time: &LedgerClock) -> WindowKind {
    const AGREE: Duration = Duration::from_secs(5);
    let (wall, books) = (time.clock().now(), time.now());
    if wall.since(books) > AGREE || books.since(wall) > AGREE {
        return WindowKind::Sliding;
    }
    quota.counting
}

/// What to do at an exhausted hour, day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnQuota {
    /// Wait for it.
    #[default]
    Wait,
    /// Stop with work left.
    Exit,
}

/// How a run is to be driven.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The most calls to send.
    pub budget: Option<u64>,
    /// When to stop sending, wall time.
    pub deadline: Option<Timestamp>,
    /// At an exhausted hour, day or month.
    pub on_quota: OnQuota,
    /// The share of errors among the last 200 answers that is tolerated, 0 to 1.
    pub error_budget: f64,
    /// How long a call may take before the transport gives up.
    pub call_timeout: Duration,
    /// How often to commit.
    pub commit_policy: CommitPolicy,
    /// Seed of the jitter of backoffs and probes.
    pub seed: u64,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            budget: None,
            deadline: None,
            on_quota: OnQuota::Wait,
            error_budget: 0.5,
            call_timeout: Duration::from_secs(30),
            commit_policy: CommitPolicy::default(),
            seed: 0,
        }
    }
}
