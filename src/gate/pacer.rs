//! Spreads the minute's calls over the minute, by governor.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use crate::clock::Timestamp;
use crate::quota::{Hold, HoldReason};

/// Governor's clock, set by hand before each question.
#[derive(Debug, Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(self.0.load(Relaxed))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Hand, NoOpMiddleware<Nanos>>;

/// A GCRA cell that is asked and never waits.
pub(super) struct Pacer {
    per_minute: Option<u64>,
    limiter: Option<(Limiter, Hand)>,
    began: Timestamp,
}

impl Pacer {
    /// Paces `per_minute` calls a minute; `None` does not pace.
    pub(super) fn new(per_minute: Option<u64>, now: Timestamp) -> Self {
        let limiter = per_minute.map(|calls| {
            let hand = Hand::default();
            let limiter = RateLimiter::direct_with_clock(spread(calls), hand.clone());
            (limiter, hand)
        });
        Self {
            per_minute,
            limiter,
            began: now,
        }
    }

    /// Paces `per_minute` calls a minute from `now` on: the next one comes in the new time.
    pub(super) fn change(&mut self, per_minute: Option<u64>, now: Timestamp) {
        if per_minute == self.per_minute {
            return;
        }
        *self = Self::new(per_minute, now);
        if self.limiter.is_some() {
            // The burst is that of the start of a run.
            while self.check(now).is_ok() {}
        }
    }

    /// Takes a cell.
    ///
    /// # Errors
    ///
    /// The hold until the next cell, rounded up to the millisecond.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), Hold> {
        let Some((limiter, hand)) = &self.limiter else {
            return Ok(());
        };
        let at = u64::try_from(now.since(self.began).as_nanos()).unwrap_or(u64::MAX);
        hand.0.store(at, Relaxed);
        limiter.check().map_err(|not_until| Hold {
            until: Some(now.plus(not_until.wait_time_from(hand.now()))),
            reason: HoldReason::Pace,
        })
    }
}

/// One call each (minute / calls), with 10 ms worth of burst, as timers are only good to 1 ms; or with up
/// to three calls, where that many come within a second.
fn spread(calls: u64) -> Quota {
    let calls = calls.max(1);
    let period = Duration::from_nanos((60_000_000_000 / calls).max(1));
    let burst = (calls / 6_000).max((calls / 60).clamp(1, 3));
    let burst = u32::try_from(burst).unwrap_or(u32::MAX);
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period).map_or_else(
        || Quota::per_second(burst),
        |quota| quota.allow_burst(burst),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_gets_its_calls_and_a_small_burst() {
        let start = Timestamp::from_millis(0);
        let pacer = Pacer::new(Some(10_000), start);
        let mut sent = 0;
        let mut now = start;
        while now < Timestamp::from_millis(60_000) {
            match pacer.check(now) {
                Ok(()) => sent += 1,
                Err(hold) => now = hold.until.unwrap(),
            }
        }
        assert!((10_000..=10_003).contains(&sent), "{sent}");
    }

    #[test]
    fn slow_rates_and_changes_let_no_burst_through() {
        let second = |second: i64| Timestamp::from_millis(second * 1000);
        let mut pacer = Pacer::new(Some(1), second(0));
        assert!(pacer.check(second(0)).is_ok());
        assert_eq!(pacer.check(second(0)).unwrap_err().until, Some(second(60)));
        pacer.change(Some(1), second(10));
        assert_eq!(pacer.check(second(10)).unwrap_err().until, Some(second(60)));
        pacer.change(Some(600), second(20));
        let tenth = Timestamp::from_millis(20_100);
        assert_eq!(pacer.check(second(20)).unwrap_err().until, Some(tenth));
        pacer.change(None, second(30));
        assert!(pacer.check(second(30)).is_ok());
    }

    #[test]
    fn without_a_limit_nothing_is_paced() {
        let pacer = Pacer::new(None, Timestamp::from_millis(0));
        assert!((0..100_000).all(|_| pacer.check(Timestamp::from_millis(0)).is_ok()));
    }
}
