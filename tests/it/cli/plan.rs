//! `plan` and `rehearse` on a job that is under way: they work on a copy of what they need of it.

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

/// Known subjects, new ones, ones within a corp that the job does not know, and twice the same.
const MORE: &str = "unionid,openid,corpid\n\
    oUnion0000000000000000000003,oOpen00000000000000000000003,\n\
    oUnion0000000000000000000039,oOpen00000000000000000000039,\n\
    oUnion0000000000000000000041,oOpen00000000000000000000041,\n\
    oUnion0000000000000000000041,oOpen00000000000000000000041,\n\
    oUnion0000000000000000000003,oOpen00000000000000000000003,wwNewCorp0000000001\n\
    oUnion0000000000000000000003,oOpen00000000000000000000003,wwNewCorp0000000002\n\
    bad,,\n";

#[test]
fn new_inputs_are_counted_against_all_subjects_and_only_queued_ones_are_copied() {
    let (dir, simulator) = under_way();
    dir.write("more.csv", MORE);
    let plan = dir
        .idferry("plan fans.csv more.csv more.csv --json")
        .output();
    let plan: serde_json::Value = serde_json::from_str(&plan.exits(0).out).unwrap();
    assert_eq!(plan["subjects"], 43, "{plan}");
    assert_eq!(plan["calls"], 28);
    assert_eq!(plan["lines"], 47);
    assert_eq!(plan["rejected"], 1);

    let told = dir
        .idferry("rehearse fans.csv more.csv --seed 1 --keep --json")
        .exits(3);
    let kept = told
        .err
        .lines()
        .find_map(|line| line.strip_prefix("kept in "));
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["subjects"], 28, "{told}");
    assert_eq!(told["answered"], 28);
    let kept = std::path::Path::new(kept.unwrap());
    let copy = rusqlite::Connection::open(kept).unwrap();
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM subjects"), 28);
    assert_eq!(count("SELECT sum(subjects) FROM tallies"), 43);
    drop(copy);
    std::fs::remove_dir_all(kept.parent().unwrap()).unwrap();

    // As the run then finds.
    let run = dir.idferry("run fans.csv more.csv --ticket none");
    let run = run.at(&simulator).exits(3);
    run.says("more.csv: 7 lines, 3 new subjects");
    assert_eq!(lookups(&simulator).calls, 43);
}

#[test]
fn parked_subjects_are_rehearsed_after_the_last_answer() {
    let simulator = simulator(prompt());
    let busy = std::iter::repeat_n(Forced::Fault(Fault::Busy), 3);
    simulator.with(|remote| remote.script(busy));
    let dir = TestDir::with_fans(1);
    let run = dir.idferry("run fans.csv --ticket none --budget 3");
    run.at(&simulator).output();
    dir.write("more.csv", fans(0..3));
    let told = dir.idferry("rehearse more.csv --seed 1 --json").exits(0);
    let told: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["states"]["parked"], 0, "{told}");
    assert_eq!(told["states"]["queued"], 0);
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
    let rehearsed = dir.idferry(&line).exits(0).json();
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
        let plan = dir.idferry("plan --json").exits(0).json();
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
