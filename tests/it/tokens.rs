//! Access tokens: who else fetches them, what refuses them, and what a restart remembers.

use idferry::{
    model::State, quota::HoldReason, runner::event::StopReason, sim::Forced, wecom::wire,
};

use crate::scenario::{HOUR, RunResult, Scenario, secs};

fn fetches(scenario: &Scenario) -> usize {
    scenario.call_log().of(wire::GETTOKEN)
}

fn refused(result: &RunResult) -> i64 {
    match &result.report.reason {
        StopReason::Refused(refusal) => refusal.errcode,
        other => panic!("{other:?}"),
    }
}

#[test]
fn program_that_ends_our_tokens_costs_a_twentieth_of_the_calls() {
    // Every token is good for 200 lookups.
    let mut scenario = Scenario::new(2_000).remote(|remote| remote.limit_token_uses(Some(200)));
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("tokens contested"), 1, "{:?}", result.events);
    assert!(fetches(&scenario) <= 12, "{}", fetches(&scenario));
    let lost = scenario.sent() - 2_000;
    assert!(lost <= 2_000 / 20, "{lost}");
    assert!(result.took < secs(600), "{:?}", result.took);
}

#[test]
fn tokens_that_are_good_for_one_call_cost_little_quota() {
    let mut scenario = Scenario::new(40).remote(|remote| remote.limit_token_uses(Some(1)));
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    let spaced = fetches(&scenario).saturating_sub(6) as u64;
    assert!(result.took >= secs(60 * spaced), "a minute apart");
    // One call finds each token ended; of the first three, what is in flight together.
    let lost = scenario.sent() - 40;
    assert!(lost <= fetches(&scenario) + 3 * 4, "{lost}");
}

#[test]
fn refused_refresh_does_not_end_a_run_that_works() {
    let mut scenario = Scenario::new(1_500)
        .limits("basic.minute=10")
        .remote(|remote| {
            let unlisted = Forced::Errcode(2_000_002);
            remote.script_fetches([Forced::Pass, unlisted, unlisted, Forced::Errcode(48_002)]);
        });
    let result = scenario.run();
    assert!(result.finished(), "{:?}", result.report.reason);
    assert_eq!(result.of(State::Parked), 0);
}

#[test]
fn refresh_that_stays_refused_halts_when_the_token_ends() {
    let mut scenario = Scenario::new(1_500)
        .limits("basic.minute=10")
        .remote(|remote| {
            let refused = std::iter::repeat_n(Forced::Errcode(48_002), 20);
            remote.script_fetches(std::iter::once(Forced::Pass).chain(refused));
        });
    let result = scenario.run();
    assert_eq!(refused(&result), 48_002);
    assert!(result.took > secs(7_000), "{:?}", result.took);
    assert!(fetches(&scenario) <= 8, "{}", fetches(&scenario));
}

#[test]
fn lockout_of_gettoken_is_waited_for_and_outlasts_the_run() {
    let mut scenario = Scenario::new(50)
        .on_quota_exit()
        .remote(|remote| remote.script_fetches([Forced::Errcode(45_009)]));
    for _ in 0..2 {
        // The second run sends nothing.
        let result = scenario.run();
        match result.report.reason {
            StopReason::Quota(waiting) => assert_eq!(waiting.reason, HoldReason::TokenLockout),
            other => panic!("{other:?}"),
        }
        assert_eq!(fetches(&scenario), 1);
        assert!(result.took < secs(5), "{:?}", result.took);
    }
    scenario.setup.options.on_quota = idferry::runner::OnQuota::Wait;
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.took > HOUR - secs(60), "{:?}", result.took);
    assert_eq!(fetches(&scenario), 2);
}

#[test]
fn wrong_secret_is_remembered_for_an_hour_over_restarts() {
    let mut scenario = Scenario::new(50).wrong_secret();
    for _ in 0..5 {
        let result = scenario.run();
        assert_eq!(refused(&result), 40_001);
        assert_eq!(fetches(&scenario), 1);
    }
    scenario.idle(HOUR + secs(10));
    assert_eq!(refused(&scenario.run()), 40_001);
    assert_eq!(fetches(&scenario), 2, "after an hour it may be right");
    // A corrected one goes at once.
    scenario.secret = None;
    assert!(scenario.run().finished());
}
