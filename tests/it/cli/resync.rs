//! `idferry resync`, as cron types it.

use super::test_dir::{TestDir, ids, lookups};

#[test]
fn resync_asks_what_is_new_and_what_has_grown_old_and_tells_the_changes() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let resync = "resync fans.csv --unlinked-after 1ms --linked-after 0s --changes changes.csv";
    // A first night is a first run.
    dir.idferry(resync)
        .at(&simulator)
        .exits(0)
        .says("gained, 0 lost, 0 changed");
    let unlinked = dir.read("fans.links.csv").matches(",unlinked,").count() as u64;
    assert!(unlinked > 0);
    let gained = dir.read("changes.csv");
    assert!(gained.lines().skip(1).all(|line| line.ends_with(",added")));
    assert_eq!(lookups(&simulator).calls, 20);
    // Of the same second are the answers of the first night; a third is after it.
    dir.idferry("resync --unlinked-after 0s --linked-after 0s --changes changes.csv")
        .at(&simulator)
        .exits(0);
    assert_eq!(lookups(&simulator).calls, 20);
    assert_eq!(dir.read("changes.csv"), gained, "nothing is new");
    let error = dir.idferry("export --changed-since 99 -o -").exits(2);
    error.says("the job file has no run of 99");
    let none = dir.idferry("export --changed-since last -o -").exits(0).out;
    let header = none.lines().next().unwrap();
    assert!(header.ends_with(",resolved_at,change"), "{header}");
}

#[test]
fn a_refused_subject_is_no_reason_for_another_exit_every_night() {
    let (dir, simulator) = TestDir::with_simulator(5);
    simulator.with(|remote| remote.force(&ids(2).0, Some(610_014)));
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    dir.idferry("resync").at(&simulator).exits(0);
}

#[test]
fn plan_resync_counts_what_is_due_and_how_old_answers_get() {
    let (dir, simulator) = TestDir::with_simulator(20);
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    let plan = dir.idferry("plan resync --budget 2 --json").exits(0).json();
    assert_eq!((&plan["calls"], &plan["nightly"]), (&0.into(), &2.into()));
    assert_eq!(plan["unlinked_days"], 8.0);
    assert_eq!(plan["linked_days"], 31.0);
    // 20 answers at one a night.
    let plan = dir.idferry("plan resync --budget 1 --json").exits(0).json();
    assert_eq!(plan["unlinked_days"], 20.0);
    let never = dir.idferry("plan resync --budget 0 --json").exits(0).json();
    assert!(never["unlinked_days"].is_null(), "{never}");
    dir.idferry("plan resync")
        .exits(0)
        .prints("At 237,096 calls a night unlinked answers get 8 days old.");
}
