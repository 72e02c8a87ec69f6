//! No window is ever exceeded, none is left unused, and a penalty is waited out.

use std::time::Duration;

use idferry::{
    clock::Timestamp,
    gate::{HoldReason, LockoutLevel},
    model::{Limits, QuotaWindow, State, WindowKind},
    runner::event::{RunEvent, StopReason, Waiting},
    sim::Forced,
};

use crate::{
    ear::Back,
    world::{DAY, HOUR, MINUTE, Told, World, secs},
};

const TINY: &str =
    "basic.minute=5,basic.hour=40,business.hour=30,business.day=60,business.month=100";

fn quota(told: &Told) -> Waiting {
    match &told.report.ending {
        StopReason::Quota(waiting) => *waiting,
        other => panic!("ended with {other:?}"),
    }
}

/// When every lookup left, in milliseconds after the world began.
fn sendings(world: &World) -> Vec<u64> {
    let start = world.play.start;
    let heap = world.heap();
    let since = |sent: Timestamp| sent.since(start).as_millis() as u64;
    heap.lookups().map(|call| since(call.sent)).collect()
}

#[test]
fn five_tiny_windows_at_once_are_filled_and_not_exceeded() {
    let mut world = World::new(130).limits(TINY);
    let told = world.run();
    assert!(told.finished());
    assert!(
        told.took > 30 * DAY && told.took < 31 * DAY,
        "{:?}",
        told.took
    );
    let windows = &told.lookups().windows;
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
        assert!(told.times(&waited) > 0, "{span}");
    }
}

#[test]
fn five_tiny_calendar_windows_at_once_are_filled_and_not_exceeded() {
    let mut world = World::new(130)
        .limits(TINY)
        .calendar()
        .starting_at("2026-11-28T23:10");
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.lookups().windows["business.day"].peak, 60);
    // The hundred of November, and on the first of December the others.
    assert!(told.ended >= crate::world::at("2026-12-01T00:00"));
    assert!(told.ended < crate::world::at("2026-12-01T02:00"));
}

#[test]
fn sliding_windows_of_ours_hold_a_remote_that_counts_by_the_calendar() {
    let mut world = World::new(200)
        .limits("basic.minute=7,basic.hour=60,business.hour=50,business.day=120")
        .starting_at("2026-11-22T23:10")
        .play(|play| play.remote.counting = WindowKind::Calendar);
    assert!(world.run().finished());
}

#[test]
fn tiny_windows_hold_at_every_seed_and_latency() {
    for seed in 0..6 {
        let mut world = World::new(90)
            .seed(seed)
            .limits("basic.minute=4,business.hour=20,business.day=70")
            .latency_millis(1, 20_000 >> seed)
            .faults(
                "busy=0.05,hang=0.02,reset_after=0.05,reset_before=0.05,slow=0.1,concurrent=0.05",
            );
        world.run();
    }
}

#[test]
fn tiny_windows_hold_when_the_process_dies_all_the_time() {
    for seed in 0..6 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let lives: Vec<u64> = (0..60).map(|_| 1 << chance.u64(5..21)).collect();
        let mut world = World::new(90)
            .seed(seed)
            .limits("basic.minute=4,business.hour=20,business.day=70")
            .latency_millis(5, 3_000)
            .dying_after_millis(lives);
        let told = world.run();
        assert!(told.kills > 10, "{}", told.kills);
        assert!(told.finished());
    }
}

#[test]
fn at_an_exhausted_hour_it_leaves_if_told_so_and_names_the_time_to_come_back() {
    let mut world = World::new(120).limits("business.hour=50").on_quota_exit();
    let told = world.run();
    let waiting = quota(&told);
    assert_eq!(
        waiting.reason,
        HoldReason::Window(QuotaWindow::BusinessHour)
    );
    assert_eq!(told.of(State::Queued), 70);
    let until = waiting.until.unwrap();
    let wait = until.since(world.play.start);
    assert!(wait > HOUR && wait < HOUR + secs(15), "{wait:?}");

    // Too early: nothing is sent, the same time is named.
    world.rests(secs(600));
    let told = world.run();
    assert_eq!(told.report.calls, 0);
    assert!(quota(&told).until.unwrap().since(until) < secs(1));

    let early = until.since(world.now());
    world.rests(early);
    assert_eq!(world.run().of(State::Queued), 20);
    world.rests(HOUR + secs(15));
    assert!(world.run().finished());
    assert_eq!(world.heap().lookups().count(), 120);
}

