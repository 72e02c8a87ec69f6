//! Steering a run from another terminal. What a wish does is told in `steering`.

use super::test_dir::{TestDir, lookups};

#[test]
fn a_run_is_paused_resumed_and_stopped_from_another_terminal() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv --budget 0").exits(75);
    let as_alice = |line: &str| dir.idferry(line).env("USER", "alice").exits(0);
    as_alice("pause").says("the next one waits before its first call until `idferry resume`");
    as_alice("throttle --rate 60/m --concurrency 1")
        .says("at most 60 calls a minute and at most 1 call in flight");

    let mut run = dir.idferry("run --ticket none").at(&simulator).start();
    run.says("alice@");
    run.until("the pause", || dir.status()["state"] == "waiting");
    let status = dir.status();
    assert_eq!(status["wishes"][1]["wish"], "pause");
    assert!(
        status["wishes"][1]["by"]
            .as_str()
            .unwrap()
            .starts_with("alice@")
    );
    assert_eq!(status["wishes"][2]["number"], 60);
    dir.idferry("status")
        .exits(0)
        .prints("Waiting: paused at ")
        .prints("by alice@")
        .prints("asked at ");
    assert_eq!(simulator.stats().tokens_fetched, 0);

    as_alice("resume").says("the run continues within a second");
    run.until("a call", || lookups(&simulator).calls > 0);
    as_alice("stop").says(&format!("the run of pid {} sends no more calls", run.pid()));
    run.exits(75)
        .says("Stopped: alice@")
        .says("re-run the same command to resume");
    as_alice("stop").says("there is nothing to stop");
    as_alice("throttle off").says("no longer throttled");
    as_alice("resume").says("it was not paused");
    dir.idferry("run --ticket none").at(&simulator).exits(0);
}

#[test]
fn a_throttle_to_nothing_or_to_no_number_is_refused() {
    let dir = TestDir::with_fans(1);
    dir.idferry("throttle --rate 0/s")
        .exits(2)
        .says("`idferry pause`");
    dir.idferry("throttle --rate 20")
        .exits(2)
        .says("such as 20/s or 600/m");
    dir.idferry("throttle").exits(2).says("throttle to what?");
    dir.idferry("pause")
        .exits(2)
        .says("there is no job file idferry.db");
}
