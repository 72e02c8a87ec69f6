//! How many calls may be in the air: additive increase, halved when the remote groans.

use std::{fmt, str::FromStr, time::Duration};

use super::{Hold, HoldReason};
use crate::clock::Timestamp;

/// The longest rest of a width of one.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// What the operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Concurrency {
    /// From 4, up to 64, as the remote bears it. The limit of this API is not published (45033,
    /// D90313); calls of its neighbours bear 5.
    #[default]
    Adaptive,
    /// At most this many; still halved on 45033.
    Fixed(u16),
}

impl FromStr for Concurrency {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.parse::<u16>() {
            _ if word == "adaptive" => Ok(Self::Adaptive),
            Ok(calls @ 1..=1024) => Ok(Self::Fixed(calls)),
            _ => Err(format!("'{word}' is not a number from 1 to 1024")),
        }
    }
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Adaptive => f.write_str("adaptive"),
            Self::Fixed(calls) => calls.fmt(f),
        }
    }
}

/// The present width.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    calls: u16,
    most: u16,
    /// Good answers since the width last changed: one round of them widens it by one.
    good: u16,
    /// Answers still to come from before the last halving, which say nothing about the new width.
    stale: u16,
    /// How often it was to be halved at a width of one, and till when nothing leaves for it.
    groans: u32,
    rest_until: Timestamp,
}

impl ConcurrencyLimit {
    pub(super) fn new(concurrency: Concurrency) -> Self {
        let (calls, most) = match concurrency {
            Concurrency::Adaptive => (4, 64),
            Concurrency::Fixed(calls) => (calls.max(1), calls.max(1)),
        };
        Self {
            calls,
            most,
            good: 0,
            stale: 0,
            groans: 0,
            rest_until: Timestamp::default(),
        }
    }

    /// Calls that may be in the air.
    #[must_use]
    pub const fn calls(&self) -> u16 {
        self.calls
    }

    /// # Errors
    ///
    /// The hold until a call lands, or until the remote has had its rest.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        let reason = HoldReason::Concurrency;
        if now < self.rest_until {
            let until = Some(self.rest_until);
            return Err(Hold { until, reason });
        }
        if in_flight >= usize::from(self.calls) {
            let until = None;
            return Err(Hold { until, reason });
        }
        Ok(())
    }

    /// A call was answered, with `in_flight` still in the air. Only a width that was used grows.
    pub fn widen(&mut self, in_flight: usize) {
        self.stale = self.stale.saturating_sub(1);
        self.groans = 0;
        if in_flight + 1 < usize::from(self.calls) {
            return;
        }
        self.good += 1;
        if self.good >= self.calls {
            self.good = 0;
            self.calls = (self.calls + 1).min(self.most);
        }
    }

    /// The remote groaned (45033, time-out). Calls that left before the last halving do not halve
    /// again. One that cannot be halved rests, longer each time: 1 s, 2 s, 4 s … 60 s, so that a
    /// remote that groans for ever does not eat the quota. Answers whether it narrowed.
    pub fn narrow(&mut self, now: Timestamp, in_flight: usize) -> bool {
        if self.stale > 0 {
            self.stale -= 1;
            return false;
        }
        let narrower = (self.calls / 2).max(1);
        let narrowed = narrower < self.calls;
        if !narrowed {
            let rest = Duration::from_secs(1 << self.groans.min(6)).min(LONGEST_REST);
            self.groans += 1;
            self.rest_until = now.plus(rest);
        }
        self.calls = narrower;
        self.good = 0;
        self.stale = u16::try_from(in_flight).unwrap_or(u16::MAX);
        narrowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_one_a_round_and_halves_once_a_round() {
        let mut width = ConcurrencyLimit::new(Concurrency::Adaptive);
        for _ in 0..4 {
            width.widen(3);
        }
        assert_eq!(width.calls(), 5);
        let now = Timestamp::default();
        assert!(width.narrow(now, 4));
        assert_eq!(width.calls(), 2);
        assert!((0..4).all(|_| !width.narrow(now, 3)), "those left before");
        assert!(width.narrow(now, 1));
        assert_eq!(width.calls(), 1);
    }

    #[test]
    fn a_width_of_one_rests_longer_each_time_until_an_answer() {
        let mut width = ConcurrencyLimit::new(Concurrency::Fixed(1));
        let now = Timestamp::default();
        let rest = |width: &mut ConcurrencyLimit| {
            assert!(!width.narrow(now, 0));
            width
                .check(now, 0)
                .unwrap_err()
                .until
                .unwrap()
                .since(now)
                .as_secs()
        };
        assert_eq!(
            [(); 8].map(|()| rest(&mut width)),
            [1, 2, 4, 8, 16, 32, 60, 60]
        );
        width.widen(0);
        assert_eq!(rest(&mut width), 1);
    }

    #[test]
    fn an_unused_width_does_not_grow() {
        let mut width = ConcurrencyLimit::new(Concurrency::Adaptive);
        for _ in 0..1000 {
            width.widen(0);
        }
        assert_eq!(width.calls(), 4);
    }

    #[test]
    fn a_fixed_width_recovers_to_its_number_and_no_further() {
        let mut width = ConcurrencyLimit::new(Concurrency::Fixed(8));
        width.narrow(Timestamp::default(), 0);
        assert_eq!(width.calls(), 4);
        for _ in 0..1000 {
            width.widen(63);
        }
        assert_eq!(width.calls(), 8);
    }
}
