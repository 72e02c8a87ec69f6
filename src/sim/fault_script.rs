//! Which call suffers which fault: by chance, or as a test orders it.

use std::collections::{HashMap, VecDeque};

use fastrand::Rng;

use super::{
    api::SimEndpoint,
    faults::{Fault, Faults},
};

/// What happens to one of the next lookups, whatever chance would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Counted, and answered with this errcode.
    Errcode(i64),
    /// Counted, and answered with this HTTP status.
    Status(u16),
    /// The same, with a `Retry-After` of so many seconds.
    RetryAfter(u16, u32),
    /// This fault.
    Fault(Fault),
    /// Answered as it should be.
    Pass,
}

impl Forced {
    /// The fault among them.
    pub(super) const fn fault(self) -> Option<Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

/// The faults to come, and those that came.
#[derive(Default)]
pub(super) struct FaultScript {
    /// Of the next lookups, in order of arrival.
    pub(super) next: VecDeque<Forced>,
    /// What every lookup meets that nothing else is ordered for.
    pub(super) every: Option<Forced>,
    /// The same of calls for pending_ids.
    pub(super) every_pending_id: Option<Forced>,
    /// The errcode of every lookup of a unionid.
    pub(super) by_unionid: HashMap<String, i64>,
    /// Whether no connection can be made at all.
    pub(super) is_down: bool,
    /// How often each fault came.
    pub(super) drawn: [u64; Fault::COUNT],
}

impl FaultScript {
    /// Returns what happens to a call of `api`, every one of which suffers `burst` now. The ticket is spared by chance: there is only one,
    /// and losing it teaches nothing that a script cannot.
    pub(super) fn draw(
        &mut self,
        api: SimEndpoint,
        burst: Option<Fault>,
        faults: &Faults,
        rng: &mut Rng,
    ) -> Forced {
        let scripted = match api {
            SimEndpoint::Lookup => self.next.pop_front().or(self.every),
            SimEndpoint::PendingId => self.every_pending_id,
            _ => None,
        };
        let forced = scripted.unwrap_or_else(|| match api {
            SimEndpoint::Ticket => Forced::Pass,
            _ => {
                let single = faults.draw(rng);
                burst.or(single).map_or(Forced::Pass, Forced::Fault)
            }
        });
        if let Some(fault) = forced.fault() {
            self.drawn[fault as usize] += 1;
        }
        forced
    }

    /// Returns the errcode that is ordered for `unionid`.
    pub(super) fn errcode_of(&self, unionid: &str) -> Option<i64> {
        if self.by_unionid.is_empty() {
            return None;
        }
        self.by_unionid.get(unionid).copied()
    }
}
