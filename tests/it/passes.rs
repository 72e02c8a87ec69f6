//! Answers that are asked for again: by `retry`, and night after night by `resync`.

use std::{collections::BTreeMap, time::Duration};

use idferry::{
    job::Refresh,
    model::State,
    runner::event::StopReason,
    sim::Forced,
    store::{Change, PassOrigin, Selection, StoreError},
};

use crate::scenario::{DAY, HOUR, RunResult, Scenario, same, secs};

/// Asks for the answers of `states` again, as `idferry retry` does. Returns how many there are.
pub(crate) fn retry(scenario: &mut Scenario, states: &[State], limit: Option<u64>) -> u64 {
    let (mut store, now) = (scenario.store(), scenario.now());
    let selection = Selection {
        states: states.to_vec(),
        ..Selection::default()
    };
    let chosen = store.passes().count(&selection).unwrap();
    let opened = store.open_pass(PassOrigin::Retry, &selection, limit, now);
    assert!(opened.unwrap().is_some());
    drop(store);
    scenario.asks_again = true;
    chosen
}

/// A remote whose people change, and a job that is done.
fn a_finished_job(subjects: u64) -> Scenario {
    let mut scenario = Scenario::new(subjects).configure(|setup| {
        setup.remote.world.changing = 0.1;
    });
    assert!(scenario.run().finished());
    scenario
}

/// How often each subject was asked since the call numbered `from`.
fn asked_since(scenario: &Scenario, from: usize) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for call in scenario.call_log().lookups().skip(from) {
        *asked.entry(call.subject.to_string()).or_default() += 1;
    }
    asked
}

#[test]
fn answers_stay_until_new_ones_come() {
    let mut scenario = a_finished_job(300);
    scenario.idle(DAY * 30);
    let before = scenario.run();
    let chosen = retry(&mut scenario, &[State::Linked, State::Unlinked], None);
    assert_eq!(chosen, 300);
    assert_eq!(scenario.reader().tally().unwrap(), before.tally);
    scenario = scenario.configure(|setup| setup.options.budget = Some(100));
    let short = scenario.run();
    assert!(matches!(short.report.reason, StopReason::Budget));
    assert_eq!(short.tally.answered(), 300);
    // A hundred answers are new, two hundred as they were.
    let same_lines = |a: &str, b: &str| {
        let b: Vec<_> = b.lines().collect();
        a.lines().filter(|line| b.contains(line)).count()
    };
    assert!(same_lines(&before.export, &short.export) >= 200);
    scenario = scenario.configure(|setup| setup.options.budget = None);
    assert!(scenario.run().finished());
    let asked = asked_since(&scenario, 300);
    assert_eq!((asked.len(), asked.values().sum::<usize>()), (300, 300));
}

#[test]
fn a_pass_killed_after_every_commit_asks_everybody_and_keeps_its_place() {
    let mut scenario = a_finished_job(100);
    scenario.idle(DAY * 30);
    retry(&mut scenario, &[State::Linked, State::Unlinked], None);
    scenario = scenario.kill_every(3);
    let result = scenario.run();
    assert!(result.finished() && result.kills > 5);
    let undisturbed = {
        let mut scenario = a_finished_job(100);
        scenario.idle(DAY * 30);
        retry(&mut scenario, &[State::Linked, State::Unlinked], None);
        scenario.run()
    };
    same(&undisturbed.results(), &result.results());
    let asked = asked_since(&scenario, 100);
    assert_eq!(asked.len(), 100);
    // Per kill, what was in flight and the answers of one interval.
    let again = asked.values().sum::<usize>() - 100;
    assert!(again as u64 <= result.kills * 64, "{again}");
}

#[test]
fn a_refusal_or_failure_leaves_answers_and_links_as_they_were() {
    let mut scenario = a_finished_job(60);
    let before = scenario.run();
    retry(&mut scenario, &[State::Linked], None);
    let linked = before.of(State::Linked) as usize;
    scenario
        .sim()
        .script(std::iter::repeat_n(Forced::Errcode(610_014), linked));
    let refused = scenario.run();
    assert!(refused.finished());
    same(&before.export, &refused.export);
    assert_eq!(refused.report.kept, before.of(State::Linked));
    // They are not asked again in the same pass.
    let sent = scenario.sent();
    assert!(scenario.run().finished());
    assert_eq!(scenario.sent(), sent);
}

