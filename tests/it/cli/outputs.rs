//! What no output replaces, and which files are not taken for inputs.

use std::os::unix::fs::symlink;

use super::server::{Reply, Server};
use super::test_dir::{TestDir, fans, ids, lookups, prompt, simulator};

/// A folder with `fans.csv` and other files that a user may lose.
fn desk() -> TestDir {
    let dir = TestDir::with_fans(5);
    dir.write("more.csv", fans(5..9));
    dir.write("idferry.toml", "[run]\nmargin = 0.1\n");
    dir.write("secret", "hush");
    dir.write("mine.txt", "notes");
    symlink("fans.csv", dir.path("link.csv")).unwrap();
    std::fs::hard_link(dir.path("fans.csv"), dir.path("hard.csv")).unwrap();
    dir
}

#[test]
fn nothing_of_the_users_is_an_output() {
    let dir = desk();
    let before = dir.names();
    for (flags, says) in [
        ("--output fans.csv", "fans.csv is an input"),
        ("--output ./../x/fans.csv", "there is no folder"),
        ("--output ././fans.csv", "././fans.csv is an input"),
        ("--output link.csv", "link.csv is an input"),
        ("--output hard.csv --overwrite", "hard.csv is an input"),
        ("--output more.csv --overwrite", "more.csv is an input"),
        ("--output idferry.db", "idferry.db is the job file"),
        ("--output idferry.db-wal", "idferry.db-wal is the job file"),
        ("--output idferry.db-shm", "idferry.db-shm is the job file"),
        ("--output idferry.toml --overwrite", "is the configuration"),
        ("--output secret --overwrite", "is the secret's file"),
        ("--output mine.txt", "mine.txt is there already"),
        ("--rejects fans.csv --overwrite", "fans.csv is an input"),
        ("--rejects idferry.db", "idferry.db is the job file"),
        ("--rejects mine.txt", "name another file with --rejects"),
        (
            "--output x.csv --rejects x.csv",
            "x.csv is where the results go",
        ),
        (
            "--output x.csv --rejects ./x.csv",
            "x.csv is where the results go",
        ),
        ("--log-file fans.csv", "fans.csv is an input"),
        (
            "--log-file idferry.db --overwrite",
            "idferry.db is the job file",
        ),
        (
            "--log-file mine.txt",
            "mine.txt is there already and is no log of idferry",
        ),
        (
            "--output x.csv --log-file x.csv",
            "x.csv is where the results go",
        ),
    ] {
        dir.idferry(&format!("run fans.csv more.csv {flags} --budget 0"))
            .env("WECOM_CORP_SECRET_FILE", dir.path("secret"))
            .exits(2)
            .says(says);
        assert_eq!(dir.names(), before, "{flags}: nothing was done");
    }
    assert_eq!(dir.read("fans.csv"), fans(0..5));
    assert_eq!(dir.read("mine.txt"), "notes");
}

#[test]
fn a_log_is_appended_to_the_logs_of_earlier_runs() {
    let dir = desk();
    let run = "run fans.csv --sandbox --log-file run.log --log-format";
    dir.idferry(&format!("{run} text")).exits(0);
    let first = dir.read("run.log");
    dir.write("fans.csv", fans(5..9));
    dir.idferry(&format!("{run} json")).exits(0);
    let both = dir.read("run.log");
    assert!(both.len() > first.len() && both.starts_with(&first));
    dir.idferry("run run.log --budget 0")
        .exits(2)
        .says("run.log is a log of idferry");
    dir.idferry("status --sandbox --log-file status.log")
        .exits(2);
}

#[test]
fn second_input_named_like_the_default_output_stays() {
    let dir = desk();
    dir.write("fans.links.csv", fans(5..9));
    dir.idferry("run fans.csv fans.links.csv --budget 0")
        .exits(2)
        .says("fans.links.csv is an input, which nothing is written over");
    assert_eq!(dir.read("fans.links.csv"), fans(5..9));
}

