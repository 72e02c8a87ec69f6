//! How many calls may be in flight: additive increase, halved when the remote is overloaded or fails.

use std::{fmt, str::FromStr, time::Duration};

use crate::clock::Timestamp;
use crate::quota::{Hold, HoldReason};

/// The longest pause at a limit of one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The most calls in flight that an adaptive limit grows to.
const ADAPTIVE_MOST: u16 = 64;

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

impl Concurrency {
    /// The most calls that may ever be in flight.
    #[must_use]
    pub const fn most(self) -> u16 {
        match self {
            Self::Adaptive => ADAPTIVE_MOST,
            Self::Fixed(calls) => calls,
        }
    }
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

/// The most calls in flight just now.
#[derive(Debug, Clone)]
pub(super) struct ConcurrencyLimit {
    calls: u16,
    most: u16,
    /// What the operator has throttled it to.
    cap: u16,
    /// Answers since the limit last changed: one round of them increases it by one.
    good: u16,
    /// Calls sent before the last decrease, whose answers say nothing about the new limit.
    stale: u16,
    /// Overloads in a row at a limit of one, and until when nothing is sent for them.
    overloads: u32,
    pause_until: Timestamp,
}

impl ConcurrencyLimit {
    pub(super) fn new(concurrency: Concurrency) -> Self {
        let most = concurrency.most().max(1);
        let calls = match concurrency {
            Concurrency::Adaptive => 4,
            Concurrency::Fixed(_) => most,
        };
        Self {
            calls,
            most,
            cap: u16::MAX,
            good: 0,
            stale: 0,
            overloads: 0,
            pause_until: Timestamp::default(),
        }
    }

    /// Calls that may be in flight.
    pub(super) fn calls(&self) -> u16 {
        self.calls.min(self.cap)
    }

    /// Allows at most so many calls until told otherwise.
    pub(super) fn cap(&mut self, calls: Option<u16>) {
        self.cap = calls.unwrap_or(u16::MAX);
    }

    /// # Errors
    ///
    /// The hold until a call completes, or until the pause is over.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        if now < self.pause_until {
            return Err(Hold {
                until: Some(self.pause_until),
                reason: HoldReason::Concurrency,
            });
        }
        if in_flight >= usize::from(self.calls()) {
            return Err(Hold {
                until: None,
                reason: HoldReason::Concurrency,
            });
        }
        Ok(())
    }

    /// A call was answered, with `in_flight` others. Only a limit that was reached grows.
    pub(super) fn increase(&mut self, in_flight: usize) {
        self.stale = self.stale.saturating_sub(1);
        self.overloads = 0;
        if in_flight + 1 < usize::from(self.calls) {
            return;
        }
        self.good += 1;
        if self.good >= self.calls {
            self.good = 0;
            self.calls = (self.calls + 1).min(self.most);
        }
    }

    /// The remote is overloaded (45033). Returns whether the limit was reduced.
    ///
    /// A limit of one pauses instead, longer each time: 1 s, 2 s, 4 s … 60 s, so that a remote that
    /// stays overloaded does not use up the quota.
    pub(super) fn decrease(&mut self, now: Timestamp, in_flight: usize) -> bool {
        let reduced = self.reduce(in_flight);
        if reduced == Some(false) {
            let rest = Duration::from_secs(1 << self.overloads.min(6)).min(LONGEST_PAUSE);
            self.overloads += 1;
            self.pause_until = now.plus(rest);
        }
        reduced == Some(true)
    }

    /// Halves the limit after a call that failed, with `in_flight` others. Returns whether it could
    /// be reduced; `None` for a call that was sent before the last decrease.
    pub(super) fn reduce(&mut self, in_flight: usize) -> Option<bool> {
        if self.stale > 0 {
            self.stale -= 1;
            return None;
        }
        let fewer = (self.calls() / 2).max(1);
        let reduced = fewer < self.calls();
        self.calls = fewer;
        self.good = 0;
        self.stale = u16::try_from(in_flight).unwrap_or(u16::MAX);
        Some(reduced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_one_a_round_and_halves_once_a_round() {
        let mut limit = ConcurrencyLimit::new(Concurrency::Adaptive);
        for _ in 0..4 {
            limit.increase(3);
        }
        assert_eq!(limit.calls(), 5);
        let now = Timestamp::default();
        assert!(limit.decrease(now, 4));
        assert_eq!(limit.calls(), 2);
        assert!((0..4).all(|_| !limit.decrease(now, 3)), "those left before");
        assert!(limit.decrease(now, 1));
        assert_eq!(limit.calls(), 1);
    }

    #[test]
    fn a_limit_of_one_rests_longer_each_time_until_an_answer() {
        let mut limit = ConcurrencyLimit::new(Concurrency::Fixed(1));
        let now = Timestamp::default();
        let rest = |limit: &mut ConcurrencyLimit| {
            assert!(!limit.decrease(now, 0));
            limit
                .check(now, 0)
                .unwrap_err()
                .until
                .unwrap()
                .since(now)
                .as_secs()
        };
        assert_eq!(
            [(); 8].map(|()| rest(&mut limit)),
            [1, 2, 4, 8, 16, 32, 60, 60]
        );
        limit.increase(0);
        assert_eq!(rest(&mut limit), 1);
    }

    #[test]
    fn an_unused_limit_does_not_grow() {
        let mut limit = ConcurrencyLimit::new(Concurrency::Adaptive);
        for _ in 0..1000 {
            limit.increase(0);
        }
        assert_eq!(limit.calls(), 4);
    }

    #[test]
    fn a_fixed_limit_recovers_to_its_number_and_no_further() {
        let mut limit = ConcurrencyLimit::new(Concurrency::Fixed(8));
        limit.decrease(Timestamp::default(), 0);
        assert_eq!(limit.calls(), 4);
        for _ in 0..1000 {
            limit.increase(63);
        }
        assert_eq!(limit.calls(), 8);
    }
}
