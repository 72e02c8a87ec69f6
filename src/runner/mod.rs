//! The loop that drives a job: one owner of job, ledger and gate, many messengers.
//!
//! | file | |
//! | --- | --- |
//! | `run_loop` | the loop; what is sent (`dispatch`), what completed (`completion`), what comes next (`phases`) |
//! | [`decide`] | the table of decisions |
//! | `lane` | the calls to one API, with all that they do not share with those to another |
//! | `queue`, `claim`, `calls`, `pending` | subjects to ask, one of them, calls in flight, the commit to come |
//! | `tokens`, `token_account` | the access token, and what it costs |
//! | [`ticket`], `ticket_trial` | the one application for a ticket, and whether the ticket works |
//! | `health`, `stop` | `service`, `outage`, [`breaker`]: whether to continue; a request to stop |
//! | `clock`, `rate`, `progress` | ledger time, the rate, reports |
//! | [`event`] | what is reported |
//! | `matching`, `call_account` | contacts of downstream corps, matched by their pending_ids |

pub mod breaker;
mod call_account;
mod calls;
mod claim;
mod clock;
pub mod decide;
pub mod event;
mod health;
mod lane;
mod matching;
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
mod token_account;
mod tokens;

use std::time::Duration;

pub(crate) use self::token_account::NoToken;
pub use self::{
    call_account::CallAccount,
    lane::LaneAccount,
    matching::{Matching, MatchingAccounts, MatchingOptions},
    progress::Listener,
    rate::CommitPolicy,
    run_loop::{Runner, RunningJob},
    stop::Stop,
    token_account::TokenAccount,
};
use crate::{
    clock::{LedgerClock, Timestamp},
    gate::{Concurrency, Gate},
    ledger::StoredAccount,
    model::{Api, WindowKind},
    quota::{Account, Quota},
};

/// Opens the gate of `api` over its account, at the time of the ledger's clock.
#[must_use]
pub fn open_gate(
    api: Api,
    stored: &StoredAccount,
    quota: &Quota,
    concurrency: Concurrency,
    ledger_clock: &LedgerClock,
) -> Gate {
    let kind = window_kind(quota, ledger_clock);
    let account = Account::restore(quota.allowed(), kind, &stored.snapshot).under(quota.remote);
    Gate::open(api, account, concurrency, ledger_clock.now())
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
    /// Waits are cut to this, so that a suspended machine looks at its clock soon after it wakes.
    pub longest_sleep: Duration,
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
            longest_sleep: Duration::from_secs(30),
            commit_policy: CommitPolicy::default(),
            seed: 0,
        }
    }
}
