//! A disk that has no room.

use crate::scenario::{same, timeless};

use super::test_dir::{TestDir, lookups, simulator, unhurried};

#[test]
fn results_that_do_not_fit_are_told_and_lose_no_answer() {
    let (dir, simulator) = TestDir::with_simulator(30);
    dir.idferry("run fans.csv --output /dev/full")
        .at(&simulator)
        .exits(1)
        .says("the disk is full, the results could not be written")
        .says("Finished: every subject is answered. (exit 1)")
        .says("`idferry export` writes them without a call");
    let status = dir.status();
    assert_eq!(status["run"]["exit_code"], 1, "{status}");
    dir.idferry("export").exits(0);
    assert!(!dir.read("fans.links.csv").contains("queued"));
    assert_eq!(lookups(&simulator).calls, 30);
    dir.idferry("export -o /dev/full").exits(1);
}

/// A limit on the size of files, as `ulimit -f` sets it, in blocks of 512 bytes: writes fail in the
/// middle of the run, wherever that happens to be.
#[test]
fn job_file_that_cannot_grow_ends_the_run_resumably() {
    const SUBJECTS: usize = 300;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS);
    let command = "run fans.csv --ticket none --concurrency 4";
    dir.idferry("run fans.csv --budget 0").exits(75);
    let idferry = env!("CARGO_BIN_EXE_idferry");
    let limited = format!("trap '' XFSZ; ulimit -f 256; exec '{idferry}' {command}");
    dir.program("sh", ["-c", &limited])
        .at(&simulator)
        .exits(1)
        .says("Everything committed is safe")
        .says("type the same command again");
    let before = lookups(&simulator).calls;
    assert!(before > 0, "it ended before it had asked anything");

    dir.idferry(command).at(&simulator).exits(0);
    let calls = lookups(&simulator).calls;
    assert!(calls <= SUBJECTS as u64 + 40, "{before} and then {calls}");
    let undisturbed = TestDir::with_fans(SUBJECTS);
    undisturbed.idferry(command).at(&simulator).exits(0);
    same(
        &timeless(&dir.read("fans.links.csv")),
        &timeless(&undisturbed.read("fans.links.csv")),
    );
}

/// A disk of 256 KiB, where the system lets an ordinary process mount one.
#[test]
fn a_full_disk_is_called_by_its_name() {
    let dir = TestDir::with_fans(5_000);
    let mount = "mkdir small && mount -t tmpfs -o size=256k tmpfs small";
    let in_namespace = |line: &str| {
        let line = format!("{mount} && exec {line}");
        dir.program(
            "unshare",
            ["--user", "--map-root-user", "--mount", "sh", "-c", &line],
        )
    };
    let may = in_namespace("true").command().output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no disk can be mounted here");
        return;
    }
    std::fs::remove_dir(dir.path("small")).unwrap();
    let idferry = env!("CARGO_BIN_EXE_idferry");
    in_namespace(&format!(
        "'{idferry}' run fans.csv --state small/state.db --budget 0"
    ))
    .exits(1)
    .says("the disk that holds the state file is full; everything committed is safe");
}
