//! One corp, one ledger: over job files, working directories and processes.

use idferry::{
    model::Limits,
    sim::{Forced, SimOptions},
};

use super::test_dir::{Invocation, TestDir, lookups, simulator, unhurried};

const HOUR: &str = "business.hour=50";
const FLAGS: &str = "--ticket none --quota business.hour=50 --margin 0 --on-quota exit";

/// An API with fifty calls an hour.
fn fifty_an_hour() -> idferry::sim::Simulator {
    simulator(SimOptions {
        limits: HOUR.parse::<Limits>().unwrap(),
        ..unhurried()
    })
}

fn run(dir: &TestDir, job: &str) -> Invocation {
    dir.idferry(&format!(
        "run fans.csv --state {job} --output {job}.csv {FLAGS}"
    ))
}

/// What `status` of `job` says of the hour.
fn hour_is_used_up(dir: &TestDir, job: &str) {
    let line = format!("status --state {job} --json");
    let shown = dir.idferry(&line).exits(0).out;
    assert!(shown.contains(r#""used":50,"limit":50"#), "{shown}");
}

#[test]
fn second_job_finds_the_hour_used_up_by_the_first() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    run(&dir, "b.db").at(&simulator).exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    assert_eq!(lookups(&simulator).refused_45009, 0);
}

#[test]
fn deleted_job_file_costs_no_quota() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).exits(75);
    std::fs::remove_file(dir.path("a.db")).unwrap();
    let again = run(&dir, "a.db").arg("--overwrite");
    again.at(&simulator).exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
}

#[test]
fn quota_is_shown_without_a_change_to_the_ledger() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    dir.idferry("quota")
        .exits(0)
        .prints("No call has been charged");
    assert!(!dir.ledger().exists());
    run(&dir, "a.db").at(&simulator).exits(75);
    let before = std::fs::read(dir.ledger()).unwrap();
    dir.idferry("quota").exits(0).prints("ip.hour");
    assert_eq!(std::fs::read(dir.ledger()).unwrap(), before);
}

#[test]
fn deleted_ledger_is_rebuilt_from_the_job_file() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).exits(75);
    std::fs::remove_file(dir.ledger()).unwrap();
    run(&dir, "a.db").at(&simulator).exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    hour_is_used_up(&dir, "a.db");
}

#[test]
fn status_counts_the_calls_of_other_jobs() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).exits(75);
    run(&dir, "b.db").at(&simulator).exits(75);
    hour_is_used_up(&dir, "b.db");
}

/// Killed processes over-count by what they had in flight or charged ahead.
#[test]
fn eight_processes_at_once_with_kills_never_exceed_the_hour() {
    const LIMIT: u64 = 400;
    let simulator = simulator(SimOptions {
        limits: format!("business.hour={LIMIT}").parse().unwrap(),
        ..unhurried()
    });
    let dir = TestDir::with_fans(120);
    let start = |job: usize| {
        let line = format!(
            "run fans.csv --state {job}.db --output {job}.csv --ticket none --concurrency 2 \
             --quota business.hour={LIMIT} --margin 0 --on-quota exit"
        );
        dir.idferry(&line).at(&simulator).start()
    };
    let mut runs: Vec<_> = (0..8).map(|job| Some(start(job))).collect();
    for (job, calls) in [(1, 40), (4, 100), (6, 160)] {
        let mut run = runs[job].take().unwrap();
        run.until("so many calls", || lookups(&simulator).calls >= calls);
        run.kill().was_killed();
        runs[job] = Some(start(job));
    }
    for run in runs.into_iter().flatten() {
        run.exits(75);
    }
    let lane = lookups(&simulator);
    assert_eq!((lane.refused_45009, lane.lockouts), (0, 0));
    let peak = lane.windows["business.hour"].peak;
    let used = LIMIT * 9 / 10..=LIMIT;
    assert!(used.contains(&peak), "{peak} of {LIMIT}");
}

#[test]
fn quota_shows_who_used_what_and_counts_noted_calls() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(20);
    run(&dir, "a.db").at(&simulator).exits(0);
    let corp = simulator.corp_id().to_owned();
    let note = format!("quota note business.hour=45 --by CRM --corp {corp}");
    dir.idferry(&note).exits(0).says("45 calls of CRM");
    let shown = dir.idferry("quota").exits(0);
    for part in [
        &*corp,
        "business.hour          65 of   100,000",
        "a.db: 20 calls",
        "CRM: 45 calls",
    ] {
        assert!(shown.out.contains(part), "no '{part}' in:\n{}", shown.out);
    }
    let json = dir.idferry("quota --json").exits(0);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json[0]["users"][0]["name"], "CRM");

    // What was noted leaves the next job no room.
    let second = run(&dir, "b.db").at(&simulator).output();
    second.exits(75).says("business.hour is used up");
    assert_eq!(lookups(&simulator).calls, 20);
}

#[test]
fn probe_makes_one_call_with_consent_and_an_answer_ends_the_lockout() {
    let (dir, simulator) = TestDir::with_simulator(5);
    let probe = |flags: &str| dir.idferry(&format!("quota probe{flags}")).at(&simulator);
    probe(" --yes")
        .exits(2)
        .says("there is no job file idferry.db");
    simulator.with(|remote| remote.force_all(Some(Forced::Errcode(45_009))));
    dir.idferry("run fans.csv --budget 1")
        .at(&simulator)
        .exits(75);
    let calls = lookups(&simulator).calls;
    probe("").exits(2).says("a probe needs consent: --yes");
    probe(" --yes")
        .exits(75)
        .says("taken for the hour limit: one probe at");
    simulator.with(|remote| remote.force_all(None));
    probe(" --yes")
        .exits(0)
        .says("the call was answered: the lockout is over");
    probe(" --yes")
        .exits(0)
        .says("it is not locked out, nothing was sent");
    assert_eq!(lookups(&simulator).calls, calls + 2);
    dir.idferry("quota")
        .exits(0)
        .prints("idferry quota probe: 2 calls");
}
