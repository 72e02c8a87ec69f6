//! No window is ever exceeded, none is left unused, and a penalty is waited out.

use std::time::Duration;

use idferry::{
    clock::Timestamp,
    model::{Limits, QuotaWindow, State, WindowKind},
    quota::{HoldReason, LockoutLevel},
    runner::event::{RunEvent, StopReason, Waiting},
    sim::Forced,
};

use crate::scenario::{DAY, HOUR, MINUTE, RecordedCall, Reply, RunResult, Scenario, secs};

const TINY: &str =
    "basic.minute=5,basic.hour=40,business.hour=30,business.day=60,business.month=100";

fn quota(result: &RunResult) -> Waiting {
    match &result.report.reason {
        StopReason::Quota(waiting) => *waiting,
        other => panic!("ended with {other:?}"),
    }
}

/// When every lookup left, in milliseconds after the scenario began.
fn since_start(scenario: &Scenario, at: Timestamp) -> u64 {
    at.since(scenario.setup.start).as_millis() as u64
}

#[test]
fn five_tiny_windows_at_once_are_filled_and_not_exceeded() {
    let mut scenario = Scenario::new(130).limits(TINY);
    let result = scenario.run();
    assert!(result.finished());
    assert!(
        result.took > 31 * DAY && result.took < 32 * DAY,
        "{:?}",
        result.took
    );
    let windows = &result.lookups().windows;
    for (window, limit) in [
        ("basic.minute", 5),
        ("business.hour", 30),
        ("business.day", 60),
        ("business.month", 100),
    ] {
        assert_eq!(windows[window].peak, limit, "{window}");
    }
    for span in ["business.hour", "business.day", "business.month"] {
        let waited = format!("waiting: {span} is used up");
        assert!(result.times(&waited) > 0, "{span}");
    }
}

#[test]
fn tiny_calendar_windows_are_filled_and_not_exceeded() {
    let mut scenario = Scenario::new(130)
        .limits(TINY)
        .calendar()
        .starting_at("2026-11-28T23:10");
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.lookups().windows["business.day"].peak, 60);
    // The hundred of November, and on the first of December the others.
    assert!(result.ended >= crate::scenario::at("2026-12-01T00:00"));
    assert!(result.ended < crate::scenario::at("2026-12-01T02:00"));
}

#[test]
fn sliding_windows_satisfy_a_calendar_remote() {
    let mut scenario = Scenario::new(200)
        .limits("basic.minute=7,basic.hour=60,business.hour=50,business.day=120")
        .starting_at("2026-11-22T23:10")
        .configure(|setup| setup.remote.window_kind = WindowKind::Calendar);
    assert!(scenario.run().finished());
}

#[test]
fn tiny_windows_hold_at_every_seed_and_latency() {
    for seed in 0..6 {
        let mut scenario = Scenario::new(90)
            .seed(seed)
            .limits("basic.minute=4,business.hour=20,business.day=70")
            .latency_millis(1, 20_000 >> seed)
            .faults(
                "busy=0.05,hang=0.02,reset_after=0.05,reset_before=0.05,slow=0.1,concurrent=0.05",
            );
        scenario.run();
    }
}

#[test]
fn tiny_windows_hold_when_the_process_dies_all_the_time() {
    for seed in 0..6 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let lives: Vec<u64> = (0..60).map(|_| 1 << chance.u64(5..21)).collect();
        let mut scenario = Scenario::new(90)
            .seed(seed)
            .limits("basic.minute=4,business.hour=20,business.day=70")
            .latency_millis(5, 3_000)
            .kill_after_millis(lives);
        let result = scenario.run();
        assert!(result.kills > 10, "{}", result.kills);
        assert!(result.finished());
    }
}

#[test]
fn exhausted_hour_exits_if_told_to_and_names_the_time() {
    let mut scenario = Scenario::new(120)
        .limits("business.hour=50")
        .on_quota_exit();
    let result = scenario.run();
    let waiting = quota(&result);
    assert_eq!(
        waiting.reason,
        HoldReason::Window(QuotaWindow::BusinessHour)
    );
    assert_eq!(result.of(State::Queued), 70);
    let until = waiting.until.unwrap();
    let wait = until.since(scenario.setup.start);
    assert!(wait > HOUR && wait < HOUR + secs(15), "{wait:?}");

    // Too early: nothing is sent, the same time is named.
    scenario.idle(secs(600));
    let result = scenario.run();
    assert_eq!(result.report.calls, 0);
    assert!(quota(&result).until.unwrap().since(until) < secs(1));

    let early = until.since(scenario.now());
    scenario.idle(early);
    assert_eq!(scenario.run().of(State::Queued), 20);
    scenario.idle(HOUR + secs(15));
    assert!(scenario.run().finished());
    assert_eq!(scenario.sent(), 120);
}

