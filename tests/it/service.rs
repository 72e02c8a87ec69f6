//! A service that fails, and rows that must not suffer from it.

use std::time::Duration;

use idferry::{
    clock::Timestamp,
    job::Exit,
    model::{Failure, State},
    runner::event::StopReason,
    sim::{Fault, Faults, Forced, SimulatedRemote},
};

use crate::{
    scenario::{HOUR, MINUTE, RecordedCall, Reply, RunResult, Scenario, same, secs},
    ticket::unionids,
};

/// What a run of 5,000 subjects did while the service failed.
struct Met {
    result: RunResult,
    /// Lookups that failed.
    wasted: Vec<RecordedCall>,
    /// From the end of the trouble to the first answer.
    recovered_after: Duration,
}

/// Every lookup meets `forced` from the tenth second, for `span`.
fn through(forced: Forced, span: Duration) -> Met {
    let subjects = 5_000;
    let quiet = Scenario::new(subjects).run();
    let mut scenario = Scenario::new(subjects)
        .after(secs(10), move |remote: &mut SimulatedRemote, _| {
            remote.force_all(Some(forced));
        })
        .after(secs(10) + span, |remote: &mut SimulatedRemote, _| {
            remote.force_all(None);
        });
    let began = scenario.setup.start;
    let result = scenario.run();
    assert!(result.finished(), "{:?}", result.report.reason);
    same(&quiet.results(), &result.results());
    assert_eq!(result.of(State::Parked), 0);
    assert_eq!(scenario.sql::<i64>("SELECT max(attempts) FROM outcomes"), 1);
    let call_log = scenario.call_log();
    let over = began.plus(secs(10) + span);
    let failed = |call: &&RecordedCall| call.reply != Reply::Errcode(0);
    let met = Met {
        recovered_after: first_answer_after(&call_log.calls, over).since(over),
        wasted: call_log.lookups().filter(failed).cloned().collect(),
        result,
    };
    println!(
        "{forced:?} for {span:?}: {} calls wasted, well after {:?}, ended after {:?}, waits: {}",
        met.wasted.len(),
        met.recovered_after,
        met.result.took,
        waits(&met.result).len(),
    );
    met
}

fn first_answer_after(calls: &[RecordedCall], over: Timestamp) -> Timestamp {
    let answered = calls.iter().filter(|call| call.reply == Reply::Errcode(0));
    let after = answered
        .filter_map(|call| call.completed)
        .filter(|at| *at >= over);
    after.min().unwrap()
}

fn waits(result: &RunResult) -> Vec<&String> {
    let events = result.events.iter();
    events.filter(|event| event.contains("waiting")).collect()
}

/// The run goes on by itself: at most forty calls are wasted beside a probe a minute, and no call
/// is in flight beside a probe.
fn survives(forced: Forced, cause: &str) {
    for span in [secs(3), MINUTE, secs(7_200)] {
        let met = through(forced, span);
        assert!(met.recovered_after <= MINUTE, "{:?}", met.recovered_after);
        // Each pause is nine tenths of a minute or more.
        let probes = span.as_secs() as usize / 54;
        assert!(met.wasted.len() <= 40 + probes, "{}", met.wasted.len());
        probes_are_alone(&met.wasted);
        assert!(met.result.times("second try") == 0);
        if span > secs(3) {
            assert_eq!(met.result.times("reached again"), 1);
            let named = waits(&met.result).iter().any(|wait| wait.contains(cause));
            assert!(named, "{:?}", waits(&met.result));
        }
    }
}

/// Once the calls that were in flight have failed, at most one is in flight.
fn probes_are_alone(wasted: &[RecordedCall]) {
    for pair in wasted.windows(2).skip(40) {
        assert!(pair[1].sent >= pair[0].completed.unwrap());
    }
}

#[test]
fn bad_gateways_are_survived() {
    survives(
        Forced::Status(502),
        "the API is out of order (HTTP 502) since ",
    );
}

#[test]
fn errcode_minus_1_is_survived() {
    survives(
        Forced::Errcode(-1),
        "the API is out of order (errcode -1) since ",
    );
}

#[test]
fn resets_are_survived() {
    survives(
        Forced::Fault(Fault::ResetAfter),
        "(connection broken) since ",
    );
    survives(
        Forced::Fault(Fault::ResetBefore),
        "(connection broken) since ",
    );
}

#[test]
fn pages_of_html_at_200_are_survived() {
    survives(
        Forced::Fault(Fault::Invalid),
        "(HTTP 200, no valid JSON) since ",
    );
}

