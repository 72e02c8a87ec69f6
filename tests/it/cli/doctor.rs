//! `idferry doctor`: each thing that stands in the way of a run has its line and its next step.

use super::{
    server::{Reply, Server},
    test_dir::{Output, TestDir, lookups},
};

/// With five queued subjects.
fn with_job() -> TestDir {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --budget 0").exits(75);
    dir
}

/// What the doctor says where every lookup, or the token, is refused with this reply.
fn refused(reply: &'static str) -> Output {
    let server = Server::with_token("token", move |_| Reply::Json(reply.to_owned()));
    let dir = with_job();
    let doctor = dir.idferry("doctor").with_server(server.base_url());
    doctor.exits(4)
}

#[test]
fn a_healthy_job_costs_one_call_and_exits_with_0() {
    let simulator = super::test_dir::simulator(super::test_dir::prompt());
    let dir = with_job();
    dir.idferry("doctor")
        .at(&simulator)
        .exits(0)
        .says("the call is charged")
        .prints("ok credentials corp ")
        .prints("secret from WECOM_CORP_SECRET")
        .prints("ok permission the lookup was answered");
    assert_eq!(lookups(&simulator).calls, 1);
    assert_eq!(dir.status()["subjects"]["queued"], 4);
    let found = dir
        .idferry("doctor --json --offline")
        .at(&simulator)
        .exits(0)
        .json();
    assert_eq!(found["version"], 1);
    assert_eq!(found["checks"][0]["grade"], "ok");
    assert_eq!(lookups(&simulator).calls, 1);
}

#[test]
fn each_refusal_of_the_first_call_is_told_by_its_name() {
    refused(
        r#"{"errcode":60020,"errmsg":"not allow to access from your ip, hint: [1], from ip: 203.0.113.7, more info"}"#,
    )
    .prints("fail trusted IP")
    .prints("203.0.113.7");
    refused(r#"{"errcode":48002,"errmsg":"api forbidden"}"#)
        .prints("ok token")
        .prints("fail permission");
}

#[test]
fn a_lookup_that_is_not_answered_proves_no_permission() {
    refused(r#"{"errcode":-1,"errmsg":"system busy"}"#)
        .prints("ok token")
        .prints("fail lookup the lookup was sent and not answered");
}

#[test]
fn the_call_keeps_to_the_quota_of_the_configuration_and_to_a_pause() {
    let simulator = super::test_dir::simulator(super::test_dir::prompt());
    let dir = with_job();
    let doctor = || dir.idferry("doctor").at(&simulator);
    dir.idferry("pause").exits(0);
    doctor()
        .exits(0)
        .prints("; paused by ")
        .prints("warn calls not tried: the job is paused");
    dir.idferry("resume").exits(0);
    dir.write(
        "idferry.toml",
        "[run]\nmargin = 0\nquota = { 'business.hour' = 1 }\n",
    );
    doctor()
        .exits(0)
        .prints("ok clock within a minute of the API's");
    doctor()
        .exits(4)
        .prints("fail quota business.hour is used up");
    assert_eq!(lookups(&simulator).calls, 1);
}

#[test]
fn a_clock_that_differs_from_the_apis_is_told() {
    let mut options = super::test_dir::prompt();
    options.clock_ahead_millis = 600_000;
    let simulator = super::test_dir::simulator(options);
    let doctor = with_job().idferry("doctor").at(&simulator).exits(0);
    doctor.prints("warn clock ").prints("10 min");
}

#[test]
fn a_wrong_secret_and_a_missing_one_are_told() {
    let simulator = super::test_dir::simulator(super::test_dir::prompt());
    let dir = with_job();
    dir.idferry("doctor")
        .exits(4)
        .prints("fail credentials no corp id is set");
    dir.idferry("doctor")
        .at(&simulator)
        .env("WECOM_CORP_SECRET", "wrong")
        .exits(4)
        .prints("fail token");
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let simulator = super::test_dir::simulator(super::test_dir::prompt());
    let dir = TestDir::with_fans(1);
    let doctor = |line: &str| dir.idferry(line).at(&simulator).output();
    doctor("doctor")
        .exits(0)
        .prints("warn job file there is no idferry.db yet");
    for setting in [
        "window = 'weekly'",
        "delimiter = 'x'",
        "linked_after = 'soon'",
    ] {
        dir.write("idferry.toml", format!("[run]\n{setting}\n"));
        doctor("doctor").exits(4).prints("fail configuration");
    }
    dir.write("idferry.toml", "[wecom]\nbase_url = 'ftp://x'\n");
    doctor("doctor")
        .exits(4)
        .prints("fail configuration base_url");
    dir.write("idferry.toml", "");
    doctor("doctor --state fans.csv")
        .exits(4)
        .prints("fail job file fans.csv is not idferry's");
    dir.write("idferry.toml", "[run]\nmargn = 1\n");
    doctor("doctor")
        .exits(4)
        .prints("fail configuration")
        .prints("did you mean `margin`?");
}
