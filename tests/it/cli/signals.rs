//! Ctrl-C, SIGTERM and SIGHUP.

use std::{io::Write, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    server::{Reply, Server},
    test_dir::{TestDir, fans, lookups, prompt, simulator, unhurried},
};

#[test]
fn interrupt_drains_and_the_same_command_resumes() {
    drains_and_resumes(Signal::INT);
}

#[test]
fn termination_drains_and_the_same_command_resumes() {
    drains_and_resumes(Signal::TERM);
}

#[test]
fn hangup_drains_and_the_same_command_resumes() {
    drains_and_resumes(Signal::HUP);
}

#[test]
fn hangup_that_was_to_be_ignored_ends_nothing() {
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(100);
    let script = "trap '' HUP; exec \"$0\" run fans.csv --ticket none --concurrency 4";
    let run = dir
        .program("sh", ["-c", script])
        .arg(env!("CARGO_BIN_EXE_idferry"));
    let mut run = run.at(&simulator).start();
    run.until("thirty calls", || lookups(&simulator).calls >= 30);
    run.signal(Signal::HUP);
    run.exits(0);
}

#[test]
fn an_export_ends_on_a_signal_and_leaves_no_file() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --sandbox").exits(0);
    dir.program("mkfifo", ["pipe"]).exits(0);
    let names = || {
        let mut names = dir.names();
        // SQLite removes what it made beside the job file when it is closed next.
        names.retain(|name| !name.starts_with("sandbox.db-"));
        names
    };
    let before = names();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // No process reads the pipe: the export waits.
        let mut export = dir.idferry("export --sandbox -o pipe").start();
        let status = format!("/proc/{}/status", export.pid());
        export.until("handlers for signals 1, 2 and 15", || {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let mask = u64::from_str_radix(caught.unwrap_or("0").trim(), 16).unwrap();
            mask & 0x4003 == 0x4003
        });
        export.signal(signal);
        export.exits(130).says("interrupted");
        assert_eq!(names(), before);
    }
}

fn drains_and_resumes(signal: Signal) {
    const SUBJECTS: u64 = 300;
    let simulator = simulator(unhurried());
    let dir = TestDir::with_fans(SUBJECTS as usize);
    let command = "run fans.csv --ticket none --concurrency 4";
    let mut run = dir.idferry(command).started(&simulator, 30);
    run.signal(signal);
    run.says("stopping: no new calls");
    // Some senders signal the process and its group: a second signal at once is the same one.
    run.signal(signal);
    run
        .exits(130)
        .says("Interrupted: every answer is saved")
        .says("re-run the same command to resume\n    idferry run fans.csv --ticket none --concurrency 4\n");
    // Every call that was answered is in the results, those in flight included.
    let answered = lookups(&simulator).answered;
    assert!((30..SUBJECTS).contains(&answered), "{answered}");
    let left = SUBJECTS - answered;
    let results = dir.read("fans.links.csv");
    let queued = results.lines().filter(|line| line.ends_with(",queued,,"));
    assert_eq!(queued.count() as u64, left);

    dir.idferry(command).at(&simulator).exits(0);
    assert_eq!(lookups(&simulator).calls, SUBJECTS);
    assert!(!dir.read("fans.links.csv").contains("queued"));
}

#[test]
fn second_interrupt_exits_at_once_and_loses_nothing() {
    let answered = r#"{"errcode":0,"errmsg":"ok","external_userid_info":[]}"#;
    let server = Server::with_token("token", move |request| {
        let number = request.field("unionid")[6..].parse::<u32>().unwrap();
        match number {
            0..5 => Reply::Json(answered.to_owned()),
            _ => Reply::Hang,
        }
    });
    let dir = TestDir::with_fans(20);
    let mut run = dir
        .idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .start();
    run.until("five answers on disk", || {
        dir.status()["subjects"]["unlinked"] == 5
    });
    run.until("a call that hangs", || server.lookups() > 5);
    run.signal(Signal::INT);
    run.says("interrupt again to exit immediately");
    run.insists(Signal::INT)
        .exits(130)
        .says("exited immediately: everything committed is saved");
    let export = dir.idferry("export --outcome unlinked -o -").exits(0);
    assert_eq!(export.out.lines().count(), 1 + 5);

    let simulator = simulator(prompt());
    let other_corp = dir.idferry("run fans.csv --ticket none").at(&simulator);
    other_corp.exits(8);
    assert_eq!(lookups(&simulator).calls, 0);
}

#[test]
fn a_wait_for_the_quota_is_left_at_once() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let mut run = dir
        .idferry("run fans.csv --ticket none --quota business.hour=5 --margin 0")
        .at(&simulator)
        .start();
    run.says("waiting: business.hour is used up, resumes at ");
    run.signal(Signal::INT);
    run.exits(130).says("15 subjects left");
    assert_eq!(lookups(&simulator).calls, 5);
}

#[test]
fn signal_during_import_exits_and_keeps_no_half_source() {
    let dir = TestDir::new();
    dir.write("first.csv", fans(0..10));
    dir.idferry("run first.csv --budget 0").exits(75);
    // Enough for a commit on the way: 100,000 rows, and what a pipe and the buffers hold.
    let all = fans(0..140_000);
    let mut child = dir
        .idferry("run - --budget 0")
        .command()
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(all.as_bytes()).unwrap();
    // Readers see nothing of it.
    let beside = dir.idferry("export -o -").exits(0).out;
    assert_eq!(beside.lines().count(), 1 + 10);
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // It ends at the next line.
    while stdin.write_all(all.as_bytes()).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let runs = dir.idferry("runs --json").exits(0).json();
    assert_eq!(runs["runs"][1]["exit_code"], 130, "{runs}");
    drop(stdin);
    dir.write("all.csv", all);
    dir.idferry("run all.csv --budget 0")
        .exits(75)
        .says("all.csv: 140,000 lines, 139,990 new subjects, 10 repeated");
}

/// A named pipe that no process reads: the export waits for a reader.
#[test]
fn a_signal_during_the_export_leaves_at_once() {
    let dir = TestDir::with_fans(20);
    dir.program("mkfifo", ["pipe"]).exits(0);
    let mut run = dir.idferry("run fans.csv --budget 0 --output pipe").start();
    // The run itself has ended; its exit code is on disk.
    let ended = || dir.status()["run"]["exit_code"] == 75;
    run.until("the end on disk", ended);
    run.signal(Signal::TERM);
    run.exits(130).says("re-run the same command to resume");
    assert!(ended());
    let exported = dir.idferry("export -o -").exits(0).out;
    assert_eq!(exported.lines().count(), 1 + 20);
}
