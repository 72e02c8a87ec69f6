//! What has happened since the last exchange with the ledger.

use super::{Account, refusals::ToldByRefusals};
use crate::{
    clock::Timestamp,
    model::Period,
    quota::{CallCount, Deltas, lockout::Probe},
};

impl Account {
    /// What is to be added to what is on disk.
    #[must_use]
    pub fn deltas(&self) -> Deltas {
        Deltas {
            slots: self.completions.clone(),
            charged: self.charged,
            done: self.done,
            lockout: (self.lockout != self.known_lockout).then_some(self.lockout),
            observed: self.observed,
            locks_ip: self.told.locks_ip,
            shares_counter: self.told.shares_counter,
        }
    }

    /// The [`deltas`](Self::deltas) are on disk.
    pub fn committed(&mut self) {
        self.completions.clear();
        self.charged = CallCount::default();
        self.done = CallCount::default();
        self.known_lockout = self.lockout;
        self.told = ToldByRefusals::default();
        self.observed = None;
        self.refusals.clear();
    }

    /// The [`deltas`](Self::deltas) are not on disk, and calls charged since the last exchange are
    /// never sent. Everything else stays to be written.
    pub fn roll_back(&mut self) {
        let unsent = std::mem::take(&mut self.charged);
        self.in_flight = self.in_flight.minus(unsent);
        if self.probes && unsent.total() > 0 {
            self.lockout.probe = Probe::default();
            self.probes = false;
        }
    }

    /// Dates what is not on disk at `now`: ledger time has moved forward since it was noted. What it
    /// was dated at before counts as well until it leaves.
    pub fn redate(&mut self, now: Timestamp) {
        for update in std::mem::take(&mut self.completions) {
            if update.period == Period::Month {
                self.add(now, update.calls);
            }
        }
    }
}
