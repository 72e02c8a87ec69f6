//! The earliest finish that any scheduler could reach inside the sliding windows.
//!
//! With windows of lengths Tᵢ and limits Lᵢ, the n-th call can be sent no earlier than Tᵢ after the
//! (n − Lᵢ)-th. The earliest schedule is therefore
//!
//! ```text
//! t(n) = max(0, max over i with n > Lᵢ of t(n − Lᵢ) + Tᵢ)
//! ```
//!
//! Unrolled, every chain of subtractions that stays at 1 or above counts, in any order:
//!
//! ```text
//! t(n) = max { Σ kᵢ·Tᵢ  :  kᵢ ≥ 0 whole,  Σ kᵢ·Lᵢ ≤ n − 1 }
//! ```
//!
//! which is a knapsack of capacity n − 1. For the published limits the greedy solution (as many
//! months as fit, then days, hours, minutes) is the best one; in general it need not be, so a
//! branch and bound over the windows looks for a better one, in microseconds.

use crate::{
    model::{Limits, QuotaWindow},
    quota::CallKind,
};

/// The most branches that are searched. Every result is a chain of waits that no scheduler can
/// avoid, so ending early errs on the safe side.
const BRANCHES: u32 = 200_000;

/// Returns the seconds from an empty ledger to the earliest time at which the last of `calls` can be
/// sent; infinite if a window that counts them allows none.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "centuries of milliseconds are below 2^52"
)]
pub fn ideal_seconds(limits: &Limits, kind: CallKind, calls: u64) -> f64 {
    let length = |window: QuotaWindow| window.span().as_millis();
    earliest_millis(limits, kind, calls, length).map_or(f64::INFINITY, |at| at as f64 / 1000.0)
}

/// Returns the same in milliseconds, for windows of any `length`; `None` for never.
pub(super) fn earliest_millis(
    limits: &Limits,
    kind: CallKind,
    calls: u64,
    length: impl Fn(QuotaWindow) -> u128,
) -> Option<u128> {
    if calls == 0 {
        return Some(0);
    }
    let mut waits = Vec::with_capacity(QuotaWindow::ALL.len());
    let counting = |window: &QuotaWindow| kind.counts_in(*window);
    for window in QuotaWindow::ALL.into_iter().filter(counting) {
        match limits.of(window) {
            Some(0) => return None,
            Some(limit) => waits.push(Wait {
                calls: u128::from(limit),
                millis: length(window),
            }),
            None => {}
        }
    }
    waits.sort_by_key(|wait| std::cmp::Reverse((wait.millis << 64) / wait.calls));
    let unit = waits.iter().fold(0, |unit, wait| gcd(unit, wait.millis));
    let mut search = Search {
        waits,
        unit: unit.max(1),
        best: 0,
        branches: BRANCHES,
    };
    search.descend(0, u128::from(calls - 1), 0);
    Some(search.best)
}

/// One window: a wait of `millis` after every `calls`.
struct Wait {
    calls: u128,
    millis: u128,
}

/// Branch and bound over the windows, the slowest rate first.
struct Search {
    waits: Vec<Wait>,
    /// Every result is a multiple of it.
    unit: u128,
    best: u128,
    branches: u32,
}

impl Search {
    /// Tries how often the `depth`-th window is waited for, with `left` calls to go.
    fn descend(&mut self, depth: usize, left: u128, waited: u128) {
        self.best = self.best.max(waited);
        let Some(&Wait { calls, millis }) = self.waits.get(depth) else {
            return;
        };
        let mut times = left / calls;
        loop {
            let (waited, left) = (waited + times * millis, left - times * calls);
            if waited + self.bound(depth + 1, left) <= self.best || self.branches == 0 {
                self.best = self.best.max(waited);
                return;
            }
            self.branches -= 1;
            self.descend(depth + 1, left, waited);
            if times == 0 {
                return;
            }
            times -= 1;
        }
    }

    /// Returns the most that the windows from `depth` on can add for `left` calls.
    fn bound(&self, depth: usize, left: u128) -> u128 {
        self.waits.get(depth).map_or(0, |wait| {
            let most = left * wait.millis / wait.calls;
            most - most % self.unit
        })
    }
}

const fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brute(limits: &Limits, kind: CallKind, calls: usize) -> f64 {
        let windows = QuotaWindow::ALL.into_iter();
        let waits: Vec<(usize, u64)> = windows
            .filter(|window| kind.counts_in(*window))
            .filter_map(|window| Some((limits.of(window)? as usize, window.span().as_secs())))
            .collect();
        let mut at = vec![0_u64; calls + 1];
        for n in 1..=calls {
            let earlier = waits.iter().filter(|(limit, _)| n > *limit);
            let waited = earlier.map(|(limit, t)| at[n - limit] + t);
            at[n] = waited.max().unwrap_or(0);
        }
        at[calls] as f64
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        #[test]
        fn search_finds_what_the_recurrence_finds(
            all in proptest::array::uniform7(proptest::option::weighted(0.7, 1_u64..60)),
            calls in 0_usize..1500,
            with_ticket in any::<bool>(),
        ) {
            let limits = Limits::from(all);
            let kind = if with_ticket { CallKind::WithTicket } else { CallKind::Standard };
            let found = ideal_seconds(&limits, kind, calls as u64);
            prop_assert_eq!(found, brute(&limits, kind, calls));
        }
    }

    #[test]
    fn published_limits_take_their_known_times() {
        let limits = Limits::published();
        let standard = |calls| ideal_seconds(&limits, CallKind::Standard, calls);
        let day = 86_400.0;
        assert_eq!(standard(0), 0.0);
        assert_eq!(standard(10_000), 0.0);
        assert_eq!(standard(10_001), 60.0);
        assert_eq!(standard(480_001), day);
        assert_eq!(standard(7_500_000), 15.0 * day + 2.0 * 3600.0 + 540.0);
        assert_eq!(standard(7_500_001), 31.0 * day);
        let with_ticket = ideal_seconds(&limits, CallKind::WithTicket, 7_000_000);
        assert_eq!(with_ticket, 46.0 * 3600.0 + 540.0);
    }

    #[test]
    fn limit_of_zero_takes_for_ever() {
        let limits = Limits::published().with(QuotaWindow::BusinessDay, Some(0));
        assert!(ideal_seconds(&limits, CallKind::Standard, 1).is_infinite());
        assert_eq!(ideal_seconds(&limits, CallKind::WithTicket, 1), 0.0);
        let unlimited = ideal_seconds(&Limits::none(), CallKind::Standard, u64::MAX);
        assert_eq!(unlimited, 0.0);
    }

    #[test]
    fn odd_limits_and_many_calls_are_cheap() {
        let limits = [
            9_973,
            598_379,
            598_381,
            14_361_097,
            445_194_000,
            9_973,
            598_379,
        ];
        let limits = Limits::from(limits.map(Some));
        let seconds = ideal_seconds(&limits, CallKind::Standard, 10_000_000_000);
        let paced = 10e9 / 9_973.0 * 60.0;
        assert!((seconds / paced - 1.0).abs() < 0.01, "{seconds}");
    }
}
