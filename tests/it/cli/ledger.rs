//! One corp, one ledger: over job files, working directories and processes.

use idferry::{model::Limits, sim::SimOptions};

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

#[test]
fn second_job_finds_the_hour_used_up_by_the_first() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).output().exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    run(&dir, "b.db").at(&simulator).output().exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    assert_eq!(lookups(&simulator).refused_45009, 0);
}

#[test]
fn deleted_job_file_costs_no_quota() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).output().exits(75);
    std::fs::remove_file(dir.path("a.db")).unwrap();
    run(&dir, "a.db").at(&simulator).output().exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
}

#[test]
fn deleted_ledger_is_rebuilt_from_the_job_file() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).output().exits(75);
    std::fs::remove_file(dir.ledger()).unwrap();
    run(&dir, "a.db").at(&simulator).output().exits(75);
    assert_eq!(lookups(&simulator).calls, 50);
    let status = dir.idferry("status --state a.db --json").output().exits(0);
    assert!(
        status.out.contains(r#""used":50,"limit":50"#),
        "{}",
        status.out
    );
}

#[test]
fn status_counts_the_calls_of_other_jobs() {
    let simulator = fifty_an_hour();
    let dir = TestDir::with_fans(80);
    run(&dir, "a.db").at(&simulator).output().exits(75);
    run(&dir, "b.db").at(&simulator).output().exits(75);
    let status = dir.idferry("status --state b.db --json").output().exits(0);
    assert!(
        status.out.contains(r#""used":50,"limit":50"#),
        "{}",
        status.out
    );
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
        run.output().exits(75);
    }
    let lane = lookups(&simulator);
    assert_eq!((lane.refused_45009, lane.lockouts), (0, 0));
    let peak = lane.windows["business.hour"].peak;
    assert!(peak <= LIMIT && peak >= LIMIT * 9 / 10, "{peak} of {LIMIT}");
}
