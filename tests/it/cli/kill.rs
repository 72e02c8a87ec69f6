//! SIGKILL at any moment.

use std::io::Write;

use idferry::{model::Limits, sim::SimOptions};

use crate::scenario::{same, timeless};

use super::test_dir::{TestDir, expected, fans, ids, lookups, simulator, unhurried};

#[test]
fn a_run_killed_again_and_again_comes_to_the_same_results() {
    const SUBJECTS: usize = 400;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS);
    let command = "run fans.csv --ticket none --concurrency 4";
    let kills: [u64; 5] = [1, 40, 100, 170, 260];
    for calls in kills {
        let run = dir.idferry(command).started(&simulator, calls);
        run.kill().was_killed();
    }
    dir.idferry(command).at(&simulator).exits(0);

    // A kill repeats at most the 4 calls in the air and the answers of one interval: 20 ms at the
    // pace of basic.minute, 4 of them. Half as much again for a machine under load.
    let calls = lookups(&simulator).calls;
    let most = SUBJECTS as u64 + kills.len() as u64 * 12;
    assert!((SUBJECTS as u64..=most).contains(&calls), "{calls} calls");

    let undisturbed = TestDir::with_fans(SUBJECTS);
    undisturbed
        .idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
    let results = timeless(&dir.read("fans.links.csv"));
    same(&results, &timeless(&undisturbed.read("fans.links.csv")));
    let subjects: Vec<_> = (0..SUBJECTS).map(ids).collect();
    let subjects = subjects
        .iter()
        .map(|(unionid, openid)| (&**unionid, &**openid));
    let world = simulator.with(|remote| expected(remote.world(), subjects));
    same(&results, &world);
}

#[test]
fn a_quota_of_fifty_an_hour_survives_three_runs_and_a_kill() {
    let simulator = simulator(SimOptions {
        limits: "business.hour=50".parse::<Limits>().unwrap(),
        ..unhurried()
    });
    let dir = TestDir::with_fans(120);
    let command = "run fans.csv --ticket none --quota business.hour=50 --margin 0 --on-quota exit \
                   --concurrency 4";
    let run = dir.idferry(command).started(&simulator, 10);
    run.kill().was_killed();
    for _ in 0..2 {
        dir.idferry(command)
            .at(&simulator)
            .exits(75)
            .says("Stopped: business.hour is used up")
            .says("come back at ");
    }
    let seen = lookups(&simulator);
    assert_eq!(seen.lockouts, 0, "{seen:?}");
    assert_eq!(seen.refused_45009, 0);
    assert!(seen.counted <= 50, "{seen:?}");
    // What the kill lost is a block of calls charged ahead: a few.
    assert!(seen.counted >= 30, "{seen:?}");
    let results = dir.read("fans.links.csv");
    let answered = results.lines().filter(|line| line.contains("linked,0,"));
    assert!(answered.count() >= 30);
}

#[test]
fn an_import_cut_short_by_a_kill_leaves_nothing_behind() {
    let dir = TestDir::new();
    let all = fans(0..60_000);
    let half = all.len() / 2;
    let mut child = dir
        .idferry("run - --budget 0")
        .command()
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // More than a pipe holds: when all of it is written, most of it was read.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&all.as_bytes()[..half]).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stdin);

    dir.write("fans.csv", all);
    dir.idferry("run fans.csv --budget 0")
        .exits(75)
        .says("fans.csv: 60,000 lines, 60,000 new subjects\n");
}
