//! The remote's own count of calls, and the lockouts that follow from it.
//!
//! Deliberately not the client's arithmetic. A call counts when it *arrives*. Exceeding a window
//! locks the API (D90454).

use super::{
    api::SimEndpoint,
    stats::LaneStats,
    window_counter::{LockoutRules, WindowCounter},
};
use crate::{
    clock::Timestamp,
    model::{Limits, QuotaWindow, WindowKind},
};

/// Whether a call is within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Within every window.
    Admitted,
    /// Over a limit, or during a lockout: 45009.
    Refused,
}

/// How calls are counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RateLimiterOptions {
    /// Calls allowed in each window.
    pub(super) limits: Limits,
    /// Where windows begin.
    pub(super) window_kind: WindowKind,
    /// Whether refused calls count in the windows too (unstated by the page).
    pub(super) count_refused: bool,
    /// Lookups per second by other systems of the same corp, which use the same quota and send
    /// nothing during a lockout; 0 for none, at most 10,000.
    pub(super) other_traffic: f64,
    /// Whether lookups and calls for pending_ids count together in the business windows.
    pub(super) shared_counter: bool,
    /// What a lockout does to the calls in it and after it.
    pub(super) lockout_rules: LockoutRules,
}

impl Default for RateLimiterOptions {
    fn default() -> Self {
        Self {
            limits: Limits::published(),
            window_kind: WindowKind::Sliding,
            count_refused: true,
            other_traffic: 0.0,
            shared_counter: false,
            lockout_rules: LockoutRules::Mild,
        }
    }
}

/// The most lookups per second by other systems.
const MOST_OTHER_TRAFFIC: f64 = 10_000.0;

/// The windows of all APIs.
pub(super) struct RateLimiter {
    options: RateLimiterOptions,
    start: Timestamp,
    /// Lookups by other systems so far, those during a lockout included.
    others: u64,
    lanes: [Option<EndpointCounters>; SimEndpoint::COUNT],
}

impl RateLimiter {
    /// Returns a limiter with empty windows; other systems start to call at `start`.
    pub(super) const fn new(mut options: RateLimiterOptions, start: Timestamp) -> Self {
        options.other_traffic = options.other_traffic.clamp(0.0, MOST_OTHER_TRAFFIC);
        Self {
            options,
            start,
            others: 0,
            lanes: [const { None }; SimEndpoint::COUNT],
        }
    }

    /// Counts a call of `api` that arrives at `now`, which never runs backwards. `has_ticket` says
    /// that it carries a valid ticket, which lifts the business windows.
    pub(super) fn arrive(
        &mut self,
        now: Timestamp,
        api: SimEndpoint,
        has_ticket: bool,
    ) -> Admission {
        if api == SimEndpoint::Lookup && self.options.other_traffic > 0.0 {
            self.receive_other_traffic(now);
        }
        let business = api.is_business() && !has_ticket;
        let (lane, count_refused) = self.lane(api);
        lane.calls += 1;
        let admission = lane.arrive(now, business, count_refused);
        lane.refused += u64::from(admission == Admission::Refused);
        if business && self.options.shared_counter {
            let counts = admission == Admission::Admitted || count_refused;
            self.count_with(api, now, counts);
        }
        admission
    }

    /// Counts a call of `api` in the business windows of the API with which it shares them.
    fn count_with(&mut self, api: SimEndpoint, now: Timestamp, counts: bool) {
        let other = match api {
            SimEndpoint::Lookup => SimEndpoint::PendingId,
            _ => SimEndpoint::Lookup,
        };
        let (lane, _) = self.lane(other);
        let business = lane.counters.iter_mut();
        for counter in business.filter(|counter| counter.window.is_business()) {
            counter.admits(now);
            if counts {
                counter.add(now);
            }
        }
    }

    /// Counts the calls of other systems up to `now`, evenly spaced.
    fn receive_other_traffic(&mut self, now: Timestamp) {
        let rate = self.options.other_traffic;
        let due = (now.since(self.start).as_secs_f64() * rate) as u64;
        for place in self.others..due {
            let after = std::time::Duration::from_secs_f64((place + 1) as f64 / rate);
            let at = self.start.plus(after).min(now);
            let (lane, count_refused) = self.lane(SimEndpoint::Lookup);
            if !lane.is_locked(at, true) {
                lane.others += 1;
                lane.arrive(at, true, count_refused);
            }
        }
        self.others = self.others.max(due);
    }

