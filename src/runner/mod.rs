//! The loop that drives a job: one owner of the store and the gate, many messengers.
//!
//! | file | |
//! | --- | --- |
//! | [`drive`] | the loop: settle, launch, commit, wait |
//! | `launch` | which call leaves, or why none does |
//! | `settle` | what landed: verdicts become decisions |
//! | [`decide`] | the table of decisions |
//! | [`breaker`] | the error budget |
//! | `feed`, `tokens`, `outage`, `tempo` | the queue, the token, the dead line, the rate |
//! | [`ticket`] | the one application for a ticket, before the loop |
//! | [`event`] | what it tells |

pub mod breaker;
mod completion;
pub mod decide;
mod dispatch;
pub mod event;
mod outage;
mod progress;
mod queue;
mod rate;
pub mod run_loop;
mod stop;
pub mod ticket;
mod tokens;

pub use rate::CommitPolicy;
pub use run_loop::Runner;
pub use stop::Stop;

use std::time::Duration;

use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    gate::{Concurrency, Gate, Ledger, Quota},
    model::WindowKind,
    store::{Result, Store},
};

/// The gate and the time of the books, as the last commit left them.
///
/// # Errors
///
/// What the disk says.
pub fn open_gate(
    store: &Store,
    quota: &Quota,
    concurrency: Concurrency,
    clock: Clock,
    call_timeout: Duration,
) -> Result<(Gate, LedgerClock)> {
    let (books, block, reading) = store.books()?;
    let time = LedgerClock::resume(clock, reading);
    let landed_by = time.now().plus(call_timeout);
    let ledger = Ledger::restore(quota.allowed(), counting(quota, &time), &books, landed_by);
    let gate = Gate::open(ledger, concurrency, block, time.now());
    Ok((gate, time))
}

/// Calendar windows turn with the wall clock, and only books that agree with it can count them; if
/// somebody has set it, sliding windows are safe on every reading.
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
    /// When to stop sending, by the wall.
    pub deadline: Option<Timestamp>,
    /// At an exhausted hour, day or month.
    pub on_quota: OnQuota,
    /// The share of errors among the last 200 answers that is borne.
    pub error_budget: f64,
    /// How long a call may take before the transport gives it up.
    pub call_timeout: Duration,
    /// How often to commit.
    pub commit_policy: CommitPolicy,
    /// Chance: jitter of backoffs and probes.
    pub seed: u64,
    /// Rehearsals only: forget everything that is not on disk after this many commits that
    /// settled something.
    pub crash_after: Option<u64>,
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
            crash_after: None,
        }
    }
}
