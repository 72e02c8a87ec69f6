//! The second lane: pending_ids of the unlinked, beside the lookups.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use idferry::{
    model::State,
    runner::event::{RunEvent, StopReason},
    sim::{Forced, LaneStats},
    store::{StoreError, SubjectRecord},
    wecom::Endpoint,
};

use crate::scenario::{DAY, HOUR, MINUTE, RecordedCall, Reply, RunResult, Scenario, same, secs};

const PATH: &str = Endpoint::PENDING_ID.path;

fn with_pending_ids(subjects: u64) -> Scenario {
    Scenario::new(subjects).configure(|setup| setup.pending_ids = true)
}

fn calls(scenario: &Scenario) -> Vec<RecordedCall> {
    let call_log = scenario.call_log();
    let calls = call_log.calls.iter().filter(|call| call.path == PATH);
    calls.cloned().collect()
}

fn lane(result: &RunResult) -> &LaneStats {
    &result.stats.lanes[PATH]
}

/// Every unlinked subject has the id that the simulator gave it, and nobody else has one.
#[track_caller]
fn ids_are_right(scenario: &Scenario) {
    let remote = scenario.sim();
    let each = |subject: &SubjectRecord| {
        let person = remote.world().person(&subject.unionid);
        let id = remote.world().pending_id(person).as_str().to_owned();
        let expected = (subject.state == State::Unlinked).then_some(id);
        assert_eq!(subject.pending_id, expected, "{}", subject.state);
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
}

/// Each subject was asked about once, but for answers of the last interval before a kill.
#[track_caller]
fn nobody_was_asked_twice(scenario: &Scenario) {
    let interval = scenario.setup.options.commit_policy.settle_after + Duration::from_millis(2);
    let call_log = scenario.call_log();
    let mut answered = HashMap::new();
    for call in calls(scenario) {
        assert!(!call.with_ticket);
        if let Some((process, at)) = answered.get(&call.subject) {
            let killed = call_log.kills.get(process).copied();
            let lost = killed.is_some_and(|killed| killed.since(*at) <= interval);
            assert!(
                *process != call.process && lost,
                "asked again though answered"
            );
        }
        if let (Reply::Errcode(0), Some(at)) = (call.reply, call.completed) {
            answered.insert(call.subject, (call.process, at));
        }
    }
}

#[test]
fn pending_ids_are_asked_for_at_the_same_time_as_the_lookups() {
    let everybody_unlinked = |scenario: Scenario| {
        let scenario = scenario.configure(|setup| setup.remote.world.linked = 0.0);
        scenario.limits("business.hour=100")
    };
    let mut alone = everybody_unlinked(Scenario::new(500));
    let alone = alone.run();
    let mut both = everybody_unlinked(with_pending_ids(500));
    let result = both.run();
    assert!(result.finished());
    ids_are_right(&both);
    nobody_was_asked_twice(&both);
    assert_eq!((calls(&both).len(), both.sent()), (500, 500));
    // Each in windows of its own: together they would take twice as long.
    assert!(alone.took > 4 * HOUR);
    assert!(result.took < alone.took + 10 * MINUTE, "{:?}", result.took);
    assert_eq!((lane(&result).lockouts, result.lookups().lockouts), (0, 0));
    let progress = result.report.pending_ids.unwrap();
    assert_eq!(
        (progress.obtained, progress.refused, progress.left),
        (500, 0, 0)
    );
    assert!(
        result.output.contains("pending ids: "),
        "a line of their own"
    );
}

#[test]
fn only_the_unlinked_need_an_id_and_none_before_its_last_weeks() {
    let mut scenario = with_pending_ids(300);
    let first = scenario.run();
    ids_are_right(&scenario);
    let unlinked = first.of(State::Unlinked) as usize;
    assert_eq!(calls(&scenario).len(), unlinked);
    scenario.idle(70 * DAY);
    assert!(scenario.run().finished());
    assert_eq!(calls(&scenario).len(), unlinked, "they have weeks to live");
    scenario.idle(7 * DAY);
    let renewed = scenario.run();
    assert_eq!(
        calls(&scenario).len(),
        2 * unlinked,
        "renewed before their end"
    );
    same(&first.export, &renewed.export);
    assert_eq!(scenario.sent(), 300);
}

#[test]
fn a_lane_killed_again_and_again_comes_to_the_same_ids() {
    for (seed, faults) in [(1, "none"), (2, "mild"), (3, "harsh")] {
        let mut scenario = with_pending_ids(200)
            .seed(seed)
            .faults(faults)
            .kill_every(4);
        let result = scenario.run();
        assert!(
            result.finished() && result.kills > 5,
            "{:?}",
            result.report.reason
        );
        nobody_was_asked_twice(&scenario);
        // What was given up under harsh faults is asked again a week later.
        scenario.sim().set_faults(idferry::sim::Faults::default());
        scenario = scenario.kill_every(0);
        scenario.idle(8 * DAY);
        assert!(scenario.run().finished());
        if scenario.reader().tally().unwrap().of(State::Parked) == 0 {
            ids_are_right(&scenario);
        }
    }
}

#[test]
fn subjects_that_become_unlinked_behind_the_lane_get_their_id() {
    let mut scenario = with_pending_ids(100);
    scenario.setup.remote.world.linked = 0.0;
    let mut first = None;
    let each = |subject: &SubjectRecord| {
        first.get_or_insert_with(|| subject.unionid.clone());
        Ok::<(), StoreError>(())
    };
    scenario.store().reader().for_each_subject(each).unwrap();
    let (failing, healed) = (first.clone().unwrap(), first.unwrap());
    // It is parked while the others are answered, and answered in the retry pass.
    let mut scenario = scenario
        .remote(move |remote| remote.force(&failing, Some(-1)))
        .on_event(move |event, remote, _| {
            if matches!(event, RunEvent::RetryPassStarted) {
                remote.force(&healed, None);
            }
        });
    let result = scenario.run();
    assert!(result.finished() && result.times("second try") == 1);
    ids_are_right(&scenario);
    nobody_was_asked_twice(&scenario);
}

#[test]
fn lookups_continue_where_the_lane_has_no_permission() {
    let mut scenario = with_pending_ids(100)
        .remote(|remote| remote.force_pending_ids(Some(Forced::Errcode(48_002))));
    let result = scenario.run();
    assert_eq!(result.tally.answered(), 100);
    let StopReason::Refused(refusal) = &result.report.reason else {
        panic!("{:?}", result.report.reason);
    };
    assert_eq!(
        (refusal.errcode, refusal.call),
        (48_002, "unionid_to_pending_id")
    );
    assert_eq!(result.times("pending ids ended"), 1);
    assert!(calls(&scenario).len() <= 64, "it is not tried again");
    scenario.sim().force_pending_ids(None);
    assert!(scenario.run().finished());
    ids_are_right(&scenario);
}

#[test]
fn an_outage_or_lockout_of_the_lane_holds_nobody_else() {
    for forced in [Forced::Status(503), Forced::Errcode(45_009)] {
        let mut scenario = with_pending_ids(400)
            .limits("basic.minute=100")
            .remote(move |remote| remote.force_pending_ids(Some(forced)))
            .after(2 * HOUR, |remote, _| remote.force_pending_ids(None));
        let result = scenario.run();
        assert!(result.finished());
        ids_are_right(&scenario);
        let lookups = scenario.call_log();
        let last = lookups.lookups().last().unwrap().sent;
        assert!(last.since(scenario.setup.start) < 10 * MINUTE);
        assert!(calls(&scenario).len() < 400, "few calls are wasted");
    }
}

#[test]
fn a_ticket_goes_to_the_lookups_alone() {
    let mut scenario = with_pending_ids(300)
        .limits("business.hour=50")
        .stored_ticket();
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(scenario.sent_with_ticket(), 300);
    nobody_was_asked_twice(&scenario);
    ids_are_right(&scenario);
    assert!(
        result.took > HOUR && result.took < 4 * HOUR,
        "{:?}",
        result.took
    );
}

#[test]
fn budget_and_stop_count_both_lanes() {
    let mut scenario = with_pending_ids(300).configure(|setup| setup.options.budget = Some(100));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Budget));
    assert_eq!(scenario.sent() + calls(&scenario).len(), 100);
    scenario = scenario.configure(|setup| setup.options.budget = None);
    assert!(scenario.run().finished());
    ids_are_right(&scenario);
    let by_subject: BTreeMap<_, _> = calls(&scenario)
        .into_iter()
        .map(|it| (it.subject, ()))
        .collect();
    assert_eq!(by_subject.len(), calls(&scenario).len());
    assert!(result.took < secs(3600));
}

#[test]
fn a_counter_that_both_apis_share_is_learnt_told_and_obeyed() {
    let mut scenario = with_pending_ids(400)
        .configure(|setup| {
            setup.remote.world.linked = 0.0;
            setup.remote.shared_counter = true;
            setup.options.budget = Some(150);
        })
        .limits("business.hour=100");
    let first = scenario.run();
    assert_eq!(first.times("counter shared"), 1);
    let refused = |result: &RunResult| lane(result).refused_45009 + result.lookups().refused_45009;
    // Those that were in flight, and probes.
    let before = refused(&first);
    assert!((1..=20).contains(&before), "{before}");
    // The next process knows it.
    scenario = scenario.configure(|setup| setup.options.budget = None);
    let second = scenario.run();
    assert!(second.finished());
    ids_are_right(&scenario);
    assert_eq!(second.times("counter shared"), 0);
    assert_eq!(refused(&second), before, "it is obeyed");
    // 800 calls at 100 an hour.
    let hours = second.ended.since(scenario.setup.start).as_secs() / 3600;
    assert!((7..=10).contains(&hours), "{hours}");
}
