//! The account that admits calls, cloned and simulated forward.
//!
//! Calls are charged in chunks of at most one hour slot (12 s) that end where a slot ends. The
//! hour, day and month windows count each call in the slot in which it would be sent, so for them
//! the simulation is exact; the minute window counts it up to a chunk early, for which the pace
//! makes up. Not simulated are latency (a charge leaves its window one latency later), retries and
//! the calls of other systems. Against a simulation call by call the finish is within 1 % of the
//! time until then.
//!
//! A simulation ends after some hundred thousand steps; the rest is extrapolated by the arithmetic
//! of [`ideal_seconds`](super::ideal_seconds) with windows one slot longer, which is off by at most
//! one period of the longest window that holds calls.

use super::simulation::{Forecast, Simulation};
use crate::quota::ForecastInput;

/// Simulates a copy of the account until `calls` subjects are answered.
///
/// Calls in flight are assumed to complete now, and to answer as many of them.
#[must_use]
pub fn forecast(input: &ForecastInput, calls: u64) -> Forecast {
    let mut simulation = Simulation::new(input, calls);
    simulation.run();
    simulation.forecast()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{ideal_seconds, simulation::interval_millis},
        *,
    };
    use std::time::Duration;

    use crate::{
        clock::Timestamp,
        model::{Limits, QuotaWindow, WindowKind},
        quota::{Account, CallKind},
    };

    const DAY: f64 = 86_400.0;

    fn input(limits: Limits, kind: CallKind) -> ForecastInput {
        ForecastInput {
            account: Account::new(limits, WindowKind::Sliding),
            now: Timestamp::parse("2026-11-22T09:17:23+08:00").unwrap(),
            kind,
            ticket_until: None,
            locked_until: Timestamp::default(),
            per_second: None,
        }
    }

    /// The same simulation, one call after the other: the seconds and the calls that the ticket left.
    fn call_by_call(input: &ForecastInput, calls: u64) -> (f64, u64) {
        let mut account = input.account.clone();
        account.clear_lockout(input.locked_until);
        let interval = interval_millis(&account.limits(), input.per_second);
        let start = input.now.max(input.locked_until);
        let mut kind = input.kind;
        let mut now = start;
        let mut paced = 0.0_f64;
        let (mut sent, mut left) = (0, 0);
        while sent < calls {
            let earliest = Timestamp::from_millis(start.as_millis() + paced.ceil() as i64);
            now = now.max(earliest);
            if kind == CallKind::WithTicket && input.ticket_until.is_some_and(|until| now >= until)
            {
                kind = CallKind::Standard;
                left = calls - sent;
            }
            match account.charge(now, kind, 1) {
                Ok(_) => {
                    account.complete(now, kind);
                    account.committed();
                    paced = interval + paced.max(now.since(start).as_millis() as f64 - 1.0);
                    sent += 1;
                }
                Err(hold) => now = hold.until.unwrap(),
            }
        }
        (now.since(input.now).as_secs_f64(), left)
    }

    fn plausible() -> impl Strategy<Value = Limits> {
        let shares = (0.1_f64..1.0, 0.3_f64..1.0, 0.1_f64..0.9, 0.3_f64..0.9);
        let parts = (6_u64..60, shares);
        parts.prop_map(|(minute, (hour, business, day, month))| {
            let share = |of: u64, part: f64| Some(((of as f64 * part) as u64).max(1));
            let hour = share(minute * 60, hour);
            let business = share(hour.unwrap(), business);
            let day = share(business.unwrap() * 24, day);
            let month = share(day.unwrap() * 30, month);
            Limits::from([Some(minute), hour, business, day, month, None, None])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

        #[test]
        fn finish_is_that_of_a_simulation_call_by_call(
            limits in plausible(),
            calls in 500_u64..40_000,
            ticket_seconds in proptest::option::of(600_u64..200_000),
            before in 0_u64..400,
        ) {
            let mut input = input(limits, CallKind::Standard);
            for minute in (0..before).rev() {
                let ago = i64::try_from(minute * 60_000).unwrap();
                let at = Timestamp::from_millis(input.now.as_millis() - ago);
                if let Ok(permit) = input.account.charge(at, CallKind::Standard, 3) {
                    input.account.complete_many(at, CallKind::Standard, u64::from(permit.calls()));
                }
            }
            if let Some(seconds) = ticket_seconds {
                input.kind = CallKind::WithTicket;
                input.ticket_until = Some(input.now.plus(Duration::from_secs(seconds)));
            }
            let (seconds, left) = call_by_call(&input, calls);
            let forecast = forecast(&input, calls);
            let off = forecast.seconds as f64 - seconds;
            prop_assert!(off.abs() < seconds * 0.01, "{} for {seconds}", forecast.seconds);
            if ticket_seconds.is_some() {
                let foreseen = forecast.left_at_ticket_end.unwrap();
                prop_assert!(foreseen.abs_diff(left) as f64 <= calls as f64 * 0.01 + 13.0);
            }
        }
    }

    #[test]
    fn seven_and_a_half_million_calls_take_fifteen_days() {
        let limits = Limits::published();
        let forecast = forecast(&input(limits, CallKind::Standard), 7_500_000);
        let ideal = ideal_seconds(&limits, CallKind::Standard, 7_500_000);
        let seconds = forecast.seconds as f64;
        assert!(ideal <= seconds && seconds < ideal * 1.01, "{seconds}");
        assert!((15.0..15.2).contains(&(seconds / DAY)), "{seconds}");
        assert_eq!(forecast.binding, Some(QuotaWindow::BusinessDay));
        assert_eq!(forecast.month_wall, None);
        assert_eq!(forecast.left_at_ticket_end, None);
        let mut bound = forecast.bound_days.iter();
        let days = bound.find(|(window, _)| *window == QuotaWindow::BusinessDay);
        assert_eq!(days.unwrap().1, (0..=15).collect::<Vec<_>>());
        assert_eq!(forecast.done_by.first().unwrap().1, 0);
        assert_eq!(forecast.done_by.last(), Some(&(forecast.finish, 7_500_000)));
    }

    #[test]
    fn seven_million_calls_take_two_days_with_a_ticket() {
        let mut input = input(Limits::published(), CallKind::WithTicket);
        input.ticket_until = Some(input.now.plus(Duration::from_secs(7 * 86_400 - 3600)));
        let forecast = forecast(&input, 7_000_000);
        assert!((46.0..46.5).contains(&(forecast.seconds as f64 / 3600.0)));
        assert_eq!(forecast.binding, Some(QuotaWindow::BasicHour));
        assert_eq!(forecast.left_at_ticket_end, Some(0));
    }

    #[test]
    fn job_beyond_the_month_reaches_its_limit() {
        let forecast = forecast(&input(Limits::published(), CallKind::Standard), 7_500_100);
        let (from, _) = forecast.done_by[0];
        let days = forecast.month_wall.unwrap().since(from).as_secs_f64() / DAY;
        assert!((15.0..15.2).contains(&days), "{days}");
        assert!((31.0..31.2).contains(&(forecast.seconds as f64 / DAY)));
    }

    #[test]
    fn calls_left_by_the_ticket_count_in_every_window() {
        let mut input = input(Limits::published(), CallKind::WithTicket);
        input.ticket_until = Some(input.now.plus(Duration::from_secs(3600)));
        let forecast = forecast(&input, 1_000_000);
        let left = forecast.left_at_ticket_end.unwrap();
        assert!((849_000..=851_000).contains(&left), "{left}");
        assert!((1.0..1.2).contains(&(forecast.seconds as f64 / DAY)));
    }

    #[test]
    fn lockout_and_slow_rate_delay_the_finish() {
        let mut input = input(Limits::published(), CallKind::Standard);
        input.locked_until = input.now.plus(Duration::from_secs(3600));
        input.per_second = Some(10.0);
        assert_eq!(forecast(&input, 10_001).seconds, 3600 + 1000);
        assert_eq!(forecast(&input, 0).seconds, 0);
    }

    #[test]
    fn calls_in_flight_do_not_hold_for_ever() {
        let one_a_minute = Limits::none().with(QuotaWindow::BasicMinute, Some(1));
        let mut input = input(one_a_minute, CallKind::Standard);
        let _ = input.account.charge(input.now, CallKind::Standard, 1);
        assert_eq!(forecast(&input, 2).seconds, 61);
        assert_eq!(forecast(&input, 1).seconds, 0, "it is in flight");
    }

    #[test]
    fn without_limits_there_is_nothing_to_wait_for() {
        let forecast = forecast(&input(Limits::none(), CallKind::Standard), u64::MAX);
        assert_eq!((forecast.seconds, forecast.binding), (0, None));
    }

    #[test]
    fn limit_of_zero_is_never_done() {
        let limits = Limits::none().with(QuotaWindow::BusinessDay, Some(0));
        let forecast = forecast(&input(limits, CallKind::Standard), 5);
        assert_eq!(forecast.finish, Timestamp::MAX);
        assert_eq!(forecast.binding, Some(QuotaWindow::BusinessDay));
        assert_eq!(forecast.done_by.last(), Some(&(Timestamp::MAX, 0)));
    }

    #[test]
    fn huge_jobs_are_extrapolated() {
        let published = Limits::published();
        let tiny = Limits::from([1, 7, 5, 90, 1000, 1, 7].map(Some));
        for (limits, digits) in [(published, 9), (tiny, 9), (tiny, 12)] {
            let calls = 10_u64.pow(digits);
            let seconds = forecast(&input(limits, CallKind::Standard), calls).seconds as f64;
            let ideal = ideal_seconds(&limits, CallKind::Standard, calls);
            let slower = seconds / ideal;
            assert!((1.0..1.01).contains(&slower), "{seconds} for {ideal}");
        }
        let mut slow = input(tiny, CallKind::WithTicket);
        slow.per_second = Some(1e-9);
        slow.ticket_until = Some(slow.now.plus(Duration::from_secs(86_400 * 365 * 4000)));
        assert!(forecast(&slow, u64::MAX).seconds > 1_000_000_000);
    }
}