#[test]
fn silence_is_survived() {
    survives(
        Forced::Fault(Fault::Hang),
        "the API does not answer (no reply within 30 s) since ",
    );
}

/// Calls about each of the first `poisoned` of `subjects` fail with -1 for ever.
fn poisoned(subjects: u64, first: usize, many: usize) -> Scenario {
    let ids = unionids(subjects, first + many);
    Scenario::new(subjects).remote(move |remote| {
        for id in &ids[first..] {
            remote.force(id, Some(-1));
        }
    })
}

#[test]
fn row_that_the_service_cannot_bear_is_asked_four_times_and_parked() {
    let mut scenario = poisoned(3_000, 100, 1);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 1);
    assert_eq!(result.times("second try"), 1);
    assert_eq!(result.times("reached again"), 0, "no outage");
    assert_eq!(scenario.call_log().lookups().count(), 2_999 + 4);
    assert!(result.took < secs(25), "{:?}", result.took);
    let exit = Exit::of(&result.report.reason, &result.tally, 0);
    assert_eq!(exit, Exit::SomeRefused);
}

#[test]
fn block_of_rows_that_the_service_cannot_bear_does_not_keep_the_others_waiting() {
    let mut scenario = poisoned(10_000, 0, 30);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 30);
    let calls = scenario.call_log().lookups().count();
    println!("{calls} calls, {:?}", result.took);
    assert!(calls < 9_970 + 30 * 12, "{calls}");
    assert!(result.took < HOUR, "{:?}", result.took);
}

#[test]
fn last_rows_that_fail_for_ever_do_not_keep_a_run_for_ever() {
    for (many, longest) in [(1, HOUR), (5, HOUR), (20, 8 * HOUR)] {
        let mut scenario = poisoned(300, 300 - many, many);
        let result = scenario.run();
        assert!(result.finished());
        assert_eq!(result.of(State::Parked), many as u64);
        assert!(result.took < longest, "{many}: {:?}", result.took);
        println!("{many} last rows: {:?}", result.took);
    }
}

#[test]
fn hour_in_which_every_other_call_fails_harms_no_row() {
    let half = Faults::none().with(Fault::Http5xx, 0.5);
    let mut scenario = Scenario::new(3_000)
        .limits("none,basic.minute=60")
        .after(MINUTE, move |remote: &mut SimulatedRemote, _| {
            remote.set_faults(half)
        })
        .after(HOUR, |remote: &mut SimulatedRemote, _| {
            remote.set_faults(Faults::none())
        });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    let calls = scenario.call_log().lookups().count();
    assert!(calls < 3_000 * 2, "{calls}");
}

/// The pause after a reply that asks for one.
fn pause_after(status: u16, seconds: u32) -> Duration {
    let mut scenario = Scenario::new(2_000).concurrency(1).remote(move |remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 50);
        remote.script(pass.chain([Forced::RetryAfter(status, seconds)]));
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    let call_log = scenario.call_log();
    let mut lookups = call_log.lookups().skip(50);
    let asked = lookups.next().unwrap();
    assert_eq!(asked.reply, Reply::Unreadable);
    lookups.next().unwrap().sent.since(asked.sent)
}

#[test]
fn retry_after_is_kept_up_to_a_minute() {
    assert_eq!(pause_after(429, 20), secs(20));
    assert_eq!(pause_after(503, 60), secs(60));
    assert_eq!(pause_after(503, 3_600), secs(60));
}

#[test]
fn address_that_is_not_the_api_halts_after_a_few_calls() {
    for status in [302, 401, 404] {
        let mut scenario = Scenario::new(2_000).after(secs(5), move |remote, _| {
            remote.force_all(Some(Forced::Status(status)));
        });
        let result = scenario.run();
        let StopReason::NotTheApi(failure) = result.report.reason else {
            panic!("{:?}", result.report.reason)
        };
        assert_eq!(failure, Failure::Status(status));
        let exit = Exit::of(&result.report.reason, &result.tally, 0);
        assert_eq!(exit, Exit::Halted);
        assert_eq!(result.of(State::Parked), 0);
        let call_log = scenario.call_log();
        let wasted = call_log
            .lookups()
            .filter(|call| call.reply == Reply::Unreadable);
        let wasted = wasted.count();
        assert!((5..40).contains(&wasted), "{wasted}");
    }
}

#[test]
fn few_rows_that_meet_a_redirect_do_not_halt_a_run() {
    let mut scenario = Scenario::new(200).remote(|remote| {
        let pass = std::iter::repeat_n(Forced::Pass, 100);
        remote.script(pass.chain([Forced::Status(302), Forced::Status(404)]));
    });
    assert!(scenario.run().finished());
}