    fn lane(&mut self, api: SimEndpoint) -> (&mut EndpointCounters, bool) {
        let options = &self.options;
        let lane =
            self.lanes[api as usize].get_or_insert_with(|| EndpointCounters::new(options, api));
        (lane, options.count_refused)
    }

    /// Returns the calls of `api` that `window` counts at `now`, which never runs backwards, where
    /// windows begin as `kind` says.
    pub(super) fn counted(
        &mut self,
        now: Timestamp,
        api: SimEndpoint,
        (window, kind): (QuotaWindow, WindowKind),
    ) -> u64 {
        let counters = self.lanes[api as usize].iter_mut();
        let mut counters = counters.flat_map(|lane| &mut lane.counters);
        counters
            .find(|counter| counter.window == window)
            .map_or(0, |counter| counter.counted(now, kind))
    }

    /// Returns what was counted of `api` up to its last call; `None` if it was never called.
    pub(super) fn stats(&self, api: SimEndpoint) -> Option<LaneStats> {
        self.lanes[api as usize]
            .as_ref()
            .map(EndpointCounters::stats)
    }
}

/// The windows of one API.
struct EndpointCounters {
    counters: Vec<WindowCounter>,
    calls: u64,
    counted: u64,
    others: u64,
    refused: u64,
}

impl EndpointCounters {
    fn new(options: &RateLimiterOptions, api: SimEndpoint) -> Self {
        let applies = |window: &QuotaWindow| {
            // Without a limit they count what those of the corp do.
            let is_idle = window.is_of_ip() && options.limits.of(*window).is_none();
            (api.is_business() || !window.is_business()) && !is_idle
        };
        let counter = |window| {
            let limit = options.limits.of(window);
            WindowCounter::new(window, limit, options.window_kind, options.lockout_rules)
        };
        Self {
            counters: QuotaWindow::ALL
                .into_iter()
                .filter(applies)
                .map(counter)
                .collect(),
            calls: 0,
            counted: 0,
            others: 0,
            refused: 0,
        }
    }

    fn arrive(&mut self, now: Timestamp, business: bool, count_refused: bool) -> Admission {
        let mut admitted = true;
        for counter in applying(&mut self.counters, business) {
            admitted &= counter.admits(now);
        }
        if admitted || count_refused {
            self.counted += 1;
            applying(&mut self.counters, business).for_each(|counter| counter.add(now));
        }
        if admitted {
            Admission::Admitted
        } else {
            Admission::Refused
        }
    }

    fn is_locked(&mut self, now: Timestamp, business: bool) -> bool {
        applying(&mut self.counters, business).any(|counter| counter.is_locked(now))
    }

    fn stats(&self) -> LaneStats {
        let windows = self.counters.iter();
        LaneStats {
            calls: self.calls,
            counted: self.counted,
            others: self.others,
            refused_45009: self.refused,
            lockouts: self.counters.iter().map(|counter| counter.lockouts).sum(),
            windows: windows
                .map(|counter| (counter.window.name(), counter.stats()))
                .collect(),
            ..LaneStats::default()
        }
    }
}

/// Returns the windows that count a call; `business` says whether the business windows do.
fn applying(
    counters: &mut [WindowCounter],
    business: bool,
) -> impl Iterator<Item = &mut WindowCounter> {
    let applies = move |counter: &&mut WindowCounter| business || !counter.window.is_business();
    counters.iter_mut().filter(applies)
}

#[cfg(test)]
mod tests {
    use super::{Admission::*, *};
    use std::time::Duration;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn limiter(limits: &str, change: impl FnOnce(&mut RateLimiterOptions)) -> RateLimiter {
        let limits = format!("none,{limits}").parse().unwrap();
        let mut options = RateLimiterOptions {
            limits,
            ..RateLimiterOptions::default()
        };
        change(&mut options);
        RateLimiter::new(options, at("2026-11-22T00:00"))
    }

    fn call(limiter: &mut RateLimiter, now: Timestamp) -> Admission {
        limiter.arrive(now, SimEndpoint::Lookup, false)
    }