#[test]
fn a_full_minute_is_no_reason_to_leave() {
    for limits in ["basic.minute=10", "ip.minute=10"] {
        let mut scenario = Scenario::new(40).limits(limits).on_quota_exit();
        assert!(scenario.run().finished());
    }
}

#[test]
fn used_quota_stays_used_over_any_number_of_kills() {
    let mut scenario = Scenario::new(200)
        .limits("business.hour=60")
        .kill_every(1)
        .on_quota_exit();
    let result = scenario.run();
    quota(&result);
    let sent = scenario.sent();
    // Each kill counts one paid call that was never sent, and no more. No process lives to send a second
    // call: the first one proves its token.
    let kills = result.kills as usize;
    assert!(
        (59..=60).contains(&(sent + kills)),
        "{sent} sent, {kills} kills"
    );
    assert!(result.kills > 10);
}

#[test]
fn after_a_kill_only_what_is_left_of_the_window_is_used() {
    let mut scenario = Scenario::new(200)
        .limits("business.hour=60")
        .kill_once_after(20)
        .on_quota_exit();
    let result = scenario.run();
    quota(&result);
    assert_eq!(result.kills, 1);
    let sent = scenario.sent();
    assert!((55..=60).contains(&sent), "{sent}");
    // The calls in flight at the kill may never have arrived.
    assert!(result.lookups().windows["business.hour"].peak + 4 >= sent as u64);
}

#[test]
fn margin_and_reserve_leave_their_share_of_every_window() {
    let mut scenario = Scenario::new(60)
        .limits("basic.minute=20,business.hour=50")
        .quota(|quota| (quota.margin, quota.reserve) = (0.1, 0.3))
        .on_quota_exit();
    let result = scenario.run();
    quota(&result);
    assert_eq!(result.lookups().windows["basic.minute"].peak, 12);
    assert_eq!(result.lookups().windows["business.hour"].peak, 30);
}

/// Every lookup is refused with 45009, and the ledger has no reason for it.
fn shut() -> Scenario {
    Scenario::new(100)
        .latency_millis(2_000, 4_000)
        .remote(|remote| remote.script(std::iter::repeat_n(Forced::Errcode(45_009), 500)))
}

#[test]
fn unexplained_45009_is_waited_out_longer_each_time() {
    let mut scenario = shut();
    let result = scenario.run();
    assert_eq!(quota(&result).reason, HoldReason::Lockout);
    let mut rungs: Vec<_> = result
        .events
        .iter()
        .filter(|event| event.starts_with("blocked"))
        .collect();
    rungs.dedup();
    assert_eq!(
        rungs,
        [
            "blocked Minute",
            "blocked Hour",
            "blocked Day",
            "blocked Month"
        ]
    );
    assert_eq!(result.of(State::Queued), 100, "subjects are unharmed");

    // Those that left together, and then probes, each alone: after a minute, an hour, and hourly
    // up to noon of two natural days.
    let call_log = scenario.call_log();
    let calls: Vec<_> = call_log.lookups().collect();
    let first = calls
        .iter()
        .filter(|call| call.sent < calls[0].sent.plus(secs(4)))
        .count();
    let probes = calls.len() - first;
    assert!((26..=32).contains(&probes), "{probes} probes");
    let waits = calls[first - 1..]
        .windows(2)
        .map(|pair| pair[1].sent.since(pair[0].completed.unwrap()));
    let least = waits.clone().min().unwrap();
    assert!(least > MINUTE - secs(1), "{least:?}");
    let long = waits.filter(|wait| *wait < 59 * MINUTE).count();
    assert_eq!(
        long, 3,
        "the first minute, and ten minutes after each midnight"
    );
    drop(call_log);
    let until = quota(&result).until.unwrap();
    assert!(until.since(scenario.now()) > 29 * DAY);

    // A month is never waited for unasked, and a restart does not probe.
    let sent = scenario.sent();
    scenario.idle(DAY);
    assert_eq!(quota(&scenario.run()).reason, HoldReason::Lockout);
    assert_eq!(scenario.sent(), sent);
}

