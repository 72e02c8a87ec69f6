//! What a run prints while it works, in each form.

use std::process::Stdio;

use serde_json::Value;

use super::test_dir::TestDir;

#[test]
fn progress_as_json_has_the_documented_fields() {
    let (dir, simulator) = TestDir::with_simulator(50);
    let typed = dir.idferry("run fans.csv --ticket none --progress json");
    let done = typed.at(&simulator).exits(0);
    let events = events(&done);
    let named = |name: &str| {
        let found = events.iter().rfind(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no {name} in\n{}", done.err))
    };
    assert_eq!(events[0]["event"], "message");
    assert_eq!(events[1]["event"], "started");
    assert_eq!(events[1]["subjects"]["queued"], 50);
    named("token_fetched");
    assert!(named("outlook").get("finish_at").is_some());
    let last = named("progress");
    let fields = "at subjects calls in_flight width calls_per_second finish_at windows waiting";
    for field in fields.split(' ') {
        assert!(last.get(field).is_some(), "no {field} in {last}");
    }
    let subjects = &last["subjects"];
    let states = ["queued", "linked", "unlinked", "rejected", "parked"];
    let sum: u64 = states
        .iter()
        .map(|state| subjects[state].as_u64().unwrap())
        .sum();
    assert_eq!((sum, subjects["total"].as_u64()), (50, Some(50)));
    let windows: Vec<_> = last["windows"].as_array().unwrap().iter().collect();
    assert_eq!(windows.len(), 5);
    for window in windows {
        assert!(window["used"].as_u64() <= Some(50), "{window}");
        assert!(window["limit"].as_u64() > Some(9_000), "{window}");
    }
}

#[test]
fn the_last_progress_is_the_end() {
    let (dir, simulator) = TestDir::with_simulator(50);
    let typed = dir.idferry("run fans.csv --ticket none --progress json");
    let done = typed.at(&simulator).exits(0);
    let progress = events(&done);
    let progress = progress.iter().rfind(|event| event["event"] == "progress");
    let last = progress.unwrap();
    assert_eq!(last["calls"], 50);
    assert_eq!(last["in_flight"], 0);
    assert_eq!(last["subjects"]["queued"], 0);
}

/// All of standard error, which must be JSON lines.
fn events(done: &super::test_dir::Output) -> Vec<Value> {
    let parsed = |line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    done.err.lines().map(parsed).collect()
}

#[test]
fn ended_event_has_all_of_the_summary_and_nothing_else_is_printed() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let typed = "run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit \
                 --progress json";
    let done = dir.idferry(typed).at(&simulator).exits(75);
    let events = events(&done);
    assert_eq!(events[0]["event"], "message");
    assert_eq!(events[0]["text"], "fans.csv: 20 lines, 20 new subjects");
    let mut last = events.last().unwrap().clone();
    for moving in ["at", "seconds", "come_back_at"] {
        assert!(!last[moving].is_null(), "no {moving} in {last}");
        last[moving] = Value::Null;
    }
    last["next"][0] = last["next"][0].as_str().unwrap()[..12].into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&last).unwrap(), @r#"
    {
      "at": null,
      "calls": 5,
      "changes": null,
      "come_back_at": null,
      "command": "idferry run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit --progress json",
      "drawn": null,
      "ending": "quota",
      "event": "ended",
      "exit_code": 75,
      "kept": 0,
      "left": 15,
      "next": [
        "come back at",
        "idferry run fans.csv --ticket none --quota business.hour=5 --margin 0 --on-quota exit --progress json"
      ],
      "refusals": [],
      "rejects": null,
      "results": {
        "lines": 20,
        "path": "fans.links.csv"
      },
      "seconds": null,
      "subjects": {
        "linked": 3,
        "parked": 0,
        "queued": 15,
        "rejected": 0,
        "total": 20,
        "unlinked": 2
      },
      "text": "Stopped: business.hour is used up, 15 subjects left.",
      "ticket_until": null,
      "used_elsewhere": false,
      "waits": {},
      "windows": [
        {
          "limit": 10000,
          "used": 5,
          "window": "basic.minute"
        },
        {
          "limit": 150000,
          "used": 5,
          "window": "basic.hour"
        },
        {
          "limit": 5,
          "used": 5,
          "window": "business.hour"
        },
        {
          "limit": 480000,
          "used": 5,
          "window": "business.day"
        },
        {
          "limit": 7500000,
          "used": 5,
          "window": "business.month"
        }
      ]
    }
    "#);
}

