//! A remote that misbehaves, and what no subject may suffer from it.

use std::collections::BTreeSet;

use idferry::{
    model::State,
    runner::event::{BreakerTrip, FatalRefusal, RunEvent, StopReason},
    sim::{Fault, Faults, Forced, SimulatedRemote},
    store::{PassOrigin, Selection},
    wecom::{transport::Failure, wire},
};

use crate::scenario::{DAY, HOUR, Reply, RunResult, Scenario, same, secs};

fn halt(result: &RunResult) -> &FatalRefusal {
    match &result.report.reason {
        StopReason::Refused(halt) => halt,
        other => panic!("ended with {other:?}"),
    }
}

fn trip(result: &RunResult) -> &BreakerTrip {
    match &result.report.reason {
        StopReason::Breaker(trip) => trip,
        other => panic!("ended with {other:?}"),
    }
}

/// Asks for the answers of `state` again, as `idferry retry` does. Returns how many there are.
fn retry(scenario: &mut Scenario, state: State) -> u64 {
    let (mut store, now) = (scenario.store(), scenario.now());
    let selection = Selection {
        states: vec![state],
        ..Selection::default()
    };
    let chosen = store.passes().count(&selection).unwrap();
    let opened = store.open_pass(PassOrigin::Retry, &selection, None, now);
    assert!(opened.unwrap().is_some());
    chosen
}

/// Runs it, then retries by hand what was parked, as the operator would, until nothing is.
fn with_retries(scenario: &mut Scenario) -> RunResult {
    let mut result = scenario.run();
    for _ in 0..4 {
        assert!(result.finished(), "{:?}", result.report.reason);
        assert_eq!(result.of(State::Rejected), 0);
        if result.of(State::Parked) == 0 {
            break;
        }
        assert_eq!(retry(scenario, State::Parked), result.of(State::Parked));
        result = scenario.run();
    }
    result
}

/// Under `faults` everybody comes to the answer of a scenario without any.
fn everybody_is_answered(faults: &str) -> RunResult {
    let quiet = Scenario::new(400).run();
    let mut scenario = Scenario::new(400).faults(faults);
    let result = with_retries(&mut scenario);
    same(&quiet.results(), &result.results());
    assert!(scenario.call_log().lookups().count() < 400 * 3, "{faults}");
    result
}

