//! What may be a job file, and what becomes of one that people copy, move or delete.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::scenario::{same, timeless};

use super::test_dir::{TestDir, lookups, simulator, unhurried};

/// Commands that open the job file, in order to write or to read it.
const COMMANDS: [&str; 6] = [
    "run fans.csv --budget 0",
    "run --budget 0",
    "retry --outcome parked",
    "status",
    "export -o elsewhere.csv",
    "plan fans.csv",
];

#[test]
fn other_files_are_refused_and_stay_as_they_are() {
    let dir = TestDir::with_fans(3);
    dir.write("notes.txt", "shopping list\n".repeat(100));
    let sql = "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)";
    let theirs = rusqlite::Connection::open(dir.path("app.db")).unwrap();
    theirs.execute_batch(sql).unwrap();
    drop(theirs);
    std::fs::create_dir(dir.path("folder")).unwrap();
    for (name, why) in [
        ("fans.csv", "it is not an SQLite database"),
        ("notes.txt", "it is not an SQLite database"),
        ("app.db", "another program made it"),
        ("folder", "it is a folder"),
    ] {
        let mode = if name == "folder" { 0o755 } else { 0o644 };
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(dir.path(name), mode).unwrap();
        let before = (dir.names(), std::fs::metadata(dir.path(name)).unwrap());
        let bytes = std::fs::read(dir.path(name)).ok();
        for command in COMMANDS {
            dir.idferry(command)
                .arg("--state")
                .arg(name)
                .exits(8)
                .says(&format!("{name} is not idferry's: {why}"));
        }
        let after = std::fs::metadata(dir.path(name)).unwrap();
        assert_eq!(dir.names(), before.0);
        assert_eq!(std::fs::read(dir.path(name)).ok(), bytes);
        assert_eq!(
            (after.mode(), after.mtime()),
            (before.1.mode(), before.1.mtime())
        );
    }
}

#[test]
fn devices_are_refused_and_keep_their_modes() {
    let dir = TestDir::with_fans(3);
    let mode = std::fs::metadata("/dev/null").unwrap().mode();
    for command in COMMANDS {
        dir.idferry(command)
            .args(["--state", "/dev/null"])
            .exits(8)
            .says("/dev/null is not idferry's: it is a device");
    }
    assert_eq!(std::fs::metadata("/dev/null").unwrap().mode(), mode);
}

#[test]
fn a_file_cut_short_is_refused() {
    let dir = TestDir::with_fans(200);
    dir.idferry("run fans.csv --budget 0").exits(75);
    let whole = std::fs::read(dir.path("idferry.db")).unwrap();
    for cut in [1, 2_048, 4_096] {
        dir.write("idferry.db", &whole[..whole.len() - cut]);
        for command in COMMANDS {
            dir.idferry(command)
                .exits(1)
                .says("the job file is damaged");
        }
    }
}

/// A folder mounted read-only, where the system lets an ordinary process mount one.
#[test]
fn a_read_only_place_can_be_read() {
    let dir = TestDir::with_fans(5);
    std::fs::create_dir(dir.path("disk")).unwrap();
    dir.idferry("run fans.csv --state disk/job.db --budget 0")
        .exits(75);
    let mount = "mount --bind disk disk && mount -o remount,bind,ro disk";
    let read_only = |line: &str| {
        let line = format!("{mount} && exec {line}");
        let words = ["--user", "--map-root-user", "--mount", "sh", "-c", &line];
        dir.program("unshare", words)
    };
    let may = read_only("true").command().output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no disk can be mounted here");
        return;
    }
    let idferry = env!("CARGO_BIN_EXE_idferry");
    for command in ["status", "export -o all.csv", "plan"] {
        read_only(&format!("'{idferry}' {command} --state disk/job.db")).exits(0);
    }
    read_only(&format!(
        "'{idferry}' run fans.csv --budget 0 --state disk/job.db"
    ))
    .exits(1)
    .says("Read-only file system");
}

#[test]
fn a_clean_end_leaves_one_file_and_a_kill_leaves_its_log() {
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(300);
    let command = "run fans.csv --ticket none --concurrency 4";
    let run = dir.idferry(command).started(&simulator, 30);
    run.kill().was_killed();
    assert!(dir.names().contains(&"idferry.db-wal".to_owned()));
    dir.idferry("status").exits(0);
    assert!(
        dir.names().contains(&"idferry.db-wal".to_owned()),
        "a reader took it away"
    );

    let done = dir.idferry(command).at(&simulator).exits(0);
    assert!(!done.err.contains("warning"), "{}", done.err);
    assert_eq!(dir.names(), ["fans.csv", "fans.links.csv", "idferry.db"]);
    let done = dir.idferry(command).at(&simulator).exits(0);
    assert!(!done.err.contains("warning"), "{}", done.err);
}

#[test]
fn a_log_that_was_left_behind_is_missed() {
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(300);
    dir.idferry("run fans.csv --budget 0").exits(75);
    let command = "run fans.csv --ticket none --concurrency 4";
    let run = dir.idferry(command).started(&simulator, 30);
    run.kill().was_killed();
    std::fs::rename(dir.path("idferry.db"), dir.path("moved.db")).unwrap();
    for (end, warns) in [(75, true), (75, false)] {
        let done = dir
            .idferry("run fans.csv --state moved.db --budget 0")
            .exits(end);
        let warned = done.err.contains("and its log moved.db-wal is gone");
        assert_eq!(warned, warns, "{}", done.err);
    }
}