    /// Exceeds `limits`, one call each, at 22:30; returns when calls are admitted again.
    fn admitted_again(limits: &str) -> Timestamp {
        let mut limiter = limiter(limits, |_| ());
        let start = at("2026-11-22T22:30");
        assert_eq!(call(&mut limiter, start), Admitted);
        assert_eq!(call(&mut limiter, start), Refused);
        (1..)
            .map(|seconds| start.plus(Duration::from_secs(30 * seconds)))
            .find(|now| call(&mut limiter, *now) == Admitted)
            .unwrap()
    }

    #[test]
    fn lockout_lasts_by_the_window_that_was_exceeded() {
        assert_eq!(admitted_again("basic.minute=1"), at("2026-11-22T22:31"));
        assert_eq!(admitted_again("basic.hour=1"), at("2026-11-22T23:30"));
        assert_eq!(admitted_again("business.hour=1"), at("2026-11-22T23:30"));
        assert_eq!(admitted_again("business.day=1"), at("2026-11-23T00:00"));
        assert_eq!(admitted_again("business.month=1"), at("2026-12-22T22:30"));
    }

    #[test]
    fn last_call_within_a_limit_is_admitted() {
        let mut limiter = limiter("basic.minute=3", |_| ());
        for _ in 0..3 {
            assert_eq!(call(&mut limiter, at("2026-11-22T09:00")), Admitted);
        }
        assert_eq!(call(&mut limiter, at("2026-11-22T09:01")), Admitted);
        let stats = limiter.stats(SimEndpoint::Lookup).unwrap();
        assert_eq!((stats.windows["basic.minute"].peak, stats.lockouts), (3, 0));
    }

    #[test]
    fn refused_calls_count_unless_set_otherwise() {
        for (count_refused, counted) in [(true, 5), (false, 2)] {
            let mut limiter = limiter("basic.minute=2", |options| {
                options.count_refused = count_refused
            });
            for _ in 0..5 {
                call(&mut limiter, at("2026-11-22T09:00"));
            }
            let stats = limiter.stats(SimEndpoint::Lookup).unwrap();
            assert_eq!(
                (stats.calls, stats.counted, stats.refused_45009),
                (5, counted, 3)
            );
            assert_eq!(stats.windows["business.month"].peak, counted);
        }
    }

    #[test]
    fn ticket_lifts_the_business_windows_only() {
        let mut limiter = limiter("basic.minute=2,business.hour=1", |_| ());
        let now = at("2026-11-22T09:00");
        assert_eq!(limiter.arrive(now, SimEndpoint::Lookup, true), Admitted);
        assert_eq!(limiter.arrive(now, SimEndpoint::Lookup, true), Admitted);
        assert_eq!(limiter.arrive(now, SimEndpoint::Lookup, true), Refused);
        assert_eq!(
            limiter.stats(SimEndpoint::Lookup).unwrap().windows["business.hour"].peak,
            0
        );
    }

    #[test]
    fn every_api_has_windows_of_its_own() {
        let mut limiter = limiter("basic.minute=1", |_| ());
        let now = at("2026-11-22T09:00");
        assert_eq!(call(&mut limiter, now), Admitted);
        assert_eq!(limiter.arrive(now, SimEndpoint::PendingId, false), Admitted);
        assert_eq!(limiter.arrive(now, SimEndpoint::Token, false), Admitted);
        assert!(
            !limiter
                .stats(SimEndpoint::Token)
                .unwrap()
                .windows
                .contains_key("business.day")
        );
    }

    #[test]
    fn other_systems_use_the_same_quota() {
        let mut limiter = limiter("business.hour=100", |options| options.other_traffic = 0.5);
        assert_eq!(call(&mut limiter, at("2026-11-22T00:03:10")), Admitted);
        let stats = limiter.stats(SimEndpoint::Lookup).unwrap();
        assert_eq!(
            (stats.others, stats.windows["business.hour"].calls),
            (95, 96)
        );
        assert_eq!(call(&mut limiter, at("2026-11-22T00:03:20")), Refused);
    }

    #[test]
    fn seven_and_a_half_million_calls_are_counted_to_the_last() {
        let mut limiter = limiter("business.month=7500000", |_| ());
        let start = at("2026-11-01T00:00");
        for call_number in 0..7_500_000_u64 {
            let now = start.plus(Duration::from_millis(call_number * 300));
            assert_eq!(call(&mut limiter, now), Admitted, "{call_number}");
        }
        let now = start.plus(Duration::from_millis(7_500_000 * 300));
        assert_eq!(call(&mut limiter, now), Refused);
    }
}