#[test]
fn export_replaces_what_its_job_wrote_and_nothing_else() {
    let dir = desk();
    dir.idferry("run fans.csv --sandbox --state idferry.db")
        .exits(0);
    let state = std::fs::read(dir.path("idferry.db")).unwrap();
    for name in [
        "idferry.db",
        "fans.csv",
        "link.csv",
        "more.csv",
        "secret",
        "idferry.toml",
    ] {
        dir.idferry("export -o")
            .arg(name)
            .exits(2)
            .says("name another file with --output");
    }
    for name in ["idferry.db", "fans.csv", "idferry.toml"] {
        dir.idferry("export --overwrite -o").arg(name).exits(2);
    }
    assert_eq!(std::fs::read(dir.path("idferry.db")).unwrap(), state);
    assert_eq!(dir.read("fans.csv"), fans(0..5));
    for _ in 0..2 {
        dir.idferry("export -o part.csv --outcome linked").exits(0);
        dir.idferry("export").exits(0);
    }
    // An empty file holds nothing that could be lost.
    dir.write("empty.csv", "");
    dir.idferry("export -o empty.csv").exits(0);
    dir.idferry("export -o more.csv --overwrite").exits(0);
    assert!(dir.read("more.csv").contains("linked"));
}

#[test]
fn results_of_another_job_are_kept() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --sandbox --output x.csv")
        .exits(0);
    let theirs = dir.read("x.csv");
    dir.write("more.csv", fans(5..19));
    dir.idferry("run more.csv --sandbox --state new.db --output x.csv")
        .exits(2)
        .says("x.csv was written by another job than that of new.db")
        .says("--overwrite");
    assert_eq!(dir.read("x.csv"), theirs);
    assert!(!dir.names().contains(&"new.db".to_owned()));
    dir.idferry("run more.csv --sandbox --state new.db --output x.csv --overwrite")
        .exits(0);
    // Now they are the other job's.
    dir.idferry("run fans.csv --sandbox --output x.csv")
        .exits(2);
}

#[test]
fn moved_job_knows_its_results() {
    let dir = TestDir::new();
    std::fs::create_dir(dir.path("a")).unwrap();
    dir.write("a/fans.csv", fans(0..5));
    let run = |folder: &str| {
        let line = format!("run {folder}/fans.csv --sandbox --state {folder}/s.db");
        let output = format!("{folder}/x.csv");
        dir.idferry(&line).arg("--output").arg(output).exits(0);
    };
    run("a");
    std::fs::rename(dir.path("a"), dir.path("b")).unwrap();
    run("b");
}

#[test]
fn sandbox_and_real_results_have_names_of_their_own() {
    let dir = TestDir::new();
    dir.write("fans.csv", fans(0..5) + "bad,\n");
    let simulator = simulator(prompt());
    dir.idferry("run fans.csv").at(&simulator).exits(3);
    let real = (dir.read("fans.links.csv"), dir.read("fans.rejects.csv"));
    dir.idferry("run fans.csv --sandbox").exits(3);
    assert_eq!(
        (dir.read("fans.links.csv"), dir.read("fans.rejects.csv")),
        real
    );
    assert!(dir.read("fans.sandbox.links.csv").contains("linked"));
    assert!(dir.read("fans.sandbox.rejects.csv").contains("bad"));
    dir.idferry("export --sandbox --outcome linked").exits(0);
    assert!(dir.read("fans.sandbox.linked.csv").contains("linked"));
}

#[test]
fn run_without_answers_leaves_older_results_alone() {
    let dir = TestDir::with_fans(5);
    dir.idferry("run fans.csv --sandbox --output x.csv")
        .exits(0);
    let older = dir.read("x.csv");
    let command = "run fans.csv --state new.db --output x.csv --overwrite --budget 0";
    dir.idferry(command).exits(75);
    assert_eq!(dir.read("x.csv"), older);
}

