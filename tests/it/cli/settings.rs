//! Flags, environment, configuration file; credentials and address.

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, lookups, prompt, simulator},
};

#[test]
fn missing_and_empty_credentials_are_reported_and_not_sent() {
    let (dir, simulator) = TestDir::with_simulator(5);
    dir.idferry("run fans.csv")
        .exits(2)
        .says("no corp id is set")
        .says("WECOM_CORP_ID")
        .says("WECOM_CORP_SECRET_FILE")
        .says("--sandbox");
    dir.write("empty", "\n");
    for (secret, file, told) in [
        ("", "", "no corp secret is set"),
        (" \n", "", "no corp secret is set"),
        ("", "nowhere", "the secret's file nowhere cannot be read"),
        ("", "empty", "the secret's file empty is empty"),
    ] {
        let run = dir.idferry("run fans.csv").at(&simulator);
        run.env("WECOM_CORP_SECRET", secret)
            .env("WECOM_CORP_SECRET_FILE", file)
            .exits(2)
            .says(told);
    }
    dir.write("idferry.toml", "[wecom]\ncorp_secret = ''\n");
    let run = dir.idferry("run fans.csv").at(&simulator);
    run.env("WECOM_CORP_SECRET", "")
        .exits(2)
        .says("no corp secret is set");
    assert!(simulator.stats().lanes.is_empty());
    assert_eq!(simulator.stats().tokens_failed, 0);
    assert!(!dir.path("idferry.db").exists(), "nothing is imported");
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let (dir, simulator) = TestDir::with_simulator(5);
    dir.write("secret", format!("{}\n", simulator.corp_secret()));
    dir.idferry("run fans.csv")
        .env("WECOM_BASE_URL", simulator.base_url())
        .env("WECOM_CORP_ID", simulator.corp_id())
        .env("WECOM_CORP_SECRET_FILE", "secret")
        .exits(0);
}

#[test]
fn the_configuration_file_is_enough() {
    let (dir, simulator) = TestDir::with_simulator(5);
    let (id, secret) = (simulator.corp_id(), simulator.corp_secret());
    let wecom = format!(
        "[wecom]\ncorp_id = '{id}'\ncorp_secret = '{secret}'\nbase_url = '{}'\n",
        simulator.base_url()
    );
    dir.write("idferry.toml", format!("{wecom}[run]\nstate = 'ours.db'\n"));
    dir.idferry("run fans.csv").exits(0);
    assert_eq!(
        dir.names(),
        ["fans.csv", "fans.links.csv", "idferry.toml", "ours.db"]
    );
    dir.idferry("status").exits(0);
}

#[test]
fn flag_beats_environment_beats_file() {
    let simulator = simulator(prompt());
    let refusing = || Server::start(|_| Reply::Json(r#"{"errcode":60020,"errmsg":"no"}"#.into()));
    let (in_file, in_environment) = (refusing(), refusing());
    let dir = TestDir::with_fans(5);
    let file = format!(
        "[wecom]\ncorp_id = '{}'\ncorp_secret = '{}'\nbase_url = '{}'\n[run]\nstate = 'file.db'\n",
        simulator.corp_id(),
        simulator.corp_secret(),
        in_file.base_url()
    );
    dir.write("other.toml", file);
    let command = "run fans.csv --config other.toml --overwrite";
    dir.idferry(command).exits(4);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 0));
    assert!(dir.names().contains(&"file.db".to_owned()));

    dir.idferry(command)
        .env("WECOM_BASE_URL", in_environment.base_url())
        .env("IDFERRY_STATE", "environment.db")
        .exits(4);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 1));
    assert!(dir.names().contains(&"environment.db".to_owned()));

    dir.idferry(command)
        .env("WECOM_BASE_URL", in_environment.base_url())
        .env("IDFERRY_STATE", "environment.db")
        .arg(format!("--base-url={}", simulator.base_url()))
        .arg("--state=flag.db")
        .exits(0);
    assert_eq!((in_file.seen().len(), in_environment.seen().len()), (1, 1));
    assert_eq!(lookups(&simulator).calls, 5);
    assert!(dir.names().contains(&"flag.db".to_owned()));
}

#[test]
fn a_configuration_that_cannot_be_used_is_told() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --config nowhere.toml")
        .exits(2)
        .says("the configuration nowhere.toml cannot be read");
    dir.write("idferry.toml", "[wecom]\ncorp_secrte = 'hunter2'\n");
    let told = dir.idferry("run fans.csv").exits(2);
    let told = told
        .says("idferry.toml is not valid")
        .says("corp_secrte")
        .says("line 2");
    assert!(!told.err.contains("hunter2"), "{}", told.err);
    dir.write("idferry.toml", "[run]\nquota = { 'business.week' = 5 }\n");
    dir.idferry("run fans.csv")
        .exits(2)
        .says("quota in the configuration file");
    let no_call = "[run]\nquota = { 'business.hour' = 0 }\n";
    dir.write("idferry.toml", no_call);
    let told = "business.hour = 0 allows no call";
    dir.idferry("run fans.csv").exits(2).says(told);
    for setting in [
        "error_budget = nan",
        "error_budget = 1.5",
        "margin = -0.1",
        "reserve = nan",
    ] {
        dir.write("idferry.toml", format!("[run]\n{setting}\n"));
        let name = setting.split(' ').next().unwrap();
        let told = format!("{name} in the configuration file: a share");
        dir.idferry("run fans.csv").exits(2).says(&told);
    }
    assert_eq!(dir.names(), ["fans.csv", "idferry.toml"]);
}

