//! `plan` and `rehearse` on a job that is under way: they work on a copy.

use idferry::sim::{Fault, Forced, Simulator};

use super::test_dir::{TestDir, fans, lookups, prompt, simulator};

/// 40 subjects, 15 of them answered: a bound corp, outcomes and quota used.
fn under_way() -> (TestDir, Simulator) {
    let (dir, simulator) = TestDir::with_simulator(40);
    dir.idferry("run fans.csv --ticket none --budget 15")
        .at(&simulator)
        .exits(75);
    (dir, simulator)
}

/// The job file and its log.
fn bytes(dir: &TestDir) -> [Option<Vec<u8>>; 2] {
    ["idferry.db", "idferry.db-wal"].map(|name| std::fs::read(dir.path(name)).ok())
}

#[test]
fn a_plan_counts_what_is_left_and_leaves_the_file_as_it_is() {
    let (dir, simulator) = under_way();
    let before = (bytes(&dir), dir.names());
    dir.write("more.csv", fans(30..60));
    let plan = dir.idferry("plan fans.csv more.csv --json").output();
    let plan = plan.exits(0).json();
    assert_eq!(plan["subjects"], 60, "{plan}");
    assert_eq!(plan["answered"], 15);
    assert_eq!(plan["calls"], 45);
    std::fs::remove_file(dir.path("more.csv")).unwrap();
    dir.idferry("plan").exits(0);
    assert!((bytes(&dir), dir.names()) == before);
    assert_eq!(lookups(&simulator).calls, 15);
}

#[test]
fn a_rehearsal_resumes_a_copy_of_the_file() {
    let (dir, simulator) = under_way();
    let before = (bytes(&dir), dir.names());
    let told = dir.idferry("rehearse --seed 1 --json").exits(0);
    let told = told.json();
    assert_eq!(told["subjects"], 25, "{told}");
    assert_eq!(told["answered"], 25);
    assert!((bytes(&dir), dir.names()) == before);
    assert_eq!(lookups(&simulator).calls, 15);
    // The file is still its corp's.
    dir.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
}

#[test]
fn plan_and_rehearse_end_with_the_run_to_type() {
    let dir = TestDir::with_fans(40);
    let flags = "--quota business.hour=30 --margin 0";
    dir.write("my fans.csv", fans(0..40));
    let rehearsed = dir
        .idferry(&format!("rehearse {flags} --seed 1 --faults=mild"))
        .arg("my fans.csv")
        .exits(0);
    let next = format!("\n  idferry run {flags} 'my fans.csv'\n");
    assert!(rehearsed.out.ends_with(&next), "{}", rehearsed.out);
    let line = format!("rehearse --subjects 3 {flags} --json");
    let rehearsed = dir.idferry(&line).exits(0).out;
    let rehearsed: serde_json::Value = serde_json::from_str(&rehearsed).unwrap();
    assert_eq!(rehearsed["next"], format!("idferry run INPUT.csv {flags}"));
    let planned = dir.idferry(&format!("plan fans.csv {flags}")).output();
    let next = format!("\n  idferry run fans.csv {flags}\n");
    assert!(planned.exits(0).out.ends_with(&next));
}

#[test]
fn both_can_be_asked_beside_a_run_and_after_a_kill() {
    let simulator = simulator(prompt());
    let answered = std::iter::repeat_n(Forced::Pass, 5);
    let hung = std::iter::repeat_n(Forced::Fault(Fault::Hang), 100);
    simulator.with(|remote| remote.script(answered.chain(hung)));
    let dir = TestDir::with_fans(20);
    let mut run = dir
        .idferry("run fans.csv --ticket none")
        .at(&simulator)
        .start();
    run.until("five answers on disk", || {
        dir.status()["subjects"]["queued"] == 15
    });
    let plan = || {
        let plan = dir.idferry("plan --json").exits(0).out;
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan["calls"], 15, "{plan}");
    };
    plan();
    dir.idferry("rehearse --seed 1").exits(0);
    run.kill().was_killed();
    // Readers leave the log of the dead process to the next writer.
    let before = bytes(&dir);
    assert!(before[1].as_ref().is_some_and(|log| !log.is_empty()));
    plan();
    dir.idferry("status").exits(0);
    dir.idferry("rehearse --seed 1").exits(0);
    assert!(bytes(&dir) == before);
}