macro_rules! alone {
    ($($name:ident: $faults:literal, $fault:literal;)*) => {$(
        #[test]
        fn $name() {
            let result = everybody_is_answered($faults);
            assert!(result.stats.faults[$fault] > 20, "{:?}", result.stats.faults);
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
    nobody_is_lost_to_tokens_that_die: "token_killed=0.1", "token_killed";
    nobody_is_lost_to_pages_at_status_200: "page=0.2", "page";
    nobody_is_lost_to_status_429: "http429=0.2", "http429";
}

#[test]
fn replies_in_an_odd_dress_are_read_at_once() {
    let quiet = Scenario::new(400).run();
    let mut odd = Scenario::new(400).faults("odd=1");
    same(&quiet.results(), &odd.run().results());
    assert_eq!(odd.call_log().lookups().count(), 400);
}

/// Of -1, 5xx, resets, silence and pages of HTML, from seconds to hours.
#[test]
fn bursts_cost_nobody_and_few_calls() {
    for seed in 0..2 {
        let mut bursts = Scenario::new(2000)
            .faults("burst=0.2")
            .limits("none,basic.minute=60")
            .seed(seed);
        let result = bursts.run();
        assert!(result.finished(), "{seed}: {:?}", result.report.reason);
        assert_eq!(result.of(State::Parked), 0, "{seed}");
        let suffered: u64 = result.stats.faults.values().sum();
        assert!(suffered > 20, "{seed}: {suffered}");
        let calls = bursts.call_log().lookups().count();
        assert!(calls < 2000 + 600, "{seed}: {calls} calls");
    }
}

#[test]
fn nobody_is_lost_on_a_bad_day() {
    let result = everybody_is_answered("harsh");
    assert!(result.stats.faults.len() >= 7, "{:?}", result.stats.faults);
}

#[test]
fn everybody_is_answered_on_any_bad_day() {
    let quiet = Scenario::new(150).run();
    for seed in 10..20 {
        let mut scenario = Scenario::new(150)
            .faults("harsh")
            .configure(|setup| setup.options.seed = seed);
        same(&quiet.results(), &with_retries(&mut scenario).results());
    }
}

#[test]
fn a_subject_gets_three_attempts_and_one_more_at_the_end() {
    let ids = crate::ticket::unionids(300, 30);
    let mut scenario = Scenario::new(300).remote(move |remote| {
        for id in &ids {
            remote.force(id, Some(-1));
        }
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 30);
    assert_eq!(result.times("second try"), 1);
    let attempts = scenario.sql::<i64>("SELECT max(attempts) FROM outcomes");
    assert_eq!(attempts, 4);
    // Nobody is owed a third try.
    scenario.sim().set_faults(Faults::none());
    let result = scenario.run();
    assert_eq!((result.report.calls, result.of(State::Parked)), (0, 30));
}

#[test]
fn a_second_try_that_dies_all_the_time_comes_to_its_end() {
    let quiet = Scenario::new(60).run();
    let ids = crate::ticket::unionids(60, 60);
    let (busy, freed) = (ids.clone(), ids);
    // Everything fails until the second try begins.
    let mut scenario = Scenario::new(60)
        .kill_every(5)
        .configure(|setup| setup.options.error_budget = 1.0)
        .remote(move |remote| {
            for id in &busy {
                remote.force(id, Some(-1));
            }
        })
        .on_event(move |event, remote, _| {
            if matches!(event, RunEvent::RetryPassStarted) {
                for id in &freed {
                    remote.force(id, None);
                }
            }
        });
    let result = scenario.run();
    // Several kill_schedule before, and some in the middle of the second try.
    assert!(result.kills > 8, "{}", result.kills);
    assert!(result.times("second try") > 2, "{:?}", result.events);
    same(&quiet.results(), &result.results());
}

#[test]
fn parked_subjects_are_asked_once_more_at_the_end() {
    let mut scenario = Scenario::new(500).concurrency(4).remote(|remote| {
        // The first of all is refused three times.
        remote.script([Forced::Errcode(-1)]);
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    assert_eq!(scenario.call_log().lookups().count(), 501);
}

#[test]
fn an_empty_body_is_no_answer() {
    let mut scenario = Scenario::new(20).remote(|remote| {
        remote.script([
            Forced::Status(204),
            Forced::Status(302),
            Forced::Status(404),
        ]);
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Linked) + result.of(State::Unlinked), 20);
    assert_eq!(scenario.call_log().lookups().count(), 23);
}

#[test]
fn a_call_that_hangs_is_given_up_and_makes_the_run_narrower() {
    let mut scenario = Scenario::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 60);
        remote.script(pass.chain([Forced::Fault(Fault::Hang)]));
    });
    let result = scenario.run();
    assert!(result.finished());
    assert!(
        result
            .events
            .iter()
            .any(|event| event.starts_with("narrowed"))
    );
    let call_log = scenario.call_log();
    let hung = call_log
        .lookups()
        .find(|call| call.reply == Reply::Unreadable)
        .unwrap();
    assert_eq!(hung.completed.unwrap().since(hung.sent), secs(30));
    assert_eq!(call_log.lookups().count(), 301);
}

#[test]
fn refusal_45033_halves_concurrency_and_costs_no_attempt() {
    let mut scenario = Scenario::new(3_000)
        .limits("none")
        .configure(|setup| setup.remote.concurrent = Some(10));
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    assert_eq!(result.times("second try"), 0);
    let narrowed: Vec<_> = result
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
    let refused = result.lookups().refused_45033;
    assert!(refused < 150, "{refused}");
}

#[test]
fn expired_token_is_replaced_by_one_fetch_for_all_calls() {
    let mut scenario = Scenario::new(600).concurrency(32).remote(|_| {}).on_event({
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
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.stats.tokens_killed, 3);
    assert_eq!(result.stats.tokens_fetched, 4);
    assert_eq!(scenario.call_log().most_in_flight[wire::GETTOKEN], 1);
    // Each death costs the calls that were in the air with it.
    assert!(scenario.call_log().lookups().count() <= 600 + 3 * 32);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let mut scenario = Scenario::new(1_000).limits("none,basic.minute=2");
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.took > 8 * HOUR);
    let call_log = scenario.call_log();
    assert!(
        call_log
            .lookups()
            .all(|call| call.reply == Reply::Errcode(0))
    );
    // The old one is handed out again while it lives, so that its end takes a few fetches.
    let fetched = result.stats.tokens_fetched;
    assert!((5..=20).contains(&fetched), "{fetched}");
}

#[test]
fn tokens_that_are_always_refused_end_the_run_after_three() {
    let refused = std::iter::repeat_n(Forced::Errcode(40_014), 1_000);
    let mut scenario = Scenario::new(100).remote(|remote| remote.script(refused));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::TokensRefused));
    assert_eq!(result.stats.tokens_fetched, 3);
    assert_eq!(result.of(State::Queued), 100);
}

#[test]
fn a_wrong_secret_is_tried_exactly_once() {
    let mut scenario = Scenario::new(10).wrong_secret();
    let result = scenario.run();
    assert_eq!(halt(&result).errcode, 40_001);
    assert_eq!(halt(&result).call, "gettoken");
    assert_eq!(result.stats.tokens_failed, 1);
    assert_eq!(scenario.call_log().calls.len(), 1);
    assert_eq!(result.of(State::Queued), 10);
}

#[test]
fn an_error_with_an_empty_list_beside_it_is_never_a_nobody() {
    // The simulator adds the list to every other error.
    for (errcode, state) in [(610_014, State::Rejected), (123_456, State::Parked)] {
        let mut scenario = Scenario::new(40)
            .configure(|setup| setup.options.error_budget = 1.0)
            .remote(move |remote| {
                remote.script(std::iter::repeat_n(Forced::Errcode(errcode), 400))
            });
        let result = scenario.run();
        assert_eq!(result.of(State::Unlinked), 0, "{errcode}");
        assert_eq!(result.of(State::Linked), 0);
        assert!(result.of(state) > 5);
    }
}

#[test]
fn warning_beside_errcode_0_halts_and_writes_no_outcome() {
    let mut scenario = Scenario::new(50).concurrency(1).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 10);
        remote.script(pass.chain([Forced::Fault(Fault::Warning)]));
    });
    let result = scenario.run();
    assert!(halt(&result).bug);
    assert_eq!(halt(&result).errcode, 0);
    assert_eq!(result.of(State::Queued), 40);
    assert_eq!(scenario.call_log().lookups().count(), 11);
    // The subject is not passed over either: the next run asks it first.
    let asked = scenario
        .call_log()
        .lookups()
        .last()
        .unwrap()
        .subject
        .clone();
    scenario.asks_again = true;
    assert!(scenario.run().finished());
    assert_eq!(
        scenario.call_log().lookups().nth(11).unwrap().subject,
        asked
    );
}