#[test]
fn glob_typed_twice_asks_every_subject_once() {
    let dir = TestDir::new();
    dir.write("a.csv", fans(0..40) + "bad,\n");
    dir.write("b.csv", fans(40..50));
    let simulator = simulator(prompt());
    let glob = || {
        dir.program("sh", ["-c", "exec \"$0\" run *.csv"])
            .arg(env!("CARGO_BIN_EXE_idferry"))
    };
    glob().at(&simulator).exits(3);
    let results = dir.read("a.links.csv");
    glob()
        .at(&simulator)
        .exits(3)
        .says("a.links.csv is a results file of idferry: skipped")
        .says("a.rejects.csv is a rejects file in which nothing was mended: skipped");
    assert_eq!(lookups(&simulator).calls, 50);
    assert_eq!(dir.read("a.links.csv"), results);
    dir.idferry("plan a.csv a.links.csv a.rejects.csv").exits(0);
    dir.idferry("run a.links.csv")
        .exits(2)
        .says("a.links.csv is a results file of idferry: name an input");
    dir.idferry("run - --budget 0")
        .with_stdin(results)
        .exits(2)
        .says("standard input is a results file of idferry");
}

#[test]
fn rejects_are_mended_and_given_back() {
    let dir = TestDir::new();
    let (unionid, openid) = ids(7);
    let (other, _) = ids(8);
    // Columns in another order, one more than the second has; a formula; a line too short.
    dir.write(
        "a.csv",
        format!("手机,openid,会员unionid\n138,{openid},=bad\n139\n140,{openid},{other}\n"),
    );
    let columns = "--columns unionid=会员unionid";
    let run = |input: &str| dir.idferry(&format!("run {input} {columns} --budget 0"));
    run("a.csv").exits(75);
    let rejects = dir.read("a.rejects.csv");
    let expected = format!(
        "source,line,column,reason,unionid,openid,corpid,other_1\n\
         a.csv,2,会员unionid,has the character '='; ids are made of A-Z a-z 0-9 _ -,\
         '=bad,{openid},,138\n\
         a.csv,3,会员unionid,is missing: the line has 1 field,,,,139\n"
    );
    assert_eq!(rejects, expected);

    // Half of it is mended: it is no longer idferry's to replace, but an input.
    dir.write("a.rejects.csv", rejects.replace("'=bad", &unionid));
    run("a.csv")
        .exits(2)
        .says("was changed since this job wrote it");
    run("a.rejects.csv")
        .exits(75)
        .says("a.rejects.csv: 2 lines, 1 new subject, 1 invalid");
    let again = dir.read("a.rejects.rejects.csv");
    assert!(
        again.contains("\na.rejects.csv,3,unionid,is empty,,,,139\n"),
        "{again}"
    );
    let results = dir.idferry("export -o -").exits(0).out;
    assert!(
        results.contains(&format!("{unionid},{openid},,")),
        "{results}"
    );
    // Imported, nothing in it can be lost.
    run("a.csv").exits(75);
    let left = dir.read("a.rejects.csv");
    assert!(
        left.contains("\na.rejects.csv,3,unionid,is empty,,,,139\n"),
        "{left}"
    );
    assert!(!left.contains("'=bad"), "it was mended: {left}");
}

