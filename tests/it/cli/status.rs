//! What `status` says of a run that is at work, waits, has ended or broke off.

use rustix::process::Signal;

use super::{
    server::{Reply, Server},
    test_dir::{Output, TestDir},
};

/// What `status` prints, which must fit 80 columns.
fn text(dir: &TestDir) -> Output {
    let status = dir.idferry("status").exits(0);
    for line in status.out.lines() {
        let columns = idferry::report::style::columns(line);
        assert!(columns <= 80, "{columns} columns: {line}");
    }
    status
}

#[test]
fn a_wait_is_told_with_its_reason_its_end_and_who_waits() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv --budget 0").exits(75);
    text(&dir)
        .prints("Ended at ")
        .prints("with exit 75: Stopped: the budget of calls is used up, 20 subjects left.")
        .prints("Next: come back at any time and re-run the same command")
        .prints("20 subjects left: they would take ");

    let command = "run fans.csv --ticket none --quota business.hour=5 --margin 0";
    let mut run = dir.idferry(command).at(&simulator).start();
    run.until("the wait and all answers on disk", || {
        let status = dir.status();
        status["state"] == "waiting" && status["subjects"]["queued"] == 15
    });
    let waits = text(&dir)
        .prints("Waiting: business.hour is used up, resumes at ")
        .prints(&format!("pid {}, since ", run.pid()))
        .prints("All answered about ");
    let flat = waits.out.replace('\n', " ");
    assert!(flat.contains(" (in 1 h)") || flat.contains(" (in 59 min "));

    run.kill().was_killed();
    assert_eq!(dir.status()["state"], "broke_off");
    text(&dir)
        .prints("re-run the same command to resume")
        .prints("15 subjects left: they would take ");
}

#[test]
fn a_penalty_outlives_the_run_that_met_it() {
    let server = Server::with_token("token", |_| {
        Reply::Json(r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#.to_owned())
    });
    let dir = TestDir::with_fans(5);
    let command = dir.idferry("run fans.csv --ticket none");
    let mut run = command.with_server(server.base_url()).start();
    run.says("blocked by the API (45009");
    run.signal(Signal::INT);
    run.exits(130);
    text(&dir)
        .prints("Interrupted: every answer is saved, 5 subjects left.")
        .prints("lockout blocked by the API (45009 接口调用超过限制), taken for the minute limit")
        .prints("minute limit: one probe at");
    let status = dir.status();
    assert_eq!(status["state"], "ended");
    assert!(status["waiting"].is_null(), "{status}");
    let block = &status["block"];
    assert_eq!(block["limit"], "minute");
    assert!(block["until"].as_str().unwrap().ends_with("+08:00"));
}

#[test]
fn the_sandbox_is_looked_at_by_its_name() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --sandbox").exits(0);
    dir.idferry("status")
        .exits(2)
        .says("the sandbox's is here: --state sandbox.db");
    dir.idferry("status --sandbox")
        .exits(0)
        .prints("sandbox.db · ")
        .prints("with exit 0: Finished: every subject is answered.");
    let export = dir.idferry("export --sandbox -o -").exits(0).out;
    assert_eq!(export, dir.read("fans.sandbox.links.csv"));
    dir.idferry("retry --sandbox --outcome linked --outcome unlinked")
        .exits(0)
        .says("5 subjects to be asked again")
        .says("`idferry run --sandbox` asks them");
    dir.idferry("status --sandbox")
        .exits(0)
        .prints("asked again 5 by the next run");
    assert_eq!(
        dir.names(),
        [
            "fans.csv",
            "fans.sandbox.links.csv",
            "sandbox.db",
            "sandbox.ledger.db"
        ]
    );
    dir.idferry("run --sandbox").exits(0);
}

#[test]
fn a_run_that_failed_says_why_in_status_and_in_the_list_of_runs() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --columns unionid=nobody")
        .with_server("http://127.0.0.1:1")
        .exits(2);
    text(&dir)
        .prints("with exit 2: ")
        .prints("nobody")
        .prints(". Started at ");
    dir.idferry("run fans.csv --budget 0").exits(75);
    let runs = dir.idferry("runs --json").exits(0).json();
    assert_eq!(runs["version"], 1);
    let codes = [0, 1].map(|run| runs["runs"][run]["exit_code"].as_i64().unwrap());
    assert_eq!(codes, [2, 75]);
    assert_eq!(runs["runs"][1]["ended"]["ending"], "budget");
    assert_eq!(runs["runs"][1]["number"], 2);
    dir.idferry("runs")
        .exits(0)
        .prints(" 2 20")
        .prints("0 calls, exit 75 Stopped: the budget of calls is used up");
}

#[test]
fn a_stop_for_the_quota_says_when_it_is_back_and_what_to_type() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let command = "run fans.csv --ticket none --quota business.hour=5 --on-quota exit";
    dir.idferry(command).at(&simulator).exits(75);
    text(&dir)
        .prints("Stopped: business.hour is used up, 16 subjects left.")
        .prints("Next: come back at ")
        .prints(") and re-run the same command to resume")
        .prints("input fans.csv (20 lines)")
        .prints("results fans.links.csv");
    let runs = dir.idferry("runs --json").exits(0).json();
    assert_eq!(runs["runs"][0]["ended"]["ending"], "quota");
    // A budget ends the next one: the quota is still not back, and a pause holds too.
    dir.idferry("pause").exits(0);
    let budget = command.replace("--on-quota exit", "--budget 0");
    dir.idferry(&budget)
        .exits(75)
        .says("come back at ")
        .says("the job is paused: `idferry resume` before");
    let runs = dir.idferry("runs --json").exits(0).json();
    assert!(
        runs["runs"][1]["ended"]["come_back_at"].is_string(),
        "{runs}"
    );
}
