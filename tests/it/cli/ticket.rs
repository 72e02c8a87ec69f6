//! `idferry ticket`: custody of the one ticket.

use std::time::Duration;

use idferry::{
    sim::{Latency, SimOptions},
    wecom::wire,
};
use rustix::process::Signal;

use super::test_dir::{TestDir, lookups, prompt, simulator};

const TEXT: &str = "a-ticket-that-nobody-reads-aloud";

#[test]
fn ticket_is_imported_shown_and_forgotten_and_never_printed() {
    let dir = TestDir::new();
    let of = |command: &str| dir.idferry(&format!("ticket {command} --corp ww1"));
    of("show").exits(0).prints("none was ever applied for");
    of("import")
        .with_stdin(format!("{TEXT}\n"))
        .exits(0)
        .says("the ticket is stored, and sent until");
    let shown = of("show")
        .exits(0)
        .prints("works until")
        .prints("32 characters");
    let json = of("show --json").exits(0);
    for output in [&shown, &json] {
        assert!(!output.out.contains(TEXT) && !output.err.contains(TEXT));
    }
    of("forget").exits(2).says("needs consent: --yes");
    of("forget --yes")
        .exits(0)
        .says("that there was one is remembered");
    of("show").exits(0).prints("it was forgotten");
    for file in std::fs::read_dir(dir.ledger().parent().unwrap()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(TEXT));
    }
}

#[test]
fn import_refuses_what_cannot_be_a_ticket_in_use() {
    let dir = TestDir::new();
    dir.write(
        "reply.json",
        r#"{"errcode":48002,"errmsg":"api forbidden"}"#,
    );
    dir.write("old.txt", TEXT);
    for (command, why) in [
        (
            "ticket import reply.json --corp ww1",
            "no ticket is in this reply: 48002",
        ),
        (
            "ticket import old.txt --corp ww1 --obtained-at 2020-01-01T00:00+08:00",
            "a ticket lives seven days",
        ),
        (
            "ticket import nothing.txt --corp ww1",
            "nothing.txt cannot be read",
        ),
    ] {
        dir.idferry(command).exits(2).says(why);
    }
}

#[test]
fn application_waits_for_answers_and_for_work_that_needs_it() {
    let simulator = simulator(prompt());
    let dir = TestDir::with_fans(30);
    dir.idferry("run fans.csv --ticket none --budget 5")
        .at(&simulator)
        .exits(75);
    let apply = || dir.idferry("ticket apply --yes").at(&simulator);
    apply().exits(2).says("fewer than 20 lookups");
    dir.idferry("run fans.csv --ticket none --budget 20")
        .at(&simulator)
        .exits(75);
    apply().exits(2).says("kept for work that needs it");
    assert_eq!(simulator.stats().ticket_applications, 0);
}

/// More subjects than the day has room for, by the configuration.
fn short_of_quota() -> TestDir {
    let dir = TestDir::with_fans(60);
    let limits = "[run]\nmargin = 0\nquota = { 'business.day' = 24 }\n";
    dir.write("idferry.toml", limits);
    dir
}

#[test]
fn application_outlasts_an_interrupt_and_a_waiting_run_takes_its_ticket_up() {
    let latency = Duration::from_millis(300);
    let simulator = simulator(SimOptions {
        latency: Latency {
            min: latency,
            max: latency,
        },
        ..SimOptions::default()
    });
    let dir = short_of_quota();
    let run = "run fans.csv --ticket postpone --concurrency 12";
    let mut run = dir.idferry(run).at(&simulator).start();
    run.until("the day is used up", || {
        lookups(&simulator).answered == 24 && dir.status()["subjects"]["queued"] == 36
    });
    let mut apply = dir.idferry("ticket apply --yes").at(&simulator).start();
    apply.until("the application", || {
        simulator.stats().ticket_applications == 1
    });
    apply.signal(Signal::INT);
    apply.exits(0).says("obtained and stored");
    run.exits(0).says("found in the ledger");
    assert_eq!(simulator.stats().ticket_applications, 1);
}

#[test]
fn application_is_not_made_for_another_corp_nor_with_a_secret_that_was_refused() {
    let simulator = simulator(prompt());
    let dir = short_of_quota();
    let run = || dir.idferry("run fans.csv --ticket none --on-quota exit");
    run().at(&simulator).exits(75);
    dir.idferry("ticket apply --yes --corp wwother")
        .at(&simulator)
        .exits(2)
        .says("the credentials are those of");
    let fetches = || simulator.stats().lanes[wire::GETTOKEN].calls;
    let before = fetches();
    let wrong = ("WECOM_CORP_SECRET", "a-secret-that-was-reset");
    for _ in 0..2 {
        dir.idferry("ticket apply --yes")
            .at(&simulator)
            .env(wrong.0, wrong.1)
            .exits(4)
            .says("no access token, so nothing was sent");
    }
    assert_eq!(fetches(), before + 1, "asked once");
    assert_eq!(simulator.stats().ticket_applications, 0);
}
