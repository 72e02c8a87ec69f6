//! Every knob of the remote.

use std::time::Duration;

use super::{
    faults::{Fault, Faults},
    latency::Latency,
    rate_limiter::MeterOptions,
    ticket::TicketAgain,
    world::WorldOptions,
};
use crate::model::{Limits, WindowKind};

/// What kind of remote to make. The same options and the same order of arrivals give the same
/// answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimOptions {
    /// Of world, chance, tokens and credentials.
    pub seed: u64,
    /// Who is whose customer.
    pub world: WorldOptions,
    /// Calls allowed in each window.
    pub limits: Limits,
    /// Where windows begin.
    pub counting: WindowKind,
    /// Whether refused calls count in the windows too.
    pub count_refused: bool,
    /// Lookups per second by other systems of the same corp; 0 for none.
    pub others: f64,
    /// Calls of one API in the air at once before 45033; `None` is no limit (the real one is
    /// unknown for these APIs).
    pub concurrent: Option<u32>,
    /// How it misbehaves.
    pub faults: Faults,
    /// From sending to answer.
    pub latency: Latency,
    /// Life of an access token; 7200 s at the real remote (D91039).
    pub token_life: Duration,
    /// What a second application for the ticket gets.
    pub ticket_again: TicketAgain,
}

impl Default for SimOptions {
    /// A remote that keeps every published rule and never misbehaves.
    fn default() -> Self {
        Self {
            seed: 1,
            world: WorldOptions::default(),
            limits: Limits::published(),
            counting: WindowKind::Sliding,
            count_refused: true,
            others: 0.0,
            concurrent: None,
            faults: Faults::none(),
            latency: Latency::default(),
            token_life: Duration::from_secs(7_200),
            ticket_again: TicketAgain::Refuse,
        }
    }
}

impl SimOptions {
    /// As `simulate` and `--sandbox` have it: published limits, 50 calls at once, misbehaving a
    /// little.
    #[must_use]
    pub fn sandbox() -> Self {
        Self {
            concurrent: Some(50),
            // Without hangs: a demonstration should not stand still for a whole time-out.
            faults: Faults::mild().with(Fault::Hang, 0.0),
            ..Self::default()
        }
    }

    pub(super) const fn meter(&self) -> MeterOptions {
        MeterOptions {
            limits: self.limits,
            counting: self.counting,
            count_refused: self.count_refused,
            others: self.others,
        }
    }
}
