//! The remote's own books: what was counted, what crossed a limit, what is blocked.
//!
//! Deliberately not the gate's arithmetic. A call counts when it *arrives*. Crossing a window
//! blocks the API for 60 s, 60 min, until the natural day ends, or for 30 days (D90454). Calling
//! during a block does not prolong it, and the window that was crossed starts from nothing when
//! its block lifts; both are unstated by the page and chosen here.

use super::{
    api::SimEndpoint,
    count::Count,
    stats::{LaneStats, WindowStats},
};
use crate::{
    clock::Timestamp,
    model::{Limits, QuotaWindow, WindowKind},
};

/// What the remote says to a call that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Within every window.
    Admitted,
    /// Over a limit, or during a block: 45009.
    Refused,
}

/// How the meter counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeterOptions {
    /// Calls allowed in each window.
    pub limits: Limits,
    /// Sliding or by the calendar.
    pub counting: WindowKind,
    /// Whether refused calls count in the windows too (unstated by the page).
    pub count_refused: bool,
    /// Lookups per second by other systems of the same corp, which spend the same quota and send
    /// nothing during a block; 0 for none, at most 10,000.
    pub others: f64,
}

impl Default for MeterOptions {
    fn default() -> Self {
        Self {
            limits: Limits::published(),
            counting: WindowKind::Sliding,
            count_refused: true,
            others: 0.0,
        }
    }
}

/// Beyond this many calls a second by others there is nothing left to learn.
const MOST_OTHERS: f64 = 10_000.0;

/// The books of all lanes.
pub struct RateLimiter {
    options: MeterOptions,
    start: Timestamp,
    others: u64,
    lanes: [Option<Lane>; SimEndpoint::COUNT],
}

impl RateLimiter {
    /// Empty books, opened at `start`.
    #[must_use]
    pub const fn new(mut options: MeterOptions, start: Timestamp) -> Self {
        options.others = options.others.clamp(0.0, MOST_OTHERS);
        Self {
            options,
            start,
            others: 0,
            lanes: [const { None }; SimEndpoint::COUNT],
        }
    }

    /// Counts a call of `api` that arrives at `now`, which never runs backwards. `ticketed` says
    /// that it carries a valid ticket, which lifts the business windows.
    pub fn arrive(&mut self, now: Timestamp, api: SimEndpoint, ticketed: bool) -> Admission {
        if api == SimEndpoint::Lookup && self.options.others > 0.0 {
            self.let_others_arrive(now);
        }
        let business = api.is_business() && !ticketed;
        let (lane, count_refused) = self.lane(api);
        lane.calls += 1;
        let admission = lane.arrive(now, business, count_refused);
        lane.refused += u64::from(admission == Admission::Refused);
        admission
    }

    /// The others' calls up to `now`, evenly spaced, in arrears.
    fn let_others_arrive(&mut self, now: Timestamp) {
        let rate = self.options.others;
        let due = (now.since(self.start).as_secs_f64() * rate) as u64;
        for place in self.others..due {
            let after = std::time::Duration::from_secs_f64((place + 1) as f64 / rate);
            let at = self.start.plus(after).min(now);
            let (lane, count_refused) = self.lane(SimEndpoint::Lookup);
            if !lane.blocked(at, true) {
                lane.others += 1;
                lane.arrive(at, true, count_refused);
            }
        }
        self.others = self.others.max(due);
    }

    fn lane(&mut self, api: SimEndpoint) -> (&mut Lane, bool) {
        let options = &self.options;
        let lane = self.lanes[api as usize].get_or_insert_with(|| Lane::new(options, api));
        (lane, options.count_refused)
    }

    /// Calls of `api` that `window` holds at `now`, which never runs backwards.
    pub fn holds(&mut self, now: Timestamp, api: SimEndpoint, window: QuotaWindow) -> u64 {
        let counters = self.lanes[api as usize].iter_mut();
        let mut counters = counters.flat_map(|lane| &mut lane.counters);
        counters
            .find(|gauge| gauge.window == window)
            .map_or(0, |gauge| gauge.count.at(now))
    }

    /// The lane of `api` as of its last call; `None` if it was never called.
    #[must_use]
    pub fn stats(&self, api: SimEndpoint) -> Option<LaneStats> {
        self.lanes[api as usize].as_ref().map(Lane::stats)
    }
}

/// The books of one API.
struct Lane {
    counters: Vec<WindowCounter>,
    calls: u64,
    counted: u64,
    others: u64,
    refused: u64,
}

