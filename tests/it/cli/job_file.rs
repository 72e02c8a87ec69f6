//! What may be a job file, and what becomes of one that people copy, move or delete.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::test_dir::TestDir;

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
                .output()
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
            .output()
            .exits(8)
            .says("/dev/null is not idferry's: it is a device");
    }
    assert_eq!(std::fs::metadata("/dev/null").unwrap().mode(), mode);
}

#[test]
fn a_file_cut_short_is_refused() {
    let dir = TestDir::with_fans(200);
    dir.idferry("run fans.csv --budget 0").output().exits(75);
    let whole = std::fs::read(dir.path("idferry.db")).unwrap();
    for cut in [1, 2_048, 4_096] {
        dir.write("idferry.db", &whole[..whole.len() - cut]);
        for command in COMMANDS {
            dir.idferry(command)
                .output()
                .exits(1)
                .says("the state file is damaged");
        }
    }
}

/// A folder mounted read-only, where the system lets an ordinary process mount one.
#[test]
fn a_read_only_place_can_be_read() {
    let dir = TestDir::with_fans(5);
    std::fs::create_dir(dir.path("disk")).unwrap();
    dir.idferry("run fans.csv --state disk/job.db --budget 0")
        .output()
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
        read_only(&format!("'{idferry}' {command} --state disk/job.db"))
            .output()
            .exits(0);
    }
    read_only(&format!("'{idferry}' run fans.csv --state disk/job.db"))
        .output()
        .exits(1)
        .says("Read-only file system");
}
