//! A disk that has no room.

use super::test_dir::{TestDir, lookups, prompt, same_lines, simulator, timeless, unhurried};

#[test]
fn results_that_do_not_fit_are_told_and_lose_no_answer() {
    let simulator = simulator(prompt());
    let dir = TestDir::with_fans(30);
    dir.idferry("run fans.csv --output /dev/full")
        .at(&simulator)
        .output()
        .exits(1)
        .says("the disk is full, the results could not be written")
        .says("Finished: every subject is answered. (exit 1)")
        .says("`idferry export` writes them without a call");
    let status = dir.idferry("status --json").output().exits(0).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["run"]["exit_code"], 1, "{status}");
    dir.idferry("export").output().exits(0);
    assert!(!dir.read("fans.links.csv").contains("queued"));
    assert_eq!(lookups(&simulator).calls, 30);
    dir.idferry("export -o /dev/full").output().exits(1);
}

/// A limit on the size of files, as `ulimit -f` sets it, in blocks of 512 bytes: writes fail in the
/// middle of the run, wherever that happens to be.
#[test]
fn job_file_that_cannot_grow_ends_the_run_resumably() {
    const SUBJECTS: usize = 300;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS);
    let command = "run fans.csv --ticket none --concurrency 4";
    dir.idferry("run fans.csv --budget 0").output().exits(75);
    let idferry = env!("CARGO_BIN_EXE_idferry");
    let limited = format!("trap '' XFSZ; ulimit -f 256; exec '{idferry}' {command}");
    dir.program("sh", ["-c", &limited])
        .at(&simulator)
        .output()
        .exits(1)
        .says("Everything committed is safe")
        .says("type the same command again");
    let before = lookups(&simulator).calls;
    assert!(before > 0, "it ended before it had asked anything");

    dir.idferry(command).at(&simulator).output().exits(0);
    let calls = lookups(&simulator).calls;
    assert!(calls <= SUBJECTS as u64 + 40, "{before} and then {calls}");
    let undisturbed = TestDir::with_fans(SUBJECTS);
    undisturbed
        .idferry(command)
        .at(&simulator)
        .output()
        .exits(0);
    same_lines(
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
    .output()
    .exits(1)
    .says("the disk that holds the state file is full; everything committed is safe");
}
