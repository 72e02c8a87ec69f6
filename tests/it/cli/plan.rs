//! `plan` and `rehearse` on a job that is under way: they work on a copy.

use idferry::sim::{Fault, Forced, Simulator};

use super::desk::{Desk, fans, lookups, prompt, simulator};

/// 40 subjects, 15 of them answered: a bound corp, outcomes and quota used.
fn under_way() -> (Desk, Simulator) {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(40);
    desk.idferry("run fans.csv --ticket none --budget 15")
        .at(&simulator)
        .done()
        .exits(75);
    (desk, simulator)
}

/// The state file and its log.
fn bytes(desk: &Desk) -> [Option<Vec<u8>>; 2] {
    ["idferry.db", "idferry.db-wal"].map(|name| std::fs::read(desk.path(name)).ok())
}

#[test]
fn a_plan_counts_what_is_left_and_leaves_the_file_as_it_is() {
    let (desk, simulator) = under_way();
    let before = (bytes(&desk), desk.names());
    desk.write("more.csv", fans(30..60));
    let plan = desk.idferry("plan fans.csv more.csv --json").done();
    let plan: serde_json::Value = serde_json::from_str(&plan.exits(0).out).unwrap();
    assert_eq!(plan["subjects"], 60, "{plan}");
    assert_eq!(plan["answered"], 15);
    assert_eq!(plan["calls"], 45);
    std::fs::remove_file(desk.path("more.csv")).unwrap();
    desk.idferry("plan").done().exits(0);
    assert!((bytes(&desk), desk.names()) == before);
    assert_eq!(lookups(&simulator).calls, 15);
}

#[test]
fn a_rehearsal_goes_on_from_the_file_and_leaves_it_as_it_is() {
    let (desk, simulator) = under_way();
    let before = (bytes(&desk), desk.names());
    let told = desk.idferry("rehearse --seed 1 --json").done().exits(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["subjects"], 25, "{told}");
    assert_eq!(told["answered"], 25);
    assert!((bytes(&desk), desk.names()) == before);
    assert_eq!(lookups(&simulator).calls, 15);
    // The file is still its corp's.
    desk.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .done()
        .exits(0);
}

#[test]
fn both_end_with_the_run_to_type_as_it_was_planned_and_rehearsed() {
    let desk = Desk::with_fans(40);
    let flags = "--quota business.hour=30 --margin 0";
    desk.write("my fans.csv", fans(0..40));
    let rehearsed = desk
        .idferry(&format!("rehearse {flags} --seed 1 --faults=mild"))
        .arg("my fans.csv")
        .done()
        .exits(0);
    let next = format!("\n  idferry run {flags} 'my fans.csv'\n");
    assert!(rehearsed.out.ends_with(&next), "{}", rehearsed.out);
    let line = format!("rehearse --subjects 3 {flags} --json");
    let rehearsed = desk.idferry(&line).done().exits(0).out;
    let rehearsed: serde_json::Value = serde_json::from_str(&rehearsed).unwrap();
    assert_eq!(rehearsed["next"], format!("idferry run INPUT.csv {flags}"));
    let planned = desk.idferry(&format!("plan fans.csv {flags}")).done();
    let next = format!("\n  idferry run fans.csv {flags}\n");
    assert!(planned.exits(0).out.ends_with(&next));
}

#[test]
fn both_can_be_asked_beside_a_run_and_after_a_kill() {
    let simulator = simulator(prompt());
    let answered = std::iter::repeat_n(Forced::Pass, 5);
    let hung = std::iter::repeat_n(Forced::Fault(Fault::Hang), 100);
    simulator.with(|remote| remote.script(answered.chain(hung)));
    let desk = Desk::with_fans(20);
    let mut run = desk
        .idferry("run fans.csv --ticket none")
        .at(&simulator)
        .start();
    run.until("five answers on disk", || {
        let status = desk.idferry("status").done();
        status.out.contains("queued              15")
    });
    let plan = || {
        let plan = desk.idferry("plan --json").done().exits(0).out;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan["calls"], 15, "{plan}");
    };
    plan();
    desk.idferry("rehearse --seed 1").done().exits(0);
    run.kill().was_killed();
    // What the dead process had in its log is the next writer's to fold in.
    let before = bytes(&desk);
    assert!(before[1].as_ref().is_some_and(|log| !log.is_empty()));
    plan();
    desk.idferry("status").done().exits(0);
    desk.idferry("rehearse --seed 1").done().exits(0);
    assert!(bytes(&desk) == before);
}