#[test]
fn quiet_keeps_requested_events() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let typed = dir.idferry("run fans.csv --ticket none --progress json -q");
    let done = typed.at(&simulator).exits(0);
    let events = events(&done);
    assert!(events.iter().all(|event| event["event"] != "message"));
    let last = events.last().unwrap();
    assert_eq!(last["event"], "ended");
    assert_eq!(last["exit_code"], 0);
    assert_eq!(last["results"]["path"], "fans.links.csv");
}

#[test]
fn what_goes_wrong_and_what_is_logged_are_events_too() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let typed = dir.idferry("run fans.csv more.csv --progress json");
    let done = typed.at(&simulator).exits(2);
    let told = events(&done);
    let text = told.last().unwrap()["text"].as_str().unwrap();
    assert!(text.starts_with("idferry: cannot open more.csv"), "{text}");
    let typed = dir.idferry("run fans.csv --ticket none --progress json -vv");
    let done = typed.at(&simulator).exits(0);
    assert!(events(&done).iter().any(|line| line["level"] == "INFO"));
}

#[test]
fn a_wait_is_told_as_json_with_its_window_and_its_end() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let command = "run fans.csv --ticket none --quota business.hour=5 --margin 0 --progress json";
    let mut run = dir.idferry(command).at(&simulator).start();
    let line = run.says(r#""reason":"window""#);
    let waiting = &serde_json::from_str::<Value>(&line).unwrap()["waiting"];
    assert_eq!(waiting["window"], "business.hour");
    assert!(waiting["until"].as_str().unwrap().ends_with("+08:00"));
    // `status` says the same a moment later.
    let mut status = Value::Null;
    run.until("the wait on disk", || {
        status = dir.status();
        !status["waiting"].is_null()
    });
    assert_eq!(status["waiting"]["reason"], "business.hour is used up");
    assert_eq!(status["waiting"]["until"], waiting["until"]);
    run.kill();
}

#[test]
fn quiet_success_prints_nothing() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let quiet = "run fans.csv --progress none -q";
    let done = dir.idferry(quiet).at(&simulator).exits(0);
    assert_eq!((&*done.out, &*done.err), ("", ""));
    // What did not end well is told all the same.
    dir.idferry("run more.csv -q")
        .at(&simulator)
        .exits(2)
        .says("cannot open more.csv");
    dir.write("more.csv", super::test_dir::fans(20..30));
    let stopped = dir
        .idferry("run more.csv -q --budget 3")
        .at(&simulator)
        .output();
    stopped.exits(75).says("7 subjects left");
}

#[test]
fn no_progress_still_sums_up() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let typed = dir.idferry("run fans.csv --progress none").at(&simulator);
    let done = typed.exits(0).prints_nothing();
    let done = done.says("Finished: every subject is answered.");
    assert!(!done.err.contains("to be asked"), "{}", done.err);
}

#[test]
fn a_reader_who_leaves_is_no_failure() {
    let (dir, simulator) = TestDir::with_simulator(300);
    dir.idferry("run fans.csv --budget 0 -q").exits(75);
    let run = "run fans.csv --output -";
    for line in [run, "export -o -", "status", "status --json", "run -h"] {
        let mut command = dir.idferry(line).at(&simulator).command();
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{line}: {err}");
        for complaint in ["panicked", "roken pipe", "could not be written"] {
            assert!(!err.contains(complaint), "{line}: {err}");
        }
    }
    assert_eq!(super::test_dir::lookups(&simulator).calls, 300);
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    let (dir, simulator) = TestDir::with_simulator(20);
    let mut command = dir.idferry("run fans.csv").at(&simulator).command();
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!dir.read("fans.links.csv").contains("queued"));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let (dir, simulator) = TestDir::with_simulator(5);
    let colours = |variables: &[(&str, &str)]| {
        let mut typed = dir.idferry("run fans.csv").at(&simulator);
        for (name, value) in variables {
            typed = typed.env(name, value);
        }
        typed.exits(0).err.contains('\x1b')
    };
    assert!(!colours(&[]), "not into a pipe");
    assert!(colours(&[("CLICOLOR_FORCE", "1")]));
    assert!(!colours(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colours(&[("CLICOLOR_FORCE", "0")]));
}