#[test]
fn a_full_minute_is_no_reason_to_leave() {
    let mut world = World::new(40).limits("basic.minute=10").on_quota_exit();
    assert!(world.run().finished());
}

#[test]
fn used_quota_stays_used_over_any_number_of_deaths() {
    let mut world = World::new(200)
        .limits("business.hour=60")
        .dying_every(1)
        .on_quota_exit();
    let told = world.run();
    quota(&told);
    let sent = world.heap().lookups().count();
    // Each death counts a call in the purse that never left, and no more.
    assert!((40..=60).contains(&sent), "{sent}");
    assert!(told.kills > 10);
}

#[test]
fn after_a_death_only_what_is_left_of_the_window_is_used() {
    let mut world = World::new(200)
        .limits("business.hour=60")
        .dying_once_after(20)
        .on_quota_exit();
    let told = world.run();
    quota(&told);
    assert_eq!(told.kills, 1);
    let sent = world.heap().lookups().count();
    assert!((55..=60).contains(&sent), "{sent}");
    // Those that were in the air at the death may never have arrived.
    assert!(told.lookups().windows["business.hour"].peak + 4 >= sent as u64);
}

#[test]
fn margin_and_reserve_leave_their_share_of_every_window() {
    let mut world = World::new(60)
        .limits("basic.minute=20,business.hour=50")
        .quota(|quota| (quota.margin, quota.reserve) = (0.1, 0.3))
        .on_quota_exit();
    let told = world.run();
    quota(&told);
    assert_eq!(told.lookups().windows["basic.minute"].peak, 12);
    assert_eq!(told.lookups().windows["business.hour"].peak, 30);
}

/// Every lookup is refused with 45009, and the books know no reason.
fn shut() -> World {
    World::new(100)
        .latency_millis(2_000, 4_000)
        .remote(|remote| remote.script(std::iter::repeat_n(Forced::Errcode(45_009), 500)))
}

#[test]
fn a_refusal_without_a_reason_in_the_books_is_waited_out_longer_each_time() {
    let mut world = shut();
    let told = world.run();
    assert_eq!(quota(&told).reason, HoldReason::Lockout);
    let rungs: Vec<_> = told
        .events
        .iter()
        .filter(|event| event.starts_with("blocked"))
        .collect();
    assert_eq!(
        rungs,
        [
            "blocked Minute",
            "blocked Hour",
            "blocked Day",
            "blocked Month"
        ]
    );
    assert_eq!(told.of(State::Queued), 100, "subjects are unharmed");

    // Those that left together, and three probes, each alone.
    let heap = world.heap();
    let calls: Vec<_> = heap.lookups().collect();
    let first = calls
        .iter()
        .filter(|call| call.sent < calls[0].sent.plus(secs(4)))
        .count();
    assert_eq!(calls.len(), first + 3);
    let known = calls[..first]
        .iter()
        .filter_map(|call| call.landed)
        .min()
        .unwrap();
    let day = calls[first + 1].landed.unwrap();
    for (call, landed, least) in [
        (first, known, MINUTE),
        (first + 1, calls[first].landed.unwrap(), HOUR),
        (first + 2, day, day.next_natural_day().since(day)),
    ] {
        // Up to six seconds of jitter, and the next morning a token has to be fetched first.
        let waited = calls[call].sent.since(landed);
        assert!(
            waited >= least && waited <= least + secs(11),
            "{call}: {waited:?}"
        );
    }
    drop(heap);
    let until = quota(&told).until.unwrap();
    assert!(until.since(world.now()) > 29 * DAY);

    // A month is never waited for unasked, and a restart does not probe.
    let sent = world.heap().lookups().count();
    world.rests(DAY);
    assert_eq!(quota(&world.run()).reason, HoldReason::Lockout);
    assert_eq!(world.heap().lookups().count(), sent);
}

