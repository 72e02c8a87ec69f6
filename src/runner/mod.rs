//! The loop that drives a job: one owner of job, ledger and gate, many messengers.
//!
//! | file | |
//! | --- | --- |
//! | `run_loop` | the loop; what is sent (`dispatch`), what completed (`completion`) |
//! | [`decide`] | the table of decisions |
//! | `queue`, `calls`, `pending` | subjects to ask, calls in flight, the commit to come |
//! | `tokens`, `ticket_trial` | access token, ticket |
//! | `health` | `service`, `outage`, circuit breaker: whether to go on |
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
mod service;
mod stop;
pub mod ticket;
mod ticket_trial;
mod tokens;

use std::time::Duration;

pub use self::{progress::Listener, rate::CommitPolicy, run_loop::Runner, stop::Stop};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    gate::{Concurrency, Gate},
    model::WindowKind,
    quota::{Ledger, Quota},
    store::StoredLedger,
};

/// Opens the gate of an API over its ledger, and resumes the ledger's clock.
///
/// Calls that were in flight at the last commit complete `call_timeout` from now.
#[must_use]
pub fn open_gate(
    stored: &StoredLedger,
    quota: &Quota,
    concurrency: Concurrency,
    clock: Clock,
    call_timeout: Duration,
) -> (Gate, LedgerClock) {
    let ledger_clock = LedgerClock::resume(clock, stored.reading);
    let now = ledger_clock.now();
    let account = Ledger::restore(
        quota.allowed(),
        window_kind(quota, &ledger_clock),
        &stored.snapshot,
        now.plus(call_timeout),
    );
    let gate = Gate::open(stored.api, account, concurrency, now);
    (gate, ledger_clock)
}

/// Calendar windows turn with the wall clock, and only a ledger clock that agrees with it can count
/// them; sliding windows are safe on every reading.
fn window_kind(quota: &Quota, ledger_clock: &LedgerClock) -> WindowKind {
    const AGREE: Duration = Duration::from_secs(5);
    let (wall, now) = (ledger_clock.clock().now(), ledger_clock.now());
    if wall.since(now) > AGREE || now.since(wall) > AGREE {
        return WindowKind::Sliding;
    }
    quota.window_kind
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
