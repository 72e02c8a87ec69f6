//! A remote that misbehaves, and what no subject may suffer from it.

use std::collections::BTreeSet;

use idferry::{
    model::State,
    runner::event::{BreakerTrip, FatalRefusal, RunEvent, StopReason},
    sim::{Fault, Faults, Forced, Remote},
    wecom::{transport::Failure, wire},
};

use crate::{
    ear::Back,
    world::{DAY, HOUR, Told, World, same, secs},
};

fn halt(told: &Told) -> &FatalRefusal {
    match &told.report.ending {
        StopReason::Refused(halt) => halt,
        other => panic!("ended with {other:?}"),
    }
}

fn trip(told: &Told) -> &BreakerTrip {
    match &told.report.ending {
        StopReason::Breaker(trip) => trip,
        other => panic!("ended with {other:?}"),
    }
}

/// Runs it, then retries by hand what was parked, as the operator would, until nothing is.
fn with_retries(world: &mut World) -> Told {
    let mut told = world.run();
    for _ in 0..4 {
        assert!(told.finished(), "{:?}", told.report.ending);
        assert_eq!(told.of(State::Rejected), 0);
        if told.of(State::Parked) == 0 {
            break;
        }
        let requeued = world.store().requeue(&[State::Parked], &[]).unwrap();
        assert_eq!(requeued, told.of(State::Parked));
        told = world.run();
    }
    told
}

/// Under `faults` everybody comes to the answer of a world without any.
fn everybody_is_answered(faults: &str) -> Told {
    let quiet = World::new(400).run();
    let mut world = World::new(400).faults(faults);
    let told = with_retries(&mut world);
    same(&quiet.results(), &told.results());
    assert!(world.heap().lookups().count() < 400 * 3, "{faults}");
    told
}

macro_rules! alone {
    ($($name:ident: $faults:literal, $fault:literal;)*) => {$(
        #[test]
        fn $name() {
            let told = everybody_is_answered($faults);
            assert!(told.stats.faults[$fault] > 20, "{:?}", told.stats.faults);
        }
    )*};
}

alone! {
    nobody_is_lost_to_a_busy_remote: "busy=0.2", "busy";
    nobody_is_lost_to_45033: "concurrent=0.2", "concurrent";
    nobody_is_lost_to_5xx_pages: "http5xx=0.2", "http5xx";
    nobody_is_lost_to_a_reset_before_the_call_counted: "reset_before=0.2", "reset_before";
    nobody_is_lost_to_a_reset_after_the_call_counted: "reset_after=0.2", "reset_after";
    nobody_is_lost_to_hanging_calls: "hang=0.2", "hang";
    nobody_is_lost_to_slow_calls: "slow=0.2", "slow";
    nobody_is_lost_to_cut_bodies: "cut=0.2", "cut";
    nobody_is_lost_to_bodies_that_are_not_json: "invalid=0.2", "invalid";
    nobody_is_lost_to_tokens_that_die: "token_killed=0.06", "token_killed";
}

#[test]
fn nobody_is_lost_on_a_bad_day() {
    let told = everybody_is_answered("harsh");
    assert!(told.stats.faults.len() >= 7, "{:?}", told.stats.faults);
}

#[test]
fn everybody_is_answered_on_any_bad_day() {
    let quiet = World::new(150).run();
    for seed in 10..20 {
        let mut world = World::new(150)
            .faults("harsh")
            .play(|play| play.options.seed = seed);
        same(&quiet.results(), &with_retries(&mut world).results());
    }
}

#[test]
fn a_subject_gets_three_attempts_and_one_more_at_the_end() {
    let mut world = World::new(30).faults("busy=1").remote(|_| {});
    // The token must be had first.
    world.play.remote.faults = Faults::none();
    let mut world = world.heeding(|event, remote, _| {
        if matches!(event, RunEvent::TokenFetched) {
            remote.set_faults(Faults::none().with(Fault::Busy, 1.0));
        }
    });
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Parked), 30);
    assert_eq!(told.times("second try"), 1);
    let heap = world.heap();
    assert_eq!(heap.lookups().count(), 30 * 4);
    let everybody: BTreeSet<_> = heap.lookups().map(|call| &call.who).collect();
    for who in everybody {
        let asked: Vec<_> = heap.lookups().filter(|call| call.who == *who).collect();
        assert_eq!(asked.len(), 4);
        let last_but_one = heap.lookups().position(|call| call.sent == asked[2].sent);
        assert!(last_but_one < heap.lookups().position(|call| call.sent == asked[3].sent));
    }
    drop(heap);
    // Nobody is owed a third try.
    world.sim().set_faults(Faults::none());
    let told = world.run();
    assert_eq!((told.report.calls, told.of(State::Parked)), (0, 30));
}