#[test]
fn config_show_tells_origins_and_what_no_run_could_use() {
    let dir = TestDir::new();
    dir.idferry("config init").exits(0);
    dir.idferry("config init")
        .exits(2)
        .says("exists and is left as it is");
    dir.idferry("config show")
        .exits(0)
        .prints("run.margin default 0.02");
    dir.write(
        "idferry.toml",
        "[wecom]\ncorp_id = 'wwOne'\n[contract]\nrows = '> 5'\n",
    );
    let show = || {
        dir.idferry("config show --state x.db")
            .env("WECOM_CORP_SECRET", "s")
    };
    show()
        .exits(0)
        .prints("wecom.corp_id file wwOne")
        .prints("wecom.corp_secret environment (set)")
        .prints("contract.rows file > 5")
        .prints("run.state flag x.db");
    show()
        .env("WECOM_CORP_ID", "wwTwo")
        .exits(2)
        .prints("wecom.corp_id environment wwTwo")
        .says("two different corp ids");
    dir.write("idferry.toml", "[run]\nwindow = 'weekly'\n");
    show().exits(2).says("window in the configuration file");
}

#[test]
fn status_counts_as_the_run_does() {
    let (dir, simulator) = TestDir::with_simulator(5);
    dir.idferry("run fans.csv --window calendar --quota business.hour=50 --margin 0")
        .at(&simulator)
        .exits(0);
    let status = dir.status();
    assert_eq!(status["windows"][2]["limit"], 50, "{status}");
    assert_eq!(status["counting"], "calendar");
}

#[test]
fn sandbox_ignores_the_address_in_the_environment() {
    let dir = TestDir::with_fans(5);
    let elsewhere = Server::start(|_| Reply::Hang);
    dir.idferry("run fans.csv --sandbox")
        .with_server(elsewhere.base_url())
        .exits(0);
    assert_eq!(elsewhere.seen().len(), 0);
    // It ignores IDFERRY_STATE too, but not --state.
    for command in [
        "run fans.csv --sandbox",
        "run fans.csv --sandbox --state play.db --output play.csv",
    ] {
        dir.idferry(command)
            .env("IDFERRY_STATE", "real.db")
            .exits(0);
    }
    assert!(!dir.names().contains(&"real.db".to_owned()));
    assert!(dir.names().contains(&"play.db".to_owned()));
    let contradiction = "run fans.csv --sandbox --base-url https://gateway.example";
    dir.idferry(contradiction).exits(2);
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let (dir, simulator) = TestDir::with_simulator(5);
    let file = format!("[wecom]\nbase_url = '{}'\n", simulator.base_url());
    dir.write("idferry.toml", file);
    dir.idferry("run fans.csv")
        .with_credentials_of(&simulator)
        .env("WECOM_BASE_URL", "")
        .env("IDFERRY_STATE", "")
        .exits(0);
    assert!(dir.names().contains(&"idferry.db".to_owned()));
}

#[test]
fn the_token_never_travels_in_the_open() {
    let dir = TestDir::with_fans(5);
    let told = "plain http is for loopback addresses only";
    dir.idferry("run fans.csv --base-url http://192.0.2.1:8080")
        .exits(2)
        .says(told);
    dir.idferry("run fans.csv")
        .with_server("http://192.0.2.1")
        .exits(2)
        .says(told);
    dir.write("idferry.toml", "[wecom]\nbase_url = 'http://192.0.2.1'\n");
    dir.idferry("run fans.csv").exits(2).says(told);
    assert_eq!(dir.names(), ["fans.csv", "idferry.toml"]);
}

#[test]
fn limits_above_the_published_ones_are_for_loopback_addresses_only() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --quota none")
        .exits(2)
        .says("--quota basic.minute=none: the API allows 10,000 and locks callers out");
    dir.idferry("run fans.csv --quota ip.hour=600001 --base-url https://gateway.example")
        .exits(2)
        .says("--quota ip.hour=600001: the API allows 600,000 and locks callers out");
    assert_eq!(dir.names(), ["fans.csv"]);
    let simulator = simulator(prompt());
    dir.idferry("run fans.csv --quota none")
        .at(&simulator)
        .exits(0);
}

#[test]
fn slips_of_the_fingers_are_usage_errors_and_send_nothing() {
    let (dir, simulator) = TestDir::with_simulator(5);
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
        "export --join fans.csv --changed-since last",
        "simulate --faults chaos",
    ] {
        let told = dir.idferry(slip).at(&simulator).exits(2);
        assert!(!told.err.is_empty(), "'{slip}' is refused in silence");
    }
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn settings_that_cannot_be_read_are_not_passed_over() {
    use std::os::unix::ffi::OsStrExt;

    let dir = TestDir::with_fans(5);
    let garbled = std::ffi::OsStr::from_bytes(b"http://127.0.0.1:1/\xff");
    dir.idferry("run fans.csv")
        .env("WECOM_BASE_URL", garbled)
        .exits(2)
        .says("WECOM_BASE_URL: it is not UTF-8");
    dir.write("idferry.toml", "[run]\nstate = ''\n");
    dir.idferry("run fans.csv --sandbox")
        .exits(2)
        .says("state is empty");
    assert_eq!(dir.names(), ["fans.csv", "idferry.toml"]);
}