#[test]
fn an_address_that_is_not_trusted_halts_the_run_at_once() {
    let mut scenario = Scenario::new(200).remote(|remote| {
        remote.script(std::iter::repeat_n(Forced::Errcode(60_020), 200));
    });
    let result = scenario.run();
    assert_eq!(halt(&result).errcode, 60_020);
    assert!(!halt(&result).bug);
    assert_eq!(result.of(State::Queued), 200);
    assert!(scenario.call_log().lookups().count() <= 8);
}

#[test]
fn a_halt_in_the_middle_keeps_what_was_answered() {
    let mut scenario = Scenario::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 150);
        remote.script(pass.chain([Forced::Errcode(48_002)]));
    });
    let result = scenario.run();
    assert_eq!(halt(&result).errcode, 48_002);
    assert!(result.of(State::Queued) < 150);
    assert!(
        scenario
            .call_log()
            .lookups()
            .all(|call| call.completed.is_some()),
        "drained"
    );
    let sent = scenario.call_log().lookups().count();
    assert!(scenario.run().finished());
    assert_eq!(
        scenario.call_log().lookups().count() - sent,
        result.of(State::Queued) as usize
    );
}

#[test]
fn rows_of_another_mini_program_trip_the_breaker_after_twenty() {
    let mut scenario = Scenario::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 30);
        remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(845_003), 300)));
    });
    let result = scenario.run();
    assert_eq!(trip(&result).mostly.0, Some(845_003));
    let rejected = result.of(State::Rejected);
    assert!((20..=20 + 64).contains(&rejected), "{rejected}");
}