/// Returns a run that has answers, and its folder.
fn interfered(interfere: impl FnOnce(&TestDir)) -> (TestDir, idferry::sim::Simulator) {
    const SUBJECTS: usize = 2_000;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS);
    let command = "run fans.csv --ticket none --concurrency 4";
    let run = dir.idferry(command).started(&simulator, 100);
    interfere(&dir);
    let sent = lookups(&simulator).calls;
    run.exits(1)
        .says("Halted: the job file idferry.db was deleted, moved or replaced under the run")
        .says("results   fans.links.csv");
    let more = lookups(&simulator).calls - sent;
    assert!(more < 200, "{more} more calls were sent");
    let results = dir.read("fans.links.csv");
    let answered = results.lines().filter(|line| !line.contains(",queued,"));
    assert!(answered.count() > 50);
    assert_eq!(
        results
            .lines()
            .filter(|line| line.contains("unionid"))
            .count(),
        1
    );
    (dir, simulator)
}

#[test]
fn a_run_whose_file_is_deleted_stops_and_writes_its_results() {
    let (dir, _simulator) = interfered(|dir| {
        std::fs::remove_file(dir.path("idferry.db")).unwrap();
    });
    assert!(!dir.names().contains(&"idferry.db".to_owned()));
}

#[test]
fn a_run_whose_file_is_moved_leaves_all_of_it_there() {
    let (dir, simulator) = interfered(|dir| {
        std::fs::rename(dir.path("idferry.db"), dir.path("moved.db")).unwrap();
    });
    let asked = lookups(&simulator).calls;
    let results = dir.read("fans.links.csv");
    dir.idferry("export --state moved.db -o again.csv").exits(0);
    same(&timeless(&dir.read("again.csv")), &timeless(&results));
    std::fs::rename(dir.path("moved.db"), dir.path("idferry.db")).unwrap();
    dir.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
    assert_eq!(lookups(&simulator).calls, 2_000, "{asked} before");
}

#[test]
fn a_run_whose_file_is_replaced_leaves_the_other_alone() {
    let other = TestDir::with_fans(7);
    other.idferry("run fans.csv --budget 0").exits(75);
    let (dir, _simulator) = interfered(|dir| {
        std::fs::rename(other.path("idferry.db"), dir.path("idferry.db")).unwrap();
    });
    let status = dir.status();
    assert_eq!(status["subjects"]["queued"], 7, "{status}");
}

#[test]
fn a_run_whose_log_is_deleted_stops_and_loses_nothing() {
    let (dir, simulator) = interfered(|dir| {
        std::fs::remove_file(dir.path("idferry.db-wal")).unwrap();
    });
    dir.idferry("run fans.csv --ticket none")
        .at(&simulator)
        .exits(0);
    assert_eq!(lookups(&simulator).calls, 2_000);
    assert!(!dir.names().contains(&"idferry.db-wal".to_owned()));
}

#[test]
fn a_backup_during_a_run_is_a_job_of_its_own() {
    const SUBJECTS: usize = 400;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS);
    let command = "run fans.csv --ticket none --concurrency 4";
    let run = dir.idferry(command).started(&simulator, 30);
    dir.idferry("backup copy.db")
        .exits(0)
        .says("copy.db: 400 subjects, ");
    run.kill().was_killed();
    assert_eq!(dir.mode("copy.db"), 0o600);
    let parts = |name: &String| name.ends_with(".part") || name.starts_with("copy.db-");
    assert!(!dir.names().iter().any(parts), "{:?}", dir.names());

    let answered = |state: &str| {
        let file = format!("{state}.csv");
        dir.idferry(&format!("export --state {state} -o {file}"))
            .exits(0);
        let results = dir.read(&file);
        let answered = results.lines().filter(|line| !line.contains(",queued,"));
        answered.map(str::to_owned).collect::<Vec<_>>()
    };
    let (copied, all) = (answered("copy.db"), answered("idferry.db"));
    assert!(copied.len() > 20 && copied.iter().all(|line| all.contains(line)));
    let done = dir
        .idferry("run fans.csv --state copy.db --ticket none")
        .at(&simulator)
        .exits(0);
    assert!(!done.err.contains("warning"), "{}", done.err);
    assert!(!dir.read("fans.links.csv").contains(",queued,"));
}

#[test]
fn a_backup_overwrites_nothing() {
    let dir = TestDir::with_fans(4);
    dir.idferry("backup copy.db")
        .exits(2)
        .says("there is no job file idferry.db");
    dir.idferry("run fans.csv --budget 0").exits(75);
    let before = dir.read("fans.csv");
    for target in ["fans.csv", "idferry.db"] {
        dir.idferry("backup")
            .arg(target)
            .exits(2)
            .says(&format!("{target} exists, and a backup overwrites nothing"));
    }
    assert_eq!(dir.read("fans.csv"), before);
    dir.idferry("backup nowhere/copy.db")
        .exits(1)
        .says("the backup nowhere/copy.db could not be written: No such file");
    assert_eq!(dir.names(), ["fans.csv", "fans.links.csv", "idferry.db"]);
}
