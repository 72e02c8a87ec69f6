//! The account that admits calls, cloned and simulated forward.
//!
//! Calls are charged in chunks of at most one hour slot (12 s) that never reach over a slot's
//! end. The hour, day and month windows see each call in the slot in which it would have been
//! sent, so for them the simulation is exact; the minute window sees it up to a chunk early, which the
//! pace makes good. Left out are the latency (a charge leaves its window one latency later), the
//! retries and what others do to the quota. Against a simulation call by call the finish is within
//! 1 % of the time it takes.
//!
//! A simulation is cut off after some hundred thousand steps; what remains is then taken from
//! [`ideal_seconds`](super::ideal_seconds)' arithmetic with spans lengthened by their slots,
//! which is off by at most one period of the longest window that holds.

use super::simulation::{Forecast, Simulation};
use crate::quota::ForecastInput;

/// Simulates a copy of the account until `calls` subjects are answered.
///
/// Calls that are charged already are taken to complete now, and to answer as many of them.
#[must_use]
pub fn forecast(outlook: &ForecastInput, calls: u64) -> Forecast {
    let mut simulation = Simulation::new(outlook, calls);
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

    use crate::clock::Timestamp;
    use crate::model::{Limits, QuotaWindow, WindowKind};
    use crate::quota::{CallKind, Ledger};

    const DAY: f64 = 86_400.0;

    fn outlook(limits: Limits, fare: CallKind) -> ForecastInput {
        ForecastInput {
            ledger: Ledger::new(limits, WindowKind::Sliding),
            now: Timestamp::parse("2026-11-22T09:17:23+08:00").unwrap(),
            kind: fare,
            ticket_until: None,
            locked_until: Timestamp::default(),
            per_second: None,
        }
    }

    fn limits(all: [Option<u64>; 5]) -> Limits {
        let mut limits = Limits::none();
        for (span, limit) in QuotaWindow::ALL.into_iter().zip(all) {
            limits.set(span, limit);
        }
        limits
    }

    /// The same, one call after the other; answers the seconds and what the ticket left.
    fn call_by_call(outlook: &ForecastInput, calls: u64) -> (f64, u64) {
        let mut ledger = outlook.ledger.clone();
        let interval = interval_millis(&ledger.limits(), outlook.per_second);
        let (start, mut fare) = (outlook.now.max(outlook.locked_until), outlook.kind);
        let (mut now, mut paced, mut sent, mut left) = (start, 0.0_f64, 0, 0);
        while sent < calls {
            let earliest = Timestamp::from_millis(start.as_millis() + paced.ceil() as i64);
            now = now.max(earliest);
            if fare == CallKind::WithTicket
                && outlook.ticket_until.is_some_and(|until| now >= until)
            {
                (fare, left) = (CallKind::Standard, calls - sent);
            }
            match ledger.charge(now, fare, 1) {
                Ok(_) => {
                    ledger.complete(now, fare);
                    ledger.committed();
                    paced = interval + paced.max(now.since(start).as_millis() as f64 - 1.0);
                    sent += 1;
                }
                Err(hold) => now = hold.until.unwrap(),
            }
        }
        (now.since(outlook.now).as_secs_f64(), left)
    }

    fn plausible() -> impl Strategy<Value = Limits> {
        let parts = (
            6_u64..60,
            0.1_f64..1.0,
            0.3_f64..1.0,
            0.1_f64..0.9,
            0.3_f64..0.9,
        );
        parts.prop_map(|(minute, hour, business, day, month)| {
            let share = |of: u64, part: f64| Some(((of as f64 * part) as u64).max(1));
            let hour = share(minute * 60, hour);
            let business = share(hour.unwrap(), business);
            let day = share(business.unwrap() * 24, day);
            limits([
                Some(minute),
                hour,
                business,
                day,
                share(day.unwrap() * 30, month),
            ])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

        #[test]
        fn it_finishes_when_a_play_call_by_call_does(
            limits in plausible(),
            calls in 500_u64..40_000,
            ticket_seconds in proptest::option::of(600_u64..200_000),
            before in 0_u64..400,
        ) {
            let mut outlook = outlook(limits, CallKind::Standard);
            for minute in (0..before).rev() {
                let ago = i64::try_from(minute * 60_000).unwrap();
                let at = Timestamp::from_millis(outlook.now.as_millis() - ago);
                if let Ok(permit) = outlook.ledger.charge(at, CallKind::Standard, 3) {
                    outlook.ledger.complete_many(at, CallKind::Standard, u64::from(permit.calls()));
                }
            }
            if let Some(seconds) = ticket_seconds {
                outlook.kind = CallKind::WithTicket;
                outlook.ticket_until = Some(outlook.now.plus(Duration::from_secs(seconds)));
            }
            let (seconds, left) = call_by_call(&outlook, calls);
            let forecast = forecast(&outlook, calls);
            let off = forecast.seconds as f64 - seconds;
            prop_assert!(off.abs() < seconds * 0.01, "{} for {seconds}", forecast.seconds);
            if ticket_seconds.is_some() {
                let foreseen = forecast.left_at_ticket_end.unwrap();
                prop_assert!(foreseen.abs_diff(left) as f64 <= calls as f64 * 0.01 + 13.0);
            }
        }
    }

    #[test]
    fn seven_and_a_half_million_calls_take_fifteen_days_without_a_ticket() {
        let limits = Limits::published();
        let forecast = forecast(&outlook(limits, CallKind::Standard), 7_500_000);
        let ideal = ideal_seconds(&limits, CallKind::Standard, 7_500_000);
        let seconds = forecast.seconds as f64;
        assert!(ideal <= seconds && seconds < ideal * 1.01, "{seconds}");
        assert!((15.0..15.2).contains(&(seconds / DAY)), "{seconds}");
        assert_eq!(forecast.binding, Some(QuotaWindow::BusinessDay));
        assert_eq!(forecast.month_wall, None);
        assert_eq!(forecast.left_at_ticket_end, None);
        let days = forecast
            .bound_days
            .iter()
            .find(|(span, _)| *span == QuotaWindow::BusinessDay);
        assert_eq!(days.unwrap().1, (0..=15).collect::<Vec<_>>());
        assert_eq!(forecast.done_by.first().unwrap().1, 0);
        assert_eq!(forecast.done_by.last(), Some(&(forecast.finish, 7_500_000)));
    }

    #[test]
    fn seven_million_calls_take_two_days_with_a_ticket() {
        let mut outlook = outlook(Limits::published(), CallKind::WithTicket);
        outlook.ticket_until = Some(outlook.now.plus(Duration::from_secs(7 * 86_400 - 3600)));
        let forecast = forecast(&outlook, 7_000_000);
        assert!((46.0..46.5).contains(&(forecast.seconds as f64 / 3600.0)));
        assert_eq!(forecast.binding, Some(QuotaWindow::BasicHour));
        assert_eq!(forecast.left_at_ticket_end, Some(0));
    }

    #[test]
    fn a_job_beyond_the_month_meets_the_month_wall() {
        let forecast = forecast(&outlook(Limits::published(), CallKind::Standard), 7_500_100);
        let days = forecast
            .month_wall
            .unwrap()
            .since(forecast.done_by[0].0)
            .as_secs_f64()
            / DAY;
        assert!((15.0..15.2).contains(&days), "{days}");
        assert!((30.0..30.2).contains(&(forecast.seconds as f64 / DAY)));
    }

    #[test]
    fn what_the_ticket_leaves_goes_on_metered() {
        let mut outlook = outlook(Limits::published(), CallKind::WithTicket);
        outlook.ticket_until = Some(outlook.now.plus(Duration::from_secs(3600)));
        let forecast = forecast(&outlook, 1_000_000);
        let left = forecast.left_at_ticket_end.unwrap();
        assert!((849_000..=851_000).contains(&left), "{left}");
        assert!((1.0..1.2).contains(&(forecast.seconds as f64 / DAY)));
    }

    #[test]
    fn a_block_and_a_slow_rate_are_waited_for() {
        let mut outlook = outlook(Limits::published(), CallKind::Standard);
        outlook.locked_until = outlook.now.plus(Duration::from_secs(3600));
        outlook.per_second = Some(10.0);
        assert_eq!(forecast(&outlook, 10_001).seconds, 3600 + 1000);
        assert_eq!(forecast(&outlook, 0).seconds, 0);
    }

    #[test]
    fn calls_in_the_air_do_not_hold_for_ever() {
        let mut outlook = outlook(
            limits([Some(1), None, None, None, None]),
            CallKind::Standard,
        );
        let _ = outlook.ledger.charge(outlook.now, CallKind::Standard, 1);
        assert_eq!(forecast(&outlook, 2).seconds, 61);
        assert_eq!(forecast(&outlook, 1).seconds, 0, "it is in the air");
    }

    #[test]
    fn without_limits_there_is_nothing_to_wait_for() {
        let forecast = forecast(&outlook(Limits::none(), CallKind::Standard), u64::MAX);
        assert_eq!((forecast.seconds, forecast.binding), (0, None));
    }

    #[test]
    fn a_limit_of_nothing_is_never_done() {
        let limits = limits([None, None, None, Some(0), None]);
        let forecast = forecast(&outlook(limits, CallKind::Standard), 5);
        assert_eq!(forecast.finish, Timestamp::MAX);
        assert_eq!(forecast.binding, Some(QuotaWindow::BusinessDay));
        assert_eq!(forecast.done_by.last(), Some(&(Timestamp::MAX, 0)));
    }

    #[test]
    fn huge_jobs_are_told_by_arithmetic() {
        let published = Limits::published();
        let tiny = limits([Some(1), Some(7), Some(5), Some(90), Some(1000)]);
        for (limits, calls) in [
            (published, 10_u64.pow(9)),
            (tiny, 10_u64.pow(9)),
            (tiny, 10_u64.pow(12)),
        ] {
            let seconds = forecast(&outlook(limits, CallKind::Standard), calls).seconds as f64;
            let ideal = ideal_seconds(&limits, CallKind::Standard, calls);
            assert!(
                (1.0..1.01).contains(&(seconds / ideal)),
                "{seconds} for {ideal}"
            );
        }
        let mut slow = outlook(tiny, CallKind::WithTicket);
        slow.per_second = Some(1e-9);
        slow.ticket_until = Some(slow.now.plus(Duration::from_secs(86_400 * 365 * 4000)));
        assert!(forecast(&slow, u64::MAX).seconds > 1_000_000_000);
    }
}