#[test]
fn a_penalty_outlives_the_process() {
    for lives in [
        vec![30_000, 10_000, 5_000],
        vec![7_000; 400],
        vec![70_000, 100_000, 900_000],
    ] {
        let mut scenario = shut().kill_after_millis(lives);
        let result = scenario.run();
        assert!(result.kills > 0);
        // What a killed process had in flight it may not have learnt of.
        let call_log = scenario.call_log();
        let answered = call_log.lookups().filter(|call| call.completed.is_some());
        let sent: Vec<u64> = answered
            .map(|call| since_start(&scenario, call.sent))
            .collect();
        let second = sent.iter().find(|at| **at > sent[0] + 10_000);
        assert!(second.is_none_or(|at| *at >= 62_000), "{sent:?}");
        let third = sent
            .iter()
            .find(|at| **at > second.unwrap_or(&u64::MAX) + 1);
        assert!(third.is_none_or(|at| *at >= 3_600_000 + 62_000), "{sent:?}");
    }
}

#[test]
fn long_lockout_exits_and_is_probed_once_after_it() {
    let mut scenario = shut().on_quota_exit();
    let waiting = quota(&scenario.run());
    assert_eq!(waiting.reason, HoldReason::Lockout);
    let sent = scenario.sent();
    let wait = waiting.until.unwrap().since(scenario.now());
    assert!(wait > 59 * MINUTE && wait < 61 * MINUTE, "{wait:?}");

    scenario.idle(wait - secs(60));
    assert_eq!(quota(&scenario.run()).until, waiting.until);
    let early = scenario.sent();
    assert_eq!(early, sent, "too early to probe");

    scenario.idle(secs(61));
    let result = scenario.run();
    assert_eq!(scenario.sent(), sent + 1, "one probe");
    let day = quota(&result).until.unwrap();
    // A minute after midnight, as clocks differ.
    let due = scenario.now().next_natural_day().plus(MINUTE);
    assert!(day >= due && day <= due.plus(secs(7)), "{day}");
}

#[test]
fn after_a_minute_of_lockout_one_probe_goes_first() {
    let mut scenario = Scenario::new(300)
        .latency_millis(500, 900)
        .remote(|remote| {
            let pass = std::iter::repeat_n(Forced::Pass, 100);
            remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(45_009), 4)));
        });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("unblocked"), 1);
    let call_log = scenario.call_log();
    let refused = |call: &&RecordedCall| call.reply == Reply::Errcode(45_009);
    let refused = call_log.lookups().filter(refused);
    let last = refused.map(|call| call.sent).max().unwrap();
    let mut lookups = call_log.lookups();
    let probe = lookups.find(|call| call.sent > last.plus(secs(50)));
    let during = probe.unwrap().sent..probe.unwrap().completed.unwrap();
    let beside = call_log
        .lookups()
        .filter(|call| during.contains(&call.sent));
    assert_eq!(beside.count(), 1, "alone in flight");
}

#[test]
fn others_of_the_same_corp_cost_time_and_nothing_else() {
    let mut scenario = Scenario::new(250)
        .remote_limits("business.hour=100")
        .configure(|setup| setup.remote.other_traffic = 0.02);
    scenario.idle(HOUR);
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.lookups().lockouts >= 2);
    assert!(result.times("blocked Hour") >= 2);
    assert_eq!(result.times("blocked Day"), 0, "{:?}", result.events);
    assert_eq!(result.of(State::Parked), 0);
    // Of every lockout: the calls in flight, and one probe that came too early.
    let refused = result.lookups().refused_45009;
    assert!(refused <= result.lookups().lockouts * 66, "{refused}");
}

#[test]
fn full_window_is_taken_for_the_reason_of_45009() {
    // The remote counts what others send; ours is full as well when it refuses.
    let mut levels = Vec::new();
    let mut scenario = Scenario::new(150)
        .limits("business.hour=100")
        .configure(|setup| setup.remote.other_traffic = 0.01)
        .on_quota_exit()
        .on_event(move |event, _, _| {
            if let RunEvent::LockedOut { level, .. } = event {
                levels.push(*level);
                assert_eq!(levels, [LockoutLevel::Hour]);
            }
        });
    scenario.idle(secs(200));
    let result = scenario.run();
    assert_eq!(result.times("blocked Hour"), 1, "{:?}", result.events);
    quota(&result);
}

#[test]
fn a_budget_is_spent_to_the_last_call_and_not_beyond() {
    let mut scenario = Scenario::new(200).configure(|setup| setup.options.budget = Some(70));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Budget));
    assert_eq!(scenario.sent(), 70);
    assert_eq!(result.of(State::Queued), 130);
    assert!(matches!(scenario.run().report.reason, StopReason::Budget));
    scenario.setup.options.budget = Some(60);
    assert!(scenario.run().finished(), "the budget is just enough");
    assert_eq!(scenario.sent(), 200);
}