impl Lane {
    fn new(options: &MeterOptions, api: SimEndpoint) -> Self {
        let applies = |window: &QuotaWindow| api.is_business() || !window.is_business();
        let gauge = |window| WindowCounter::new(options, window);
        Self {
            counters: QuotaWindow::ALL
                .into_iter()
                .filter(applies)
                .map(gauge)
                .collect(),
            calls: 0,
            counted: 0,
            others: 0,
            refused: 0,
        }
    }

    fn arrive(&mut self, now: Timestamp, business: bool, count_refused: bool) -> Admission {
        let mut admitted = true;
        for gauge in counters(&mut self.counters, business) {
            admitted &= gauge.admits(now);
        }
        if admitted || count_refused {
            self.counted += 1;
            counters(&mut self.counters, business).for_each(|gauge| gauge.add(now));
        }
        if admitted {
            Admission::Admitted
        } else {
            Admission::Refused
        }
    }

    fn blocked(&mut self, now: Timestamp, business: bool) -> bool {
        counters(&mut self.counters, business).any(|gauge| gauge.blocked(now))
    }

    fn stats(&self) -> LaneStats {
        let windows = self.counters.iter();
        LaneStats {
            calls: self.calls,
            counted: self.counted,
            others: self.others,
            refused_45009: self.refused,
            blocks: self.counters.iter().map(|gauge| gauge.blocks).sum(),
            windows: windows
                .map(|gauge| (gauge.window.name(), gauge.stats()))
                .collect(),
            ..LaneStats::default()
        }
    }
}

fn counters(
    counters: &mut [WindowCounter],
    business: bool,
) -> impl Iterator<Item = &mut WindowCounter> {
    let applies = move |gauge: &&mut WindowCounter| business || !gauge.window.is_business();
    counters.iter_mut().filter(applies)
}

/// One window of one lane, its count and its block.
struct WindowCounter {
    window: QuotaWindow,
    limit: Option<u64>,
    count: Count,
    calls: u64,
    peak: u64,
    blocked_until: Option<Timestamp>,
    blocks: u64,
}

impl WindowCounter {
    fn new(options: &MeterOptions, window: QuotaWindow) -> Self {
        Self {
            window,
            limit: options.limits.of(window),
            count: Count::new(options.counting, window.span()),
            calls: 0,
            peak: 0,
            blocked_until: None,
            blocks: 0,
        }
    }

    /// Whether one call more is within the limit; imposes the block if not.
    fn admits(&mut self, now: Timestamp) -> bool {
        let blocked = self.blocked(now);
        self.calls = self.count.at(now);
        let within = self.limit.is_none_or(|limit| self.calls < limit);
        if !blocked && !within {
            self.blocked_until = Some(block_end(self.window, now));
            self.blocks += 1;
        }
        !blocked && within
    }

    fn blocked(&mut self, now: Timestamp) -> bool {
        match self.blocked_until {
            Some(until) if now < until => true,
            Some(_) => {
                self.blocked_until = None;
                self.count.wipe();
                false
            }
            None => false,
        }
    }

    fn add(&mut self, now: Timestamp) {
        self.count.add(now);
        self.calls += 1;
        self.peak = self.peak.max(self.calls);
    }

    const fn stats(&self) -> WindowStats {
        WindowStats {
            limit: self.limit,
            calls: self.calls,
            peak: self.peak,
            blocks: self.blocks,
        }
    }
}