#[test]
fn a_second_try_that_dies_all_the_time_comes_to_its_end() {
    let quiet = World::new(60).run();
    let ids = crate::ticket::unionids(60, 60);
    let (busy, freed) = (ids.clone(), ids);
    // Everything fails until the second try begins.
    let mut world = World::new(60)
        .dying_every(5)
        .play(|play| play.options.error_budget = 1.0)
        .remote(move |remote| {
            for id in &busy {
                remote.force(id, Some(-1));
            }
        })
        .heeding(move |event, remote, _| {
            if matches!(event, RunEvent::RetryPassStarted) {
                for id in &freed {
                    remote.force(id, None);
                }
            }
        });
    let told = world.run();
    // Several deaths before, and some in the middle of the second try.
    assert!(told.kills > 8, "{}", told.kills);
    assert!(told.times("second try") > 2, "{:?}", told.events);
    same(&quiet.results(), &told.results());
}

#[test]
fn whoever_is_parked_is_asked_once_more_when_all_others_are_through() {
    let mut world = World::new(500).concurrency(4).remote(|remote| {
        // The first of all is refused three times.
        remote.script([Forced::Errcode(-1)]);
    });
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Parked), 0);
    assert_eq!(world.heap().lookups().count(), 501);
}

#[test]
fn an_empty_body_is_no_answer() {
    let mut world = World::new(20).remote(|remote| {
        remote.script([
            Forced::Status(204),
            Forced::Status(302),
            Forced::Status(404),
        ]);
    });
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Linked) + told.of(State::Unlinked), 20);
    assert_eq!(world.heap().lookups().count(), 23);
}

#[test]
fn a_call_that_hangs_is_given_up_and_makes_the_run_narrower() {
    let mut world = World::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 60);
        remote.script(pass.chain([Forced::Fault(Fault::Hang)]));
    });
    let told = world.run();
    assert!(told.finished());
    assert!(
        told.events
            .iter()
            .any(|event| event.starts_with("narrowed"))
    );
    let heap = world.heap();
    let hung = heap
        .lookups()
        .find(|call| call.back == Back::Unreadable)
        .unwrap();
    assert_eq!(hung.landed.unwrap().since(hung.sent), secs(30));
    assert_eq!(heap.lookups().count(), 301);
}

#[test]
fn a_refusal_for_too_many_at_once_halves_the_calls_in_the_air_and_costs_no_attempt() {
    let mut world = World::new(3_000)
        .limits("none")
        .play(|play| play.remote.concurrent = Some(10));
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Parked), 0);
    assert_eq!(told.times("second try"), 0);
    let narrowed: Vec<_> = told
        .events
        .iter()
        .filter(|event| event.starts_with("narrowed"))
        .collect();
    assert!(!narrowed.is_empty());
    // Half of a call's time it is on its way, so that nearly twice as many may be in the air.
    let near = |event: &&String| {
        let calls: u16 = event.trim_start_matches("narrowed to ").parse().unwrap();
        (5..=10).contains(&calls)
    };
    assert!(
        narrowed.iter().copied().all(|event| near(&event)),
        "{narrowed:?}"
    );
    // It feels its way along the limit: a refusal now and then, not a storm.
    let refused = told.lookups().refused_45033;
    assert!(refused < 150, "{refused}");
}

#[test]
fn a_token_that_dies_is_replaced_by_one_fetch_for_all_calls_in_the_air() {
    let mut world = World::new(600).concurrency(32).remote(|_| {}).heeding({
        let mut killed = 0;
        move |event, remote, _| {
            if let RunEvent::Progress(snapshot) = event
                && snapshot.tally.answered() >= 100 * (killed + 1)
                && killed < 3
            {
                killed += 1;
                remote.kill_token();
            }
        }
    });
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.stats.tokens_killed, 3);
    assert_eq!(told.stats.tokens_fetched, 4);
    assert_eq!(world.heap().widest[wire::GETTOKEN], 1);
    // Each death costs the calls that were in the air with it.
    assert!(world.heap().lookups().count() <= 600 + 3 * 32);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let mut world = World::new(1_000).limits("none,basic.minute=2");
    let told = world.run();
    assert!(told.finished());
    assert!(told.took > 8 * HOUR);
    let heap = world.heap();
    assert!(heap.lookups().all(|call| call.back == Back::Errcode(0)));
    // The old one is handed out again while it lives, so that its end takes a few fetches.
    let fetched = told.stats.tokens_fetched;
    assert!((5..=20).contains(&fetched), "{fetched}");
}