#[test]
fn a_penalty_outlives_the_process() {
    for lives in [
        vec![30_000, 10_000, 5_000],
        vec![7_000; 400],
        vec![70_000, 100_000, 900_000],
    ] {
        let mut world = shut().dying_after_millis(lives);
        let told = world.run();
        assert!(told.kills > 0);
        let sent = sendings(&world);
        let second = sent.iter().find(|at| **at > sent[0] + 10_000);
        assert!(second.is_none_or(|at| *at >= 62_000), "{sent:?}");
        let third = sent
            .iter()
            .find(|at| **at > second.unwrap_or(&u64::MAX) + 1);
        assert!(third.is_none_or(|at| *at >= 3_600_000 + 62_000), "{sent:?}");
    }
}

#[test]
fn a_long_penalty_is_a_reason_to_leave_and_is_probed_once_when_it_is_over() {
    let mut world = shut().on_quota_exit();
    let waiting = quota(&world.run());
    assert_eq!(waiting.reason, HoldReason::Lockout);
    let sent = world.heap().lookups().count();
    let wait = waiting.until.unwrap().since(world.now());
    assert!(wait > 59 * MINUTE && wait < 61 * MINUTE, "{wait:?}");

    world.rests(wait - secs(60));
    assert_eq!(quota(&world.run()).until.unwrap(), waiting.until.unwrap());
    assert_eq!(world.heap().lookups().count(), sent, "too early to probe");

    world.rests(secs(61));
    let told = world.run();
    assert_eq!(world.heap().lookups().count(), sent + 1, "one probe");
    let day = quota(&told).until.unwrap();
    let midnight = world.now().next_natural_day();
    assert!(day >= midnight && day <= midnight.plus(secs(7)), "{day}");
}

#[test]
fn after_a_minute_of_penalty_one_probe_goes_out_and_then_the_rest() {
    let mut world = World::new(300).latency_millis(500, 900).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 100);
        remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(45_009), 4)));
    });
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.times("unblocked"), 1);
    let heap = world.heap();
    let refused = |call: &&crate::ear::Heard| call.back == Back::Errcode(45_009);
    let last = heap
        .lookups()
        .filter(refused)
        .map(|call| call.sent)
        .max()
        .unwrap();
    let probe = heap
        .lookups()
        .find(|call| call.sent > last.plus(secs(50)))
        .unwrap();
    let landed = probe.landed.unwrap();
    let beside = heap
        .lookups()
        .filter(|call| call.sent >= probe.sent && call.sent < landed);
    assert_eq!(beside.count(), 1, "alone in the air");
}

#[test]
fn others_of_the_same_corp_cost_time_and_nothing_else() {
    let mut world = World::new(250)
        .remote_limits("business.hour=100")
        .play(|play| play.remote.others = 0.02);
    world.rests(HOUR);
    let told = world.run();
    assert!(told.finished());
    assert!(told.lookups().blocks >= 2);
    assert!(
        told.times("blocked Hour") >= 2 && told.times("blocked Day") == 0,
        "{:?}",
        told.events
    );
    assert_eq!(told.of(State::Parked), 0);
    // Of every block: those in the air, and one probe that came too early.
    let refused = told.lookups().refused_45009;
    assert!(refused <= told.lookups().blocks * 66, "{refused}");
}

#[test]
fn a_window_that_the_books_know_to_be_full_is_taken_for_the_reason() {
    // The remote counts what others send; ours is full as well when it refuses.
    let mut rungs = Vec::new();
    let mut world = World::new(150)
        .limits("business.hour=100")
        .play(|play| play.remote.others = 0.01)
        .on_quota_exit()
        .heeding(move |event, _, _| {
            if let RunEvent::LockedOut { rung, .. } = event {
                rungs.push(*rung);
                assert_eq!(rungs, [LockoutLevel::Hour]);
            }
        });
    world.rests(secs(200));
    let told = world.run();
    assert_eq!(told.times("blocked Hour"), 1, "{:?}", told.events);
    quota(&told);
}

