//! An outage: no connection can be made, so nothing is sent.
//!
//! Subjects lose no attempt; one call at a time tries again, after 1 s, 2 s, 4 s … 60 s.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    quota::{Hold, HoldReason},
};

/// Tries before a run that never reached the API gives up.
const FIRST_TRIES: u32 = 6;
const LONGEST: Duration = Duration::from_secs(60);

/// Whether the API can be reached.
#[derive(Debug, Default)]
pub(super) struct Outage {
    tries: u32,
    until: Timestamp,
    ever_reached: bool,
}

impl Outage {
    /// A call sent at `sent` did not get through. Calls sent before the outage was known belong to
    /// it. Returns when the next try is, if this is news.
    pub(super) fn failed(&mut self, sent: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if self.tries > 0 && sent < self.until {
            return None;
        }
        let wait = Duration::from_secs(1 << self.tries.min(6)).min(LONGEST);
        self.tries += 1;
        self.until = now.plus(wait);
        Some(self.until)
    }

    /// A reply came. Returns whether an outage ends with it.
    pub(super) fn reached(&mut self) -> bool {
        self.ever_reached = true;
        std::mem::take(&mut self.tries) > 0
    }

    /// Never reached in this run, and tried often enough.
    pub(super) fn is_hopeless(&self) -> bool {
        !self.ever_reached && self.tries >= FIRST_TRIES
    }

    /// # Errors
    ///
    /// The hold until the next try, and then until it has completed.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        if self.tries == 0 {
            return Ok(());
        }
        Hold::one_probe(now, self.until, in_flight, HoldReason::Outage)
    }
}