#[test]
fn tokens_that_are_always_refused_end_the_run_after_three() {
    let refused = std::iter::repeat_n(Forced::Errcode(40_014), 1_000);
    let mut world = World::new(100).remote(|remote| remote.script(refused));
    let told = world.run();
    assert!(matches!(told.report.ending, StopReason::TokensRefused));
    assert_eq!(told.stats.tokens_fetched, 3);
    assert_eq!(told.of(State::Queued), 100);
}

#[test]
fn a_wrong_secret_is_tried_exactly_once() {
    let mut world = World::new(10).wrong_secret();
    let told = world.run();
    assert_eq!(halt(&told).errcode, 40_001);
    assert_eq!(halt(&told).call, "gettoken");
    assert_eq!(told.stats.tokens_failed, 1);
    assert_eq!(world.heap().calls.len(), 1);
    assert_eq!(told.of(State::Queued), 10);
}

#[test]
fn an_error_with_an_empty_list_beside_it_is_never_a_nobody() {
    // The simulator adds the list to every other error.
    for (errcode, state) in [
        (-1, State::Parked),
        (610_014, State::Rejected),
        (123_456, State::Parked),
    ] {
        let mut world = World::new(40)
            .play(|play| play.options.error_budget = 1.0)
            .remote(move |remote| {
                remote.script(std::iter::repeat_n(Forced::Errcode(errcode), 400))
            });
        let told = world.run();
        assert_eq!(told.of(State::Unlinked), 0, "{errcode}");
        assert_eq!(told.of(State::Linked), 0);
        assert!(told.of(state) > 5);
    }
}

#[test]
fn a_warning_beside_errcode_0_is_our_bug_and_nothing_is_written_for_its_subject() {
    let mut world = World::new(50).concurrency(1).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 10);
        remote.script(pass.chain([Forced::Fault(Fault::Warning)]));
    });
    let told = world.run();
    assert!(halt(&told).bug);
    assert_eq!(halt(&told).errcode, 0);
    assert_eq!(told.of(State::Queued), 40);
    assert_eq!(world.heap().lookups().count(), 11);
    // The subject is not passed over either: the next run asks it first.
    let asked = world.heap().lookups().last().unwrap().who.clone();
    world.requeued = true;
    assert!(world.run().finished());
    assert_eq!(world.heap().lookups().nth(11).unwrap().who, asked);
}

#[test]
fn an_address_that_is_not_trusted_halts_the_run_at_once() {
    let mut world = World::new(200).remote(|remote| {
        remote.script(std::iter::repeat_n(Forced::Errcode(60_020), 200));
    });
    let told = world.run();
    assert_eq!(halt(&told).errcode, 60_020);
    assert!(!halt(&told).bug);
    assert_eq!(told.of(State::Queued), 200);
    assert!(world.heap().lookups().count() <= 8);
}

#[test]
fn a_halt_in_the_middle_keeps_what_was_answered() {
    let mut world = World::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 150);
        remote.script(pass.chain([Forced::Errcode(48_002)]));
    });
    let told = world.run();
    assert_eq!(halt(&told).errcode, 48_002);
    assert!(told.of(State::Queued) < 150);
    assert!(
        world.heap().lookups().all(|call| call.landed.is_some()),
        "drained"
    );
    let sent = world.heap().lookups().count();
    assert!(world.run().finished());
    assert_eq!(
        world.heap().lookups().count() - sent,
        told.of(State::Queued) as usize
    );
}

#[test]
fn rows_of_another_mini_program_trip_the_breaker_after_twenty() {
    let mut world = World::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 30);
        remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(845_003), 300)));
    });
    let told = world.run();
    assert_eq!(trip(&told).mostly.0, Some(845_003));
    let rejected = told.of(State::Rejected);
    assert!((20..=20 + 64).contains(&rejected), "{rejected}");
}

