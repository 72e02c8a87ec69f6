//! Every setting of the remote.

use std::time::Duration;

use super::{
    credentials,
    faults::{Fault, Faults},
    latency::Latency,
    rate_limiter::RateLimiterOptions,
    ticket::TicketAgain,
    window_counter::LockoutRules,
    world::WorldOptions,
};
use crate::model::{Limits, WindowKind};

/// The settings of a remote. The same settings and the same order of arrivals give the same
/// replies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimOptions {
    /// The seed of world, chance, tokens and credentials.
    pub seed: u64,
    /// People, corps, and which person is a customer of which corp.
    pub world: WorldOptions,
    /// Calls allowed in each window.
    pub limits: Limits,
    /// Where windows begin.
    pub window_kind: WindowKind,
    /// Whether refused calls count in the windows too.
    pub count_refused: bool,
    /// What a lockout does to the calls in it and after it.
    pub lockout_rules: LockoutRules,
    /// Lookups per second by other systems of the same corp; 0 for none.
    pub other_traffic: f64,
    /// Whether lookups and calls for pending_ids count together in the business windows (not stated,
    /// D97357).
    pub shared_counter: bool,
    /// The most calls of one API in flight before 45033; `None` is no limit (the real one is not
    /// published for these APIs).
    pub concurrent: Option<u32>,
    /// How likely each fault is.
    pub faults: Faults,
    /// The time of a call.
    pub latency: Latency,
    /// How far the remote's clock is ahead of the client's, in milliseconds; its `Date` tells it.
    pub clock_ahead_millis: i64,
    /// The life of an access token; 7200 s at the real remote (D91039).
    pub token_life: Duration,
    /// The reply to a second application for the ticket.
    pub ticket_again: TicketAgain,
}

impl SimOptions {
    /// The corpid of the upstream corp.
    pub(crate) fn corp_id(&self) -> String {
        credentials::corp_id(self.seed)
    }
}

impl Default for SimOptions {
    /// Returns a remote that keeps every published rule and has no faults.
    fn default() -> Self {
        Self {
            seed: 1,
            world: WorldOptions::default(),
            limits: Limits::published(),
            window_kind: WindowKind::Sliding,
            count_refused: true,
            lockout_rules: LockoutRules::Mild,
            other_traffic: 0.0,
            shared_counter: false,
            concurrent: None,
            faults: Faults::none(),
            latency: Latency::default(),
            clock_ahead_millis: 0,
            token_life: Duration::from_secs(7_200),
            ticket_again: TicketAgain::Refuse,
        }
    }
}

impl SimOptions {
    /// Returns the settings of `simulate` and `--sandbox`: published limits, 50 calls in flight,
    /// few faults.
    #[must_use]
    pub fn sandbox() -> Self {
        Self {
            concurrent: Some(50),
            // Without hangs: a demonstration should not stop for a whole time-out.
            faults: Faults::mild().with(Fault::Hang, 0.0),
            ..Self::default()
        }
    }

    pub(super) const fn rate_limiter(&self) -> RateLimiterOptions {
        RateLimiterOptions {
            limits: self.limits,
            window_kind: self.window_kind,
            count_refused: self.count_refused,
            other_traffic: self.other_traffic,
            shared_counter: self.shared_counter,
            lockout_rules: self.lockout_rules,
        }
    }
}