#[test]
fn a_budget_is_spent_to_the_last_call_and_not_beyond() {
    let mut world = World::new(200).play(|play| play.options.budget = Some(70));
    let told = world.run();
    assert!(matches!(told.report.ending, StopReason::Budget));
    assert_eq!(world.heap().lookups().count(), 70);
    assert_eq!(told.of(State::Queued), 130);
    assert!(matches!(world.run().report.ending, StopReason::Budget));
    world.play.options.budget = Some(60);
    assert!(world.run().finished(), "the budget is just enough");
    assert_eq!(world.heap().lookups().count(), 200);
}

#[test]
fn a_deadline_ends_the_run_even_in_the_middle_of_a_wait() {
    let start = World::new(0).play.start;
    let mut world = World::new(300)
        .limits("basic.minute=10,business.hour=50")
        .play(|play| play.options.deadline = Some(start.plus(30 * MINUTE)));
    let told = world.run();
    assert!(matches!(told.report.ending, StopReason::Time));
    assert_eq!(world.heap().lookups().count(), 50);
    let late = told.ended.since(start.plus(30 * MINUTE));
    assert!(
        told.took >= 30 * MINUTE && late < secs(1),
        "{:?}",
        told.took
    );
}

#[test]
fn a_deadline_in_the_past_sends_nothing() {
    let start = World::new(0).play.start;
    let mut world = World::new(20).play(|play| play.options.deadline = Some(start));
    assert!(matches!(world.run().report.ending, StopReason::Time));
    assert_eq!(world.heap().lookups().count(), 0);
}

/// The share of a steady minute limit that is used, over whole minutes.
fn utilisation(per_minute: u64, minutes: u64, commit_policy: impl FnOnce(&mut World)) -> f64 {
    let mut world = World::new(per_minute * minutes)
        .limits(&format!("none,basic.minute={per_minute}"))
        .latency_millis(20, 100)
        .concurrency(256);
    commit_policy(&mut world);
    let told = world.run();
    assert!(told.finished());
    (per_minute * minutes) as f64 / (per_minute as f64 * told.took.as_secs_f64() / 60.0)
}

#[test]
fn a_thousand_a_second_are_used_to_ninety_seven_percent() {
    let used = utilisation(60_000, 2, |_| {});
    assert!((0.97..=1.01).contains(&used), "{used}");
}

#[test]
fn twenty_eight_a_second_are_used_to_ninety_seven_percent() {
    let used = utilisation(1_668, 10, |_| {});
    assert!((0.97..=1.01).contains(&used), "{used}");
}

#[test]
fn an_hour_is_used_to_ninety_seven_percent_over_many_of_them() {
    let mut world = World::new(2_000).limits("none,basic.minute=60,business.hour=100");
    let told = world.run();
    let used = 1_900.0 / (100.0 * told.took.as_secs_f64() / 3600.0);
    assert!((0.97..=1.01).contains(&used), "{used}");
    assert_eq!(told.lookups().windows["business.hour"].peak, 100);
}

#[test]
fn the_books_do_not_grow_with_the_length_of_a_run() {
    let mut world = World::new(3_000).limits("none,basic.minute=5");
    let told = world.run();
    assert!(told.took > 9 * HOUR);
    let minute = "SELECT count(*) FROM charges WHERE span = 0";
    let slots = world.sql::<i64>(minute);
    assert!(slots < 900, "{slots} slots of a minute");
}

#[test]
fn without_limits_nothing_is_held() {
    let mut world = World::new(2_000)
        .our_limits(Limits::none())
        .remote_limits("none");
    let told = world.run();
    assert!(told.took < Duration::from_secs(20), "{:?}", told.took);
}