#[test]
fn codes_nobody_has_classified_park_and_trip_a_low_breaker() {
    let mut world = World::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 50);
        remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(123_456), 300)));
    });
    let told = world.run();
    assert_eq!(trip(&told).mostly, (Some(123_456), 10));
    let parked = told.of(State::Parked);
    assert!((10..=10 + 64).contains(&parked), "{parked}");
    assert_eq!(told.of(State::Rejected), 0);
}

#[test]
fn too_many_rejected_rows_trip_the_breaker_and_fewer_do_not() {
    let rejected = |share: f64| {
        let mut world = World::new(600).play(|play| play.remote.world.rejected = share);
        world.run()
    };
    let told = rejected(0.6);
    assert_eq!(trip(&told).answers, 200);
    assert!(told.of(State::Queued) > 250);
    let told = rejected(0.35);
    assert!(told.finished());
    assert!(told.of(State::Rejected) > 150);
}

#[test]
fn an_error_budget_of_the_operator_s_counts() {
    let mut world = World::new(600).play(|play| {
        play.remote.world.rejected = 0.35;
        play.options.error_budget = 0.2;
    });
    trip(&world.run());
    world.play.options.error_budget = 1.0;
    assert!(world.run().finished());
}

/// Down from `from` to `to` seconds after the beginning.
fn down(world: World, from: u64, to: u64) -> World {
    world
        .after(secs(from), |remote: &mut Remote, _| remote.set_down(true))
        .after(secs(to), |remote: &mut Remote, _| remote.set_down(false))
}

#[test]
fn when_the_line_is_dead_nothing_is_lost_and_it_goes_on_when_the_line_is_back() {
    let quiet = World::new(400).run();
    for (from, to) in [(3, 10), (5, 4_000), (20, 3 * 86_400)] {
        let mut world = down(World::new(400).limits("none,basic.minute=600"), from, to);
        let told = world.run();
        assert!(told.finished());
        same(&quiet.results(), &told.results());
        assert_eq!(told.times("reached again"), 1);
        assert!(
            told.took >= secs(to) && told.took < secs(to + 60 + 70),
            "{:?}",
            told.took
        );
        // One call at a time knocks, at most once a minute in the long run.
        let heap = world.heap();
        let knocks = heap
            .lookups()
            .filter(|call| call.back == Back::NotSent)
            .count() as u64;
        assert!(knocks <= 64 + 8 + (to - from) / 60, "{knocks}");
    }
}

#[test]
fn a_dead_line_costs_no_attempt() {
    let mut world = down(
        World::new(50).limits("none,basic.minute=60"),
        5,
        DAY.as_secs(),
    );
    let told = world.run();
    assert!(told.finished());
    assert_eq!(world.sql::<i64>("SELECT max(attempts) FROM outcomes"), 1);
    assert_eq!(told.times("second try"), 0);
}

#[test]
fn a_line_dead_from_the_start_is_given_up() {
    let mut world = World::new(50).remote(|remote| remote.set_down(true));
    let told = world.run();
    assert!(matches!(
        told.report.ending,
        StopReason::Unreachable(Failure::Connect(_))
    ));
    assert!(told.took < secs(120));
    assert_eq!(told.of(State::Queued), 50);
    assert_eq!(world.heap().lookups().count(), 0);
    assert!(world.heap().calls.len() <= 6);
    world.sim().set_down(false);
    assert!(world.run().finished());
}

#[test]
fn a_line_that_dies_while_the_process_dies_too_loses_nothing() {
    let quiet = World::new(300).run();
    let world = World::new(300).limits("none,basic.minute=600");
    let mut world = down(world, 4, 500).dying_after_millis([5_000, 100_000, 300_000]);
    let told = world.run();
    assert!(matches!(told.report.ending, StopReason::Unreachable(_)));
    world.sim().set_down(false);
    let told = world.run();
    same(&quiet.results(), &told.results());
}

#[test]
fn a_rejected_subject_keeps_its_code() {
    let mut world = World::new(300).play(|play| {
        play.remote.world.rejected = 0.2;
        play.options.error_budget = 1.0;
    });
    let told = world.run();
    assert!(told.finished());
    let codes: BTreeSet<_> = world
        .reader()
        .refusals()
        .unwrap()
        .into_iter()
        .map(|(_, code, _)| code)
        .collect();
    assert_eq!(
        codes,
        BTreeSet::from([Some(610_014), Some(40_073), Some(610_018)])
    );
    assert!(told.export.contains(",rejected,610014,"));
}