#[test]
fn a_pass_takes_no_more_than_its_limit_and_can_be_taken_back() {
    let mut scenario = a_finished_job(100);
    retry(&mut scenario, &[State::Linked, State::Unlinked], Some(7));
    assert!(scenario.run().finished());
    assert_eq!(scenario.sent(), 107);
    retry(&mut scenario, &[State::Linked, State::Unlinked], None);
    let (store, now) = (scenario.store(), scenario.now());
    for pass in store.passes().unfinished().unwrap() {
        store.passes().close(pass.id, now).unwrap();
    }
    drop(store);
    assert!(scenario.run().finished());
    assert_eq!(scenario.sent(), 107);
}

/// A resync every night, with so many calls; the first night is that of the first run.
fn nights(
    scenario: &mut Scenario,
    nights: u32,
    budget: u64,
    mut each: impl FnMut(&mut Scenario, &RunResult),
) {
    scenario.asks_again = true;
    scenario.setup.refresh = Some(Refresh {
        unlinked_after: DAY * 4,
        linked_after: DAY * 8,
    });
    scenario.setup.options.budget = Some(budget);
    for _ in 0..nights {
        scenario.idle(DAY - HOUR);
        let result = scenario.run();
        scenario.idle(HOUR);
        each(scenario, &result);
    }
}

#[test]
fn short_nights_starve_nobody() {
    let mut scenario = a_finished_job(300);
    let (mut oldest, mut calls) = (Duration::ZERO, 0);
    // 300 answers, some linked: about fifty are due in a night.
    nights(&mut scenario, 40, 60, |scenario, result| {
        calls += result.report.calls;
        let now = scenario.now();
        let each = |answer: &idferry::store::SubjectRecord| {
            oldest = oldest.max(now.since(answer.at.unwrap()));
            Ok::<(), StoreError>(())
        };
        scenario.reader().for_each_subject(each).unwrap();
    });
    assert!(
        oldest < DAY * 13,
        "an answer of {} days",
        oldest.as_secs() / 86_400
    );
    assert!((1000..2400).contains(&calls), "{calls}");
}

#[test]
fn a_night_with_nothing_due_makes_no_call() {
    let mut scenario = a_finished_job(50);
    let sent = scenario.sent();
    nights(&mut scenario, 2, 100, |_, result| {
        assert!(result.finished())
    });
    assert_eq!(scenario.sent(), sent);
}

#[test]
fn parked_subjects_are_asked_first_every_night() {
    let mut scenario = Scenario::new(40).remote(|remote| {
        remote.script(std::iter::repeat_n(Forced::Errcode(999_999), 5));
    });
    scenario.setup.options.error_budget = 1.0;
    assert_eq!(scenario.run().of(State::Parked), 5);
    nights(&mut scenario, 1, 5, |_, result| {
        assert!(result.finished());
        assert_eq!(result.of(State::Parked), 0);
        assert!(result.times("pass parked") == 1);
    });
}

#[test]
fn changes_are_what_differs_between_two_exports() {
    let mut scenario = a_finished_job(300);
    let before = scenario.run();
    scenario.idle(DAY * 10);
    let began = scenario.now();
    retry(&mut scenario, &[State::Linked, State::Unlinked], None);
    let after = scenario.run();
    let links = |export: &str| -> Vec<String> {
        let links = export.lines().skip(1).map(|line| line.split(',').take(4));
        links
            .map(|link| link.collect::<Vec<_>>().join(","))
            .collect()
    };
    let (old, new) = (links(&before.export), links(&after.export));
    let mut expected = (0, 0);
    expected.0 = new
        .iter()
        .filter(|link| !link.ends_with(',') && !old.contains(link))
        .count();
    expected.1 = old
        .iter()
        .filter(|link| !link.ends_with(',') && !new.contains(link))
        .count();
    assert!(expected.0 > 50 && expected.1 > 50, "{expected:?}");
    let mut found = (0, 0);
    let each = |change: &Change| {
        match change.added {
            true => found.0 += 1,
            false => found.1 += 1,
        }
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_change(began, each).unwrap();
    assert_eq!(found, expected);
    let later = scenario.now().plus(secs(1));
    let none = |_: &Change| panic!("nothing has changed since");
    scenario
        .reader()
        .for_each_change::<StoreError>(later, none)
        .unwrap();
}
