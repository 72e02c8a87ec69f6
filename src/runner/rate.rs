//! How fast calls are sent, and so how many to charge ahead.

use std::time::Duration;

use crate::clock::Timestamp;

/// How often to commit, and how much at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPolicy {
    /// The longest an answer waits in memory.
    pub settle_after: Duration,
    /// The least calls charged ahead.
    pub least: u32,
    /// The most calls charged ahead: what a kill over-counts.
    pub most: u32,
}

impl Default for CommitPolicy {
    /// At 40 calls a second one row a commit and an exact ledger, at 20,000 some hundred.
    fn default() -> Self {
        Self {
            settle_after: Duration::from_millis(20),
            least: 1,
            most: 2048,
        }
    }
}

impl CommitPolicy {
    /// For rehearsals: commits are what bounds them.
    #[must_use]
    pub const fn rehearsed() -> Self {
        Self {
            settle_after: Duration::from_secs(2),
            least: 256,
            most: 2048,
        }
    }
}

/// Measures the rate at which calls are sent while nothing holds them.
#[derive(Debug, Clone)]
pub(super) struct RateEstimator {
    since: Timestamp,
    sent: u32,
    per_second: Option<f64>,
}

/// A rate is read off at least this often.
const SAMPLE: Duration = Duration::from_millis(200);

impl RateEstimator {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            sent: 0,
            per_second: None,
        }
    }

    /// One call was sent.
    pub(super) fn sent(&mut self, now: Timestamp) {
        self.sent += 1;
        let passed = now.since(self.since);
        if passed >= SAMPLE {
            let sample = f64::from(self.sent) / passed.as_secs_f64();
            self.per_second = Some(self.per_second.map_or(sample, |rate| (rate + sample) / 2.0));
            (self.since, self.sent) = (now, 0);
        }
    }

    /// Nothing is sent for a while, for a reason that says nothing about the rate.
    pub(super) const fn idle_until(&mut self, now: Timestamp) {
        (self.since, self.sent) = (now, 0);
    }

    /// Calls a second; `None` if not yet known.
    pub(super) const fn per_second(&self) -> Option<f64> {
        self.per_second
    }

    /// Calls to charge ahead: a quarter more than are sent between two commits.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped by the policy"
    )]
    pub(super) fn charge_ahead(&self, commit_policy: &CommitPolicy) -> u32 {
        let rate = self.per_second.unwrap_or_default();
        let calls = 1.25 * rate * commit_policy.settle_after.as_secs_f64();
        (calls as u32).clamp(commit_policy.least, commit_policy.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(per_second: i64) -> RateEstimator {
        let mut rate = RateEstimator::new(Timestamp::from_millis(0));
        for call in 1..=per_second {
            rate.sent(Timestamp::from_millis(call * 1000 / per_second));
        }
        rate
    }

    #[test]
    fn slow_is_row_by_row_and_fast_is_by_the_hundred() {
        let commit_policy = CommitPolicy::default();
        assert_eq!(steady(40).charge_ahead(&commit_policy), 1);
        let fast = steady(20_000).charge_ahead(&commit_policy);
        assert!((400..=600).contains(&fast), "{fast}");
        assert_eq!(steady(1_000_000).charge_ahead(&commit_policy), 2048);
    }
}
