//! `idferry ticket`: custody of the one ticket.

use super::test_dir::{TestDir, prompt, simulator};

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
