//! The calls that have arrived and are not answered yet.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::clock::Timestamp;

/// When each call in the air will be answered. Nobody reports the landing: the remote knows it
/// when it answers.
#[derive(Default)]
pub(super) struct CallsInFlight {
    landings: BinaryHeap<Reverse<Timestamp>>,
    /// Most calls at once.
    pub(super) peak: u64,
}

impl CallsInFlight {
    /// Takes in a call that arrives at `now` and lands at `landing`, unless `limit` calls are
    /// there already.
    pub(super) fn enter(&mut self, now: Timestamp, landing: Timestamp, limit: Option<u32>) -> bool {
        while self.landings.peek().is_some_and(|Reverse(due)| *due <= now) {
            self.landings.pop();
        }
        let free = limit.is_none_or(|limit| self.landings.len() < limit as usize);
        if free {
            self.peak = self.peak.max(self.landings.len() as u64 + 1);
            if landing > now {
                self.landings.push(Reverse(landing));
            }
        }
        free
    }
}
