//! What operators ask of a run from elsewhere: noticed within a second, and never more than asked.

use std::{cell::Cell, path::Path, rc::Rc, time::Duration};

use idferry::{
    job::Steering,
    model::State,
    runner::event::{RunEvent, StopReason},
    store::Wish,
};

use super::{passes::retry, scenario::Scenario};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn steering(job: &Path) -> Steering {
    Steering::open(job).unwrap()
}

/// One call a second, unless it is throttled; looks for wishes.
fn steered(subjects: u64) -> Scenario {
    let mut scenario = Scenario::new(subjects)
        .limits("none,basic.minute=60")
        .latency_millis(5, 10)
        .configure(|setup| setup.is_steered = true);
    scenario.store();
    scenario
}

/// Asks for `wish` once so many subjects are answered.
fn asking_after(scenario: Scenario, answered: u64, wish: Wish) -> Scenario {
    let (job, asked) = (scenario.state(), Cell::new(false));
    scenario.on_event(move |event, _, _| match event {
        RunEvent::Progress(now) if now.tally.answered() >= answered && !asked.replace(true) => {
            steering(&job).ask(wish).unwrap();
        }
        _ => {}
    })
}

#[test]
fn a_job_that_is_paused_sends_nothing_not_even_for_a_token() {
    let scenario = steered(20);
    let job = scenario.state();
    steering(&job).ask(Wish::Pause).unwrap();
    let mut scenario = scenario.after(secs(900), move |remote, _| {
        assert_eq!(remote.stats().tokens_fetched, 0);
        assert!(steering(&job).withdraw(&["pause"]).unwrap());
    });
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.took >= secs(900), "{:?}", result.took);
    assert!(result.output.contains("`idferry resume` lets it continue"));
    assert_eq!(result.times("withdrawn: pause"), 1);
}

#[test]
fn a_pause_is_noticed_within_a_second_and_lasts_until_it_is_resumed() {
    let scenario = asking_after(steered(60), 20, Wish::Pause);
    let (job, sent) = (scenario.state(), Rc::new(Cell::new(0)));
    let before = Rc::clone(&sent);
    let mut scenario = scenario
        .after(secs(120), move |remote, _| {
            before.set(remote.stats().lanes.values().map(|lane| lane.calls).sum());
        })
        .after(secs(1800), move |remote, _| {
            let now: u64 = remote.stats().lanes.values().map(|lane| lane.calls).sum();
            assert_eq!(now, sent.get());
            assert!((20..=25).contains(&now), "{now} calls");
            steering(&job).withdraw(&["pause"]).unwrap();
        });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("asked: pause"), 1);
    assert_eq!(result.times("withdrawn: pause"), 1);
    assert!(result.output.contains("waiting: paused since "));
}

#[test]
fn a_throttled_run_keeps_to_its_rate_and_later_ones_too() {
    let mut scenario = steered(100);
    steering(&scenario.state()).ask(Wish::Rate(6)).unwrap();
    steering(&scenario.state())
        .ask(Wish::Concurrency(1))
        .unwrap();
    scenario.setup.options.budget = Some(20);
    let result = scenario.run();
    assert_eq!(scenario.sent(), 20);
    assert!(result.took >= secs(160), "{:?}", result.took);
    assert_eq!(result.lookups().peak_in_flight, 1);
    steering(&scenario.state()).withdraw(&["rate"]).unwrap();
    let result = scenario.run();
    assert!(result.took <= secs(21), "{:?}", result.took);
}

#[test]
fn a_throttle_never_allows_more_than_the_limits() {
    let mut scenario = steered(60);
    steering(&scenario.state()).ask(Wish::Rate(60_000)).unwrap();
    let result = scenario.run();
    assert!(result.took >= secs(50), "{:?}", result.took);
}

#[test]
fn a_run_that_is_asked_to_stop_drains_and_the_next_one_goes_on() {
    let mut scenario = asking_after(steered(60), 20, Wish::Stop);
    let result = scenario.run();
    let StopReason::Asked(asked) = &result.report.reason else {
        panic!("{:?}", result.report.reason);
    };
    assert_eq!(asked.pid, std::process::id());
    assert!((20..=25).contains(&scenario.sent()), "{}", scenario.sent());
    assert!(scenario.run().finished());
}

#[test]
fn a_stop_while_the_last_of_a_phase_are_in_flight_is_not_lost() {
    let mut scenario = steered(30).latency_millis(9_000, 9_000);
    assert!(scenario.run().finished());
    let before = scenario.sent();
    retry(&mut scenario, &[State::Linked], Some(2));
    retry(&mut scenario, &[State::Unlinked], None);
    let job = scenario.state();
    // One call fetches a token, one proves it, and the other is on its way.
    let mut scenario = scenario.after(secs(22), move |_, _| {
        steering(&job).ask(Wish::Stop).unwrap();
    });
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Asked(_)));
    assert_eq!(scenario.sent() - before, 2, "{:?}", result.events);
}
