//! What `status` says of a run that is at work, waits, has ended or broke off.

use serde_json::Value;

use rustix::process::Signal;

use super::{
    desk::{Desk, prompt, simulator},
    server::{Reply, Server},
};

fn json(desk: &Desk) -> Value {
    let out = desk.idferry("status --json").done().exits(0).out;
    serde_json::from_str(&out).unwrap()
}

fn text(desk: &Desk) -> String {
    let out = desk.idferry("status").done().exits(0).out;
    for line in out.lines() {
        let columns = idferry::report::style::columns(line);
        assert!(columns <= 80, "{columns} columns: {line}");
    }
    out
}

#[test]
fn a_wait_is_told_with_its_reason_its_end_and_who_waits() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(20);
    desk.idferry("run fans.csv --budget 0").done().exits(75);
    let queued = text(&desk);
    assert!(queued.contains("Ended at "), "{queued}");
    assert!(queued.contains("with exit 75: work is left"), "{queued}");
    assert!(
        queued.contains("20 subjects left: they would take "),
        "{queued}"
    );

    let mut run = desk
        .idferry("run fans.csv --ticket none --quota business.hour=5 --margin 0")
        .at(&simulator)
        .start();
    run.until("the wait on disk", || json(&desk)["state"] == "waiting");
    let waits = text(&desk);
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
    assert_eq!(json(&desk)["state"], "broke_off");
    let broke_off = text(&desk).replace('\n', " ");
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
    let desk = Desk::with_fans(5);
    let mut run = desk
        .idferry("run fans.csv --ticket none")
        .asking(server.base_url())
        .start();
    run.says("blocked by the API (45009");
    run.signal(Signal::INT);
    run.done().exits(130);
    let status = text(&desk);
    assert!(
        status.contains("interrupted, the same command resumes"),
        "{status}"
    );
    let flat: Vec<_> = status.split_whitespace().collect();
    let penalty = "lockout blocked by the API (45009 接口调用超过限制), taken for the minute limit: one probe at";
    assert!(flat.join(" ").contains(penalty), "{status}");
    let json = json(&desk);
    assert_eq!(
        (&json["state"], &json["waiting"]),
        (&"ended".into(), &Value::Null)
    );
    assert_eq!(json["block"]["limit"], "minute");
    assert!(json["block"]["until"].as_str().unwrap().ends_with("+08:00"));
}

#[test]
fn the_sandbox_is_looked_at_by_its_name() {
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv --sandbox").done().exits(0);
    desk.idferry("status")
        .done()
        .exits(2)
        .says("the sandbox's is here: --state sandbox.db");
    let status = desk.idferry("status --sandbox").done().exits(0).out;
    assert!(status.starts_with("sandbox.db · "), "{status}");
    assert!(
        status.contains("with exit 0: everything is answered"),
        "{status}"
    );
    let export = desk.idferry("export --sandbox -o -").done().exits(0).out;
    assert_eq!(export, desk.read("fans.links.csv"));
    desk.idferry("retry --sandbox --outcome linked --outcome unlinked")
        .done()
        .exits(0)
        .says(
            "5 subjects put back in the queue, 5 queued now; `idferry run --sandbox` looks them up",
        );
    assert_eq!(desk.names(), ["fans.csv", "fans.links.csv", "sandbox.db"]);
    desk.idferry("run --sandbox").done().exits(0);
}

#[test]
fn nothing_run_yet_is_said_so() {
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv --state empty.db --columns unionid=nobody")
        .done()
        .exits(2);
    let status = desk.idferry("status --state empty.db").done().exits(0).out;
    assert!(status.contains("Nothing has been run yet."), "{status}");
}
