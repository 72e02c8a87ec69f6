//! One window of one API, with its count and its lockout.
//!
//! It is counted on both readings of the page, sliding and by the calendar, of which one refuses
//! calls: a client that does not know which one must keep within both.

use super::{count::Count, stats::WindowStats};
use crate::{
    clock::Timestamp,
    model::{QuotaWindow, WindowKind},
};

/// What a lockout does to the calls in it and after it; the page (D90454) states neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockoutRules {
    /// Calls during a lockout do not prolong it, and the window that was exceeded is empty when it
    /// ends.
    #[default]
    Mild,
    /// Every call during a lockout begins it anew, and the window keeps its calls.
    Strict,
}

/// One window of one API, with its count and its lockout.
pub(super) struct WindowCounter {
    pub(super) window: QuotaWindow,
    limit: Option<u64>,
    kind: WindowKind,
    rules: LockoutRules,
    count: Count,
    /// The same calls on the other reading, which refuses none.
    other_count: Count,
    calls: u64,
    peak: u64,
    other_peak: u64,
    locked_until: Option<Timestamp>,
    pub(super) lockouts: u64,
}

impl WindowCounter {
    /// It begins as `kind` says, and a lockout goes by `rules`.
    pub(super) fn new(
        window: QuotaWindow,
        limit: Option<u64>,
        kind: WindowKind,
        rules: LockoutRules,
    ) -> Self {
        let other = match kind {
            WindowKind::Sliding => WindowKind::Calendar,
            WindowKind::Calendar => WindowKind::Sliding,
        };
        Self {
            window,
            limit,
            kind,
            rules,
            count: Count::new(kind, window.span()),
            other_count: Count::new(other, window.span()),
            calls: 0,
            peak: 0,
            other_peak: 0,
            locked_until: None,
            lockouts: 0,
        }
    }

    /// Whether one call more is within the limit; imposes the lockout if not.
    pub(super) fn admits(&mut self, now: Timestamp) -> bool {
        let is_locked = self.is_locked(now);
        self.calls = self.count.at(now);
        let within = self.limit.is_none_or(|limit| self.calls < limit);
        if !is_locked && !within {
            self.locked_until = Some(lockout_end(self.window, now));
            self.lockouts += 1;
        }
        if is_locked && self.rules == LockoutRules::Strict {
            self.locked_until = Some(lockout_end(self.window, now));
        }
        !is_locked && within
    }

    pub(super) fn is_locked(&mut self, now: Timestamp) -> bool {
        match self.locked_until {
            Some(until) if now < until => true,
            Some(_) => {
                self.locked_until = None;
                if self.rules == LockoutRules::Mild {
                    self.count.clear();
                }
                false
            }
            None => false,
        }
    }

    pub(super) fn add(&mut self, now: Timestamp) {
        self.count.add(now);
        self.calls += 1;
        self.peak = self.peak.max(self.calls);
        let others = self.other_count.at(now) + 1;
        self.other_count.add(now);
        self.other_peak = self.other_peak.max(others);
    }

    /// Returns the calls at `now` where windows begin as `kind` says.
    pub(super) fn counted(&mut self, now: Timestamp, kind: WindowKind) -> u64 {
        match kind == self.kind {
            true => self.count.at(now),
            false => self.other_count.at(now),
        }
    }

    pub(super) const fn stats(&self) -> WindowStats {
        WindowStats {
            limit: self.limit,
            calls: self.calls,
            peak: self.peak,
            other_peak: self.other_peak,
            lockouts: self.lockouts,
        }
    }
}

/// Returns when the lockout for exceeding `window` at `now` ends (D90454).
fn lockout_end(window: QuotaWindow, now: Timestamp) -> Timestamp {
    match window {
        QuotaWindow::BusinessDay => now.next_natural_day(),
        QuotaWindow::BusinessMonth => now.plus(std::time::Duration::from_secs(2_592_000)),
        other => now.plus(other.span()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn start() -> Timestamp {
        Timestamp::parse("2026-11-22T09:00:30").unwrap()
    }

    fn counter(rules: LockoutRules) -> WindowCounter {
        WindowCounter::new(
            QuotaWindow::BasicMinute,
            Some(2),
            WindowKind::Sliding,
            rules,
        )
    }

    /// Whether a call is admitted in each of these seconds.
    fn admitted(counter: &mut WindowCounter, seconds: &[u64]) -> Vec<bool> {
        let mut call = |second: &u64| {
            let now = start().plus(Duration::from_secs(*second));
            let admitted = counter.admits(now);
            counter.add(now);
            admitted
        };
        seconds.iter().map(&mut call).collect()
    }

    #[test]
    fn call_during_a_strict_lockout_begins_it_anew() {
        let seconds = [0, 0, 0, 50, 61, 122];
        let mut mild = counter(LockoutRules::Mild);
        let mut strict = counter(LockoutRules::Strict);
        let seen = admitted(&mut mild, &seconds);
        assert_eq!(seen, [true, true, false, false, true, true]);
        let seen = admitted(&mut strict, &seconds);
        assert_eq!(seen, [true, true, false, false, false, true]);
    }

    #[test]
    fn other_reading_counts_the_same_calls() {
        let mut counter = counter(LockoutRules::Mild);
        // One natural minute has the first two, the next one the third.
        assert_eq!(admitted(&mut counter, &[0, 20, 40]), [true, true, false]);
        assert_eq!((counter.stats().peak, counter.stats().other_peak), (3, 2));
        let now = start().plus(Duration::from_secs(41));
        assert_eq!(counter.counted(now, WindowKind::Calendar), 1);
    }
}