#[test]
fn codes_nobody_has_classified_park_and_trip_a_low_breaker() {
    let mut scenario = Scenario::new(300).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 50);
        remote.script(pass.chain(std::iter::repeat_n(Forced::Errcode(123_456), 300)));
    });
    let result = scenario.run();
    assert_eq!(trip(&result).mostly, (Some(123_456), 10));
    let parked = result.of(State::Parked);
    assert!((10..=10 + 64).contains(&parked), "{parked}");
    assert_eq!(result.of(State::Rejected), 0);
}

#[test]
fn too_many_rejected_rows_trip_the_breaker_and_fewer_do_not() {
    let rejected = |share: f64| {
        let mut scenario =
            Scenario::new(600).configure(|setup| setup.remote.world.rejected = share);
        scenario.run()
    };
    let result = rejected(0.6);
    assert_eq!(trip(&result).answers, 200);
    assert!(result.of(State::Queued) > 250);
    let result = rejected(0.35);
    assert!(result.finished());
    assert!(result.of(State::Rejected) > 150);
}

#[test]
fn an_error_budget_of_the_operator_s_counts() {
    let mut scenario = Scenario::new(600).configure(|setup| {
        setup.remote.world.rejected = 0.35;
        setup.options.error_budget = 0.2;
    });
    trip(&scenario.run());
    scenario.setup.options.error_budget = 1.0;
    assert!(scenario.run().finished());
}

/// Down from `from` to `to` seconds after the beginning.
fn down(scenario: Scenario, from: u64, to: u64) -> Scenario {
    scenario
        .after(secs(from), |remote: &mut SimulatedRemote, _| {
            remote.set_down(true)
        })
        .after(secs(to), |remote: &mut SimulatedRemote, _| {
            remote.set_down(false)
        })
}

#[test]
fn outage_loses_nothing_and_the_run_resumes_after_it() {
    let quiet = Scenario::new(400).run();
    for (from, to) in [(3, 10), (5, 4_000), (20, 3 * 86_400)] {
        let mut scenario = down(Scenario::new(400).limits("none,basic.minute=600"), from, to);
        let result = scenario.run();
        assert!(result.finished());
        same(&quiet.results(), &result.results());
        assert_eq!(result.times("reached again"), 1);
        assert!(
            result.took >= secs(to) && result.took < secs(to + 60 + 70),
            "{:?}",
            result.took
        );
        // One call at a time knocks, at most once a minute in the long run.
        let call_log = scenario.call_log();
        let knocks = call_log
            .lookups()
            .filter(|call| call.reply == Reply::NotSent)
            .count() as u64;
        assert!(knocks <= 64 + 8 + (to - from) / 60, "{knocks}");
    }
}

#[test]
fn a_dead_line_costs_no_attempt() {
    let mut scenario = down(
        Scenario::new(50).limits("none,basic.minute=60"),
        5,
        DAY.as_secs(),
    );
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(scenario.sql::<i64>("SELECT max(attempts) FROM outcomes"), 1);
    assert_eq!(result.times("second try"), 0);
}

#[test]
fn a_line_dead_from_the_start_is_given_up() {
    let mut scenario = Scenario::new(50).remote(|remote| remote.set_down(true));
    let result = scenario.run();
    assert!(matches!(
        result.report.reason,
        StopReason::Unreachable(Failure::Connect(_))
    ));
    assert!(result.took < secs(120));
    assert_eq!(result.of(State::Queued), 50);
    assert_eq!(scenario.call_log().lookups().count(), 0);
    assert!(scenario.call_log().calls.len() <= 6);
    scenario.sim().set_down(false);
    assert!(scenario.run().finished());
}

#[test]
fn a_line_that_dies_while_the_process_dies_too_loses_nothing() {
    let quiet = Scenario::new(300).run();
    let scenario = Scenario::new(300).limits("none,basic.minute=600");
    let mut scenario = down(scenario, 4, 500).kill_after_millis([5_000, 100_000, 300_000]);
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Unreachable(_)));
    scenario.sim().set_down(false);
    let result = scenario.run();
    same(&quiet.results(), &result.results());
}

#[test]
fn a_rejected_subject_keeps_its_code() {
    let mut scenario = Scenario::new(300).configure(|setup| {
        setup.remote.world.rejected = 0.2;
        setup.options.error_budget = 1.0;
    });
    let result = scenario.run();
    assert!(result.finished());
    let codes: BTreeSet<_> = scenario
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
    assert!(result.export.contains(",rejected,610014,"));
}
