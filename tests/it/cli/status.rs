//! What `status` says of a run that is at work, waits, has ended or broke off.

use serde_json::Value;

use rustix::process::Signal;

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, prompt, simulator},
};

fn json(dir: &TestDir) -> Value {
    let out = dir.idferry("status --json").output().exits(0).out;
    serde_json::from_str(&out).unwrap()
}

fn text(dir: &TestDir) -> String {
    let out = dir.idferry("status").output().exits(0).out;
    for line in out.lines() {
        let columns = idferry::report::style::columns(line);
        assert!(columns <= 80, "{columns} columns: {line}");
    }
    out
}

#[test]
fn a_wait_is_told_with_its_reason_its_end_and_who_waits() {
    let simulator = simulator(prompt());
    let dir = TestDir::with_fans(20);
    dir.idferry("run fans.csv --budget 0").output().exits(75);
    let queued = text(&dir);
    assert!(queued.contains("Ended at "), "{queued}");
    assert!(queued.contains("with exit 75: work is left"), "{queued}");
    assert!(
        queued.contains("20 subjects left: they would take "),
        "{queued}"
    );

    let mut run = dir
        .idferry("run fans.csv --ticket none --quota business.hour=5 --margin 0")
        .at(&simulator)
        .start();
    run.until("the wait and all answers on disk", || {
        let status = json(&dir);
        status["state"] == "waiting" && status["subjects"]["queued"] == 15
    });
    let waits = text(&dir);
    let pid = format!("pid {}, since ", run.pid());
    // One sentence, wherever it is folded.
    let flat = waits.replace('\n', " ");
    assert!(
        flat.contains("Waiting: business.hour is used up, resumes at "),
        "{waits}"
    );
    assert!(
        flat.contains(" (in 1 h)") || flat.contains(" (in 59 min "),
        "{waits}"
    );
    assert!(flat.contains(&pid), "{waits}");
    assert!(flat.contains("All answered about "), "{waits}");

    run.kill().was_killed();
    assert_eq!(json(&dir)["state"], "broke_off");
    let broke_off = text(&dir).replace('\n', " ");
    assert!(
        broke_off.contains("re-run the same command to resume"),
        "{broke_off}"
    );
    assert!(
        broke_off.contains("15 subjects left: they would take "),
        "{broke_off}"
    );
}

#[test]
fn a_penalty_outlives_the_run_that_met_it() {
    let server = Server::with_token("token", |_| {
        Reply::Json(r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#.to_owned())
    });
    let dir = TestDir::with_fans(5);
    let mut run = dir
        .idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .start();
    run.says("blocked by the API (45009");
    run.signal(Signal::INT);
    run.output().exits(130);
    let status = text(&dir);
    assert!(
        status.contains("interrupted, the same command resumes"),
        "{status}"
    );
    let flat: Vec<_> = status.split_whitespace().collect();
    let penalty = "lockout blocked by the API (45009 接口调用超过限制), taken for the minute limit: one probe at";
    assert!(flat.join(" ").contains(penalty), "{status}");
    let json = json(&dir);
    assert_eq!(
        (&json["state"], &json["waiting"]),
        (&"ended".into(), &Value::Null)
    );
    assert_eq!(json["block"]["limit"], "minute");
    assert!(json["block"]["until"].as_str().unwrap().ends_with("+08:00"));
}

#[test]
fn the_sandbox_is_looked_at_by_its_name() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --sandbox").output().exits(0);
    dir.idferry("status")
        .output()
        .exits(2)
        .says("the sandbox's is here: --state sandbox.db");
    let status = dir.idferry("status --sandbox").output().exits(0).out;
    assert!(status.starts_with("sandbox.db · "), "{status}");
    assert!(
        status.contains("with exit 0: everything is answered"),
        "{status}"
    );
    let export = dir.idferry("export --sandbox -o -").output().exits(0).out;
    assert_eq!(export, dir.read("fans.sandbox.links.csv"));
    dir.idferry("retry --sandbox --outcome linked --outcome unlinked")
        .output()
        .exits(0)
        .says(
            "5 subjects put back in the queue, 5 queued now; `idferry run --sandbox` looks them up",
        );
    assert_eq!(
        dir.names(),
        [
            "fans.csv",
            "fans.sandbox.links.csv",
            "sandbox.db",
            "sandbox.ledger.db"
        ]
    );
    dir.idferry("run --sandbox").output().exits(0);
}

#[test]
fn nothing_run_yet_is_said_so() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --state empty.db --columns unionid=nobody")
        .output()
        .exits(2);
    let status = dir.idferry("status --state empty.db").output().exits(0).out;
    assert!(status.contains("Nothing has been run yet."), "{status}");
}