#[test]
fn a_deadline_ends_the_run_even_in_the_middle_of_a_wait() {
    let start = Scenario::new(0).setup.start;
    let mut scenario = Scenario::new(300)
        .limits("basic.minute=10,business.hour=50")
        .configure(|setup| setup.options.deadline = Some(start.plus(30 * MINUTE)));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Time));
    assert_eq!(scenario.sent(), 50);
    let late = result.ended.since(start.plus(30 * MINUTE));
    assert!(result.took >= 30 * MINUTE && late < secs(1), "{late:?}");
}

#[test]
fn a_deadline_in_the_past_sends_nothing() {
    let start = Scenario::new(0).setup.start;
    let mut scenario = Scenario::new(20).configure(|setup| setup.options.deadline = Some(start));
    assert!(matches!(scenario.run().report.reason, StopReason::Time));
    assert_eq!(scenario.sent(), 0);
}

/// The share of a steady minute limit that is used, over whole minutes.
fn utilisation(per_minute: u64, minutes: u64) -> f64 {
    let mut scenario = Scenario::new(per_minute * minutes)
        .limits(&format!("none,basic.minute={per_minute}"))
        .latency_millis(20, 100)
        .concurrency(256);
    let result = scenario.run();
    assert!(result.finished());
    minutes as f64 * 60.0 / result.took.as_secs_f64()
}

#[test]
fn minute_limits_are_used_to_ninety_seven_percent() {
    for (per_minute, minutes) in [(60_000, 2), (1_668, 10)] {
        let used = utilisation(per_minute, minutes);
        assert!((0.97..=1.01).contains(&used), "{per_minute}: {used}");
    }
}

#[test]
fn an_hour_is_used_to_ninety_seven_percent_over_many_of_them() {
    let mut scenario = Scenario::new(2_000).limits("none,basic.minute=60,business.hour=100");
    let result = scenario.run();
    let used = 1_900.0 / (100.0 * result.took.as_secs_f64() / 3600.0);
    assert!((0.97..=1.01).contains(&used), "{used}");
    assert_eq!(result.lookups().windows["business.hour"].peak, 100);
}

#[test]
fn the_ledger_does_not_grow_with_the_length_of_a_run() {
    let mut scenario = Scenario::new(3_000).limits("none,basic.minute=5");
    let result = scenario.run();
    assert!(result.took > 9 * HOUR);
    let minute = "SELECT count(*) FROM charges WHERE period = 1";
    let slots = scenario.sql::<i64>(minute);
    assert!(slots < 900, "{slots} slots of a minute");
}

#[test]
fn without_limits_nothing_is_held() {
    let mut scenario = Scenario::new(2_000)
        .our_limits(Limits::none())
        .remote_limits("none");
    let result = scenario.run();
    assert!(result.took < Duration::from_secs(20), "{:?}", result.took);
}

/// The remote allows a third of what is published, as it did in 2023.
#[test]
fn limit_that_is_lower_in_fact_is_learnt_and_kept() {
    let mut scenario = Scenario::new(260)
        .remote_limits("none,business.hour=50")
        .our_limits("none,business.hour=150".parse().unwrap())
        .configure(|setup| setup.quota.remote = setup.quota.limits);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.lookups().lockouts, 2, "{:?}", result.events);
    assert!(result.report.used_elsewhere);
    assert!(
        result
            .output
            .contains("another program uses this corp's quota")
    );
    // The next run keeps it too.
    let account = scenario.account();
    let [(QuotaWindow::BusinessHour, calls)] = account.snapshot.learnt[..] else {
        panic!("{:?}", account.snapshot.learnt);
    };
    assert!((45..=50).contains(&calls), "{calls}");
    let word = format!("learnt business.hour {calls}");
    assert_eq!(result.times(&word), 1, "{:?}", result.events);
}

#[test]
fn windows_of_the_ip_hold_and_pace_as_those_of_the_corp_do() {
    let mut scenario = Scenario::new(70).limits("none,ip.minute=6,ip.hour=30");
    let result = scenario.run();
    assert!(result.finished());
    let windows = &result.lookups().windows;
    assert_eq!(
        (windows["ip.minute"].peak, windows["ip.hour"].peak),
        (6, 30)
    );
    assert!(
        result.took >= Duration::from_secs(2 * 3600),
        "{:?}",
        result.took
    );
}