#[test]
fn output_is_compressed_by_its_name() {
    let dir = TestDir::with_fans(40);
    dir.idferry("run fans.csv --sandbox --output x.csv.gz")
        .exits(0);
    let plain = dir.idferry("export --sandbox -o -").exits(0).out;
    let unpacked = |program: &str, name: &str| {
        let done = dir.program(program, ["-dc", name]).exits(0);
        assert_eq!(done.out, plain, "{name}");
    };
    unpacked("gzip", "x.csv.gz");
    let first = std::fs::read(dir.path("x.csv.gz")).unwrap();
    std::fs::remove_file(dir.path("x.csv.gz")).unwrap();
    dir.idferry("export --sandbox -o x.csv.gz").exits(0);
    assert_eq!(
        std::fs::read(dir.path("x.csv.gz")).unwrap(),
        first,
        "the same bytes"
    );
    dir.idferry("export --sandbox -o x.csv.zst").exits(0);
    let packed = std::fs::read(dir.path("x.csv.zst")).unwrap();
    assert!(packed.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
    // They are this job's, and no inputs.
    dir.idferry("export --sandbox -o x.csv.zst").exits(0);
    dir.idferry("run fans.csv x.csv.gz x.csv.zst --sandbox --output x.csv.gz")
        .exits(0)
        .says("x.csv.gz is a results file of idferry: skipped")
        .says("x.csv.zst is a results file of idferry: skipped");
}

#[test]
fn what_a_killed_process_left_is_swept() {
    let dir = TestDir::with_fans(5);
    dir.write(".x.csv.aB3dE6.part", "half");
    dir.idferry("run fans.csv --sandbox --output x.csv")
        .exits(0);
    assert_eq!(
        dir.names(),
        ["fans.csv", "sandbox.db", "sandbox.ledger.db", "x.csv"]
    );
}

#[test]
fn formulas_from_the_server_are_harmless() {
    let list = r#"[{"corpid":"@wp","external_userid":"=HYPERLINK(1)"}]"#;
    let answer = format!(r#"{{"errcode":0,"errmsg":"ok","external_userid_info":{list}}}"#);
    let server = Server::with_token("token", move |_| Reply::Json(answer.clone()));
    let dir = TestDir::with_fans(1);
    dir.idferry("run fans.csv --ticket none")
        .with_server(server.base_url())
        .exits(0);
    let results = dir.read("fans.links.csv");
    assert!(
        results.contains(",'@wp,'=HYPERLINK(1),,linked,0,"),
        "{results}"
    );
}

#[test]
fn names_cannot_steer_the_terminal() {
    let dir = TestDir::new();
    let name = "a\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}.csv";
    let quiet = |said: String| {
        let steers = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!said.contains(steers), "{said:?}");
    };
    let run = |content: String| {
        dir.write(name, content);
        dir.idferry("run --budget 0").arg(name).output()
    };
    quiet(
        run("\u{1b}[31mred,\u{9b}2J\u{7}\n1,2\n".to_owned())
            .exits(2)
            .err,
    );
    let done = run(fans(0..5) + "bad,\n").exits(75).says("5 new subjects");
    quiet(done.err);
    quiet(dir.idferry("plan").arg(name).exits(0).out);
    let events = dir
        .idferry("run --budget 0 --progress json")
        .arg(name)
        .exits(75)
        .err;
    for event in events.lines() {
        serde_json::from_str::<serde_json::Value>(event).unwrap();
    }
    quiet(events);
    quiet(dir.idferry("export -o").arg(name).exits(2).err);
}

#[test]
fn configuration_that_does_not_end_is_refused() {
    let dir = TestDir::with_fans(5);
    dir.program("mkfifo", ["pipe"]).exits(0);
    for file in ["/dev/zero", "pipe"] {
        dir.idferry("status --config")
            .arg(file)
            .exits(2)
            .says("a pipe or a device");
        dir.idferry("run fans.csv --ticket none")
            .env("WECOM_CORP_ID", "ww1")
            .env("WECOM_CORP_SECRET_FILE", file)
            .exits(2)
            .says("a pipe or a device");
    }
}

#[test]
fn limit_of_open_files_bounds_the_calls_in_flight() {
    let (dir, simulator) = TestDir::with_simulator(300);
    let limited = |limit: &str| {
        let script = format!("ulimit -n {limit}; exec \"$0\" run fans.csv --concurrency 1024");
        let run = dir.program("sh", ["-c", &script]);
        run.arg(env!("CARGO_BIN_EXE_idferry"))
            .at(&simulator)
            .output()
    };
    for few in ["6", "64"] {
        limited(few).exits(2).says("which is too few");
    }
    limited("100")
        .exits(0)
        .says("at most 36 calls in flight instead of 1,024");
    assert_eq!(lookups(&simulator).answered, 300);
}