/// When the block for crossing `window` at `now` lifts (D90454).
fn block_end(window: QuotaWindow, now: Timestamp) -> Timestamp {
    match window {
        QuotaWindow::BusinessDay => now.next_natural_day(),
        other => now.plus(other.span()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission::*, *};
    use std::time::Duration;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn meter(limits: &str, change: impl FnOnce(&mut MeterOptions)) -> RateLimiter {
        let limits = format!("none,{limits}").parse().unwrap();
        let mut options = MeterOptions {
            limits,
            ..MeterOptions::default()
        };
        change(&mut options);
        RateLimiter::new(options, at("2026-11-22T00:00"))
    }

    fn call(meter: &mut RateLimiter, now: Timestamp) -> Admission {
        meter.arrive(now, SimEndpoint::Lookup, false)
    }

    /// Crosses `limits` (one call) at 22:30 and says when calls are admitted again.
    fn lifted(limits: &str) -> Timestamp {
        let mut meter = meter(limits, |_| ());
        let start = at("2026-11-22T22:30");
        assert_eq!(call(&mut meter, start), Admitted);
        assert_eq!(call(&mut meter, start), Refused);
        (1..)
            .map(|seconds| start.plus(Duration::from_secs(30 * seconds)))
            .find(|now| call(&mut meter, *now) == Admitted)
            .unwrap()
    }

    #[test]
    fn a_block_lasts_by_the_window_that_was_crossed() {
        assert_eq!(lifted("basic.minute=1"), at("2026-11-22T22:31"));
        assert_eq!(lifted("basic.hour=1"), at("2026-11-22T23:30"));
        assert_eq!(lifted("business.hour=1"), at("2026-11-22T23:30"));
        assert_eq!(lifted("business.day=1"), at("2026-11-23T00:00"));
        assert_eq!(lifted("business.month=1"), at("2026-12-22T22:30"));
    }

    #[test]
    fn the_last_call_within_a_limit_is_admitted_and_crosses_nothing() {
        let mut meter = meter("basic.minute=3", |_| ());
        for _ in 0..3 {
            assert_eq!(call(&mut meter, at("2026-11-22T09:00")), Admitted);
        }
        assert_eq!(call(&mut meter, at("2026-11-22T09:01")), Admitted);
        let stats = meter.stats(SimEndpoint::Lookup).unwrap();
        assert_eq!((stats.windows["basic.minute"].peak, stats.blocks), (3, 0));
    }

    #[test]
    fn refused_calls_count_unless_told_otherwise() {
        for (count_refused, counted) in [(true, 5), (false, 2)] {
            let mut meter = meter("basic.minute=2", |options| {
                options.count_refused = count_refused
            });
            for _ in 0..5 {
                call(&mut meter, at("2026-11-22T09:00"));
            }
            let stats = meter.stats(SimEndpoint::Lookup).unwrap();
            assert_eq!(
                (stats.calls, stats.counted, stats.refused_45009),
                (5, counted, 3)
            );
            assert_eq!(stats.windows["business.month"].peak, counted);
        }
    }

    #[test]
    fn a_ticket_lifts_the_business_windows_and_leaves_the_basic_ones() {
        let mut meter = meter("basic.minute=2,business.hour=1", |_| ());
        let now = at("2026-11-22T09:00");
        assert_eq!(meter.arrive(now, SimEndpoint::Lookup, true), Admitted);
        assert_eq!(meter.arrive(now, SimEndpoint::Lookup, true), Admitted);
        assert_eq!(meter.arrive(now, SimEndpoint::Lookup, true), Refused);
        assert_eq!(
            meter.stats(SimEndpoint::Lookup).unwrap().windows["business.hour"].peak,
            0
        );
    }

    #[test]
    fn every_api_has_books_of_its_own() {
        let mut meter = meter("basic.minute=1", |_| ());
        let now = at("2026-11-22T09:00");
        assert_eq!(call(&mut meter, now), Admitted);
        assert_eq!(meter.arrive(now, SimEndpoint::PendingId, false), Admitted);
        assert_eq!(meter.arrive(now, SimEndpoint::Token, false), Admitted);
        assert!(
            !meter
                .stats(SimEndpoint::Token)
                .unwrap()
                .windows
                .contains_key("business.day")
        );
    }

    #[test]
    fn others_spend_the_same_quota() {
        let mut meter = meter("business.hour=100", |options| options.others = 0.5);
        assert_eq!(call(&mut meter, at("2026-11-22T00:03:10")), Admitted);
        let stats = meter.stats(SimEndpoint::Lookup).unwrap();
        assert_eq!(
            (stats.others, stats.windows["business.hour"].calls),
            (95, 96)
        );
        assert_eq!(call(&mut meter, at("2026-11-22T00:03:20")), Refused);
    }

    #[test]
    fn a_month_of_seven_and_a_half_million_calls_is_counted_to_the_last() {
        let mut meter = meter("business.month=7500000", |_| ());
        let start = at("2026-11-01T00:00");
        for call_number in 0..7_500_000_u64 {
            let now = start.plus(Duration::from_millis(call_number * 300));
            assert_eq!(call(&mut meter, now), Admitted, "{call_number}");
        }
        let now = start.plus(Duration::from_millis(7_500_000 * 300));
        assert_eq!(call(&mut meter, now), Refused);
    }
}
