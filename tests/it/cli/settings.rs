//! Flags, environment, configuration file; credentials and address.

use super::{
    desk::{Desk, lookups, prompt, simulator},
    server::{Reply, Server},
};

#[test]
fn credentials_that_are_missing_are_named() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv")
        .done()
        .exits(2)
        .says("no corp id is set")
        .says("WECOM_CORP_ID")
        .says("WECOM_CORP_SECRET_FILE")
        .says("--sandbox");
    desk.idferry("run fans.csv")
        .at(&simulator)
        .env("WECOM_CORP_SECRET", "")
        .done()
        .exits(2)
        .says("no corp secret is set");
    desk.idferry("run fans.csv")
        .at(&simulator)
        .env("WECOM_CORP_SECRET", "")
        .env("WECOM_CORP_SECRET_FILE", "/nowhere/secret")
        .done()
        .exits(2)
        .says("the secret's file /nowhere/secret cannot be read");
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    desk.write("secret", format!("{}\n", simulator.corp_secret()));
    desk.idferry("run fans.csv")
        .env("WECOM_BASE_URL", simulator.base_url())
        .env("WECOM_CORP_ID", simulator.corp_id())
        .env("WECOM_CORP_SECRET_FILE", "secret")
        .done()
        .exits(0);
}

#[test]
fn the_configuration_file_is_enough() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    let (id, secret) = (simulator.corp_id(), simulator.corp_secret());
    let wecom = format!(
        "[wecom]\ncorp_id = '{id}'\ncorp_secret = '{secret}'\nbase_url = '{}'\n",
        simulator.base_url()
    );
    desk.write("idferry.toml", format!("{wecom}[run]\nstate = 'ours.db'\n"));
    desk.idferry("run fans.csv").done().exits(0);
    assert_eq!(
        desk.names(),
        ["fans.csv", "fans.links.csv", "idferry.toml", "ours.db"]
    );
    desk.idferry("status").done().exits(0);
}

#[test]
fn a_flag_comes_before_the_environment_and_that_before_the_file() {
    let simulator = simulator(prompt());
    let nobody = || Server::start(|_| Reply::Json(r#"{"errcode":40013,"errmsg":"no"}"#.into()));
    let (in_file, in_environment) = (nobody(), nobody());
    let desk = Desk::with_fans(5);
    let file = format!(
        "[wecom]\ncorp_id = 'x'\ncorp_secret = 'y'\nbase_url = '{}'\n[run]\nstate = 'file.db'\n",
        in_file.base_url()
    );
    desk.write("other.toml", file);
    let command = "run fans.csv --config other.toml";
    desk.idferry(command).done().exits(4);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 0));
    assert!(desk.names().contains(&"file.db".to_owned()));

    desk.idferry(command)
        .env("WECOM_BASE_URL", in_environment.base_url())
        .env("IDFERRY_STATE", "environment.db")
        .done()
        .exits(4);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 1));
    assert!(desk.names().contains(&"environment.db".to_owned()));

    desk.idferry(command)
        .env("WECOM_BASE_URL", in_environment.base_url())
        .env("IDFERRY_STATE", "environment.db")
        .arg(format!("--base-url={}", simulator.base_url()))
        .arg("--state=flag.db")
        .with_credentials_of(&simulator)
        .done()
        .exits(0);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 1));
    assert_eq!(lookups(&simulator).calls, 5);
    assert!(desk.names().contains(&"flag.db".to_owned()));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told() {
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv --config nowhere.toml")
        .done()
        .exits(2)
        .says("the configuration nowhere.toml cannot be read");
    desk.write("idferry.toml", "[wecom]\ncorp_secrte = 'hunter2'\n");
    let told = desk.idferry("run fans.csv").done().exits(2);
    let told = told
        .says("idferry.toml is not valid")
        .says("corp_secrte")
        .says("line 2");
    assert!(!told.err.contains("hunter2"), "{}", told.err);
    desk.write("idferry.toml", "[run]\nquota = { 'business.week' = 5 }\n");
    desk.idferry("run fans.csv")
        .done()
        .exits(2)
        .says("quota in the configuration file");
}

#[test]
fn the_sandbox_needs_no_address_and_minds_none_in_the_environment() {
    let desk = Desk::with_fans(5);
    let elsewhere = Server::start(|_| Reply::Hang);
    desk.idferry("run fans.csv --sandbox")
        .asking(elsewhere.base_url())
        .done()
        .exits(0);
    assert_eq!(elsewhere.seen().len(), 0);
    // Said in one breath, the two are a contradiction.
    desk.idferry("run fans.csv --sandbox --base-url https://gateway.example")
        .done()
        .exits(2);
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    let file = format!("[wecom]\nbase_url = '{}'\n", simulator.base_url());
    desk.write("idferry.toml", file);
    desk.idferry("run fans.csv")
        .with_credentials_of(&simulator)
        .env("WECOM_BASE_URL", "")
        .env("IDFERRY_STATE", "")
        .done()
        .exits(0);
    assert!(desk.names().contains(&"idferry.db".to_owned()));
}

#[test]
fn the_token_never_travels_in_the_open() {
    let desk = Desk::with_fans(5);
    let told = "plain http is for loopback addresses only";
    desk.idferry("run fans.csv --base-url http://192.0.2.1:8080")
        .done()
        .exits(2)
        .says(told);
    desk.idferry("run fans.csv")
        .asking("http://192.0.2.1")
        .done()
        .exits(2)
        .says(told);
    desk.write("idferry.toml", "[wecom]\nbase_url = 'http://192.0.2.1'\n");
    desk.idferry("run fans.csv").done().exits(2).says(told);
    assert_eq!(desk.names(), ["fans.csv", "idferry.toml"]);
}

#[test]
fn the_quota_is_lifted_for_loopback_addresses_only() {
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv --quota none")
        .done()
        .exits(2)
        .says("--quota none is for loopback addresses only");
    desk.idferry("run fans.csv --quota none --base-url https://gateway.example")
        .done()
        .exits(2);
    assert_eq!(desk.names(), ["fans.csv"]);
    let simulator = simulator(prompt());
    desk.idferry("run fans.csv --quota none")
        .at(&simulator)
        .done()
        .exits(0);
}

#[test]
fn slips_of_the_fingers_are_usage_errors_and_send_nothing() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    for slip in [
        "",
        "rnu fans.csv",
        "run fans.csv --quota business.week=5",
        "run fans.csv --quota business.hour=many",
        "run fans.csv --quota business.hour=0",
        "run fans.csv --margin 2",
        "run fans.csv --margin 0.6 --reserve 0.6",
        "run fans.csv --window weekly",
        "run fans.csv --concurrency 0",
        "run fans.csv --on-quota panic",
        "run fans.csv --budget -1",
        "run fans.csv --until 25:00",
        "run fans.csv --max-duration soon",
        "run fans.csv --error-budget 7",
        "run fans.csv --progress loud",
        "run fans.csv --ticket maybe",
        "run fans.csv --encoding klingon",
        "run fans.csv --delimiter x",
        "run fans.csv --columns union=a",
        "run fans.csv --corpid a/b",
        "run fans.csv --log-format xml",
        "run fans.csv --base-url ftp://127.0.0.1",
        "status --json --until 10:00",
        "export --format xlsx",
        "simulate --faults chaos",
    ] {
        let told = desk.idferry(slip).at(&simulator).done().exits(2);
        assert!(!told.err.is_empty(), "'{slip}' is refused in silence");
    }
    assert!(simulator.stats().lanes.is_empty());
}
