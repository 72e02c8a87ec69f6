//! When a token may be fetched: not too often, and ever less often while tokens are lost.

use std::{collections::VecDeque, time::Duration};

use crate::clock::Timestamp;

/// The most fetches an hour of tokens that no call was answered with.
const AN_HOUR: usize = 20;
const HOUR: Duration = Duration::from_secs(3600);
/// How long a token that was lost is held against the next.
const RECENT: Duration = Duration::from_secs(600);
/// Tokens that may be lost within that time before somebody else is taken for the reason.
const LOST: usize = 3;
/// The time between two fetches after one more was lost, and after each that follows.
const SPACED: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// The fetches of a run.
#[derive(Default)]
pub(super) struct Fetches {
    is_under_way: bool,
    /// Of tokens that no call was answered with, within the last hour.
    unproved: VecDeque<Timestamp>,
    latest: Timestamp,
    /// When tokens were refused before their end.
    lost: VecDeque<Timestamp>,
}

impl Fetches {
    pub(super) const fn is_under_way(&self) -> bool {
        self.is_under_way
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.is_under_way = true;
        self.unproved.push_back(now);
        self.latest = now;
    }

    pub(super) const fn end(&mut self) {
        self.is_under_way = false;
    }

    /// The latest fetch does not count: its token works, or the service failed it.
    pub(super) fn forget_last(&mut self) {
        self.unproved.pop_back();
    }

    /// When the next fetch may begin.
    pub(super) fn next(&mut self, now: Timestamp) -> Timestamp {
        self.clear(now);
        let crowded = self.unproved.len() >= AN_HOUR;
        let crowded = self.unproved.front().filter(|_| crowded);
        let crowded = crowded.map_or_else(Timestamp::default, |at| at.plus(HOUR));
        let more = self.lost.len().checked_sub(LOST);
        let spaced = more.map_or_else(Timestamp::default, |more| {
            self.latest.plus(SPACED[more.min(SPACED.len() - 1)])
        });
        crowded.max(spaced)
    }

    /// A token was refused before its end. Returns whether that is the moment from which somebody else
    /// is taken for the reason.
    pub(super) fn lost(&mut self, now: Timestamp) -> bool {
        self.clear(now);
        self.lost.push_back(now);
        self.lost.len() == LOST
    }

    /// Whether tokens were lost again and again.
    pub(super) fn is_contested(&mut self, now: Timestamp) -> bool {
        self.clear(now);
        self.lost.len() >= LOST
    }

    fn clear(&mut self, now: Timestamp) {
        while self
            .unproved
            .front()
            .is_some_and(|at| now.since(*at) >= HOUR)
        {
            self.unproved.pop_front();
        }
        while self.lost.front().is_some_and(|at| now.since(*at) >= RECENT) {
            self.lost.pop_front();
        }
    }
}
