//! The same command again resumes where the run stopped.

use idferry::{
    job::{Unobserved, invent},
    model::{Row, State},
    runner::event::{RunEvent, StopReason},
    store::{ImportStats, Store},
};

use crate::scenario::{Scenario, same, secs, timeless};

#[test]
fn a_quiet_run_asks_every_subject_once() {
    let mut scenario = Scenario::new(3_000);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.lookups().calls, 3_000);
    assert_eq!(result.report.calls, 3_000);
    assert_eq!(scenario.sent(), 3_000);
}

#[test]
fn a_finished_job_run_again_asks_nothing() {
    let mut scenario = Scenario::new(100);
    let first = scenario.run();
    scenario.idle(secs(1));
    let second = scenario.run();
    assert!(second.finished());
    assert_eq!(second.report.calls, 0);
    same(&first.export, &second.export);
}

/// For every commit, runs a scenario killed once after it, and passes its export to `each`.
fn killed_once_everywhere(make: impl Fn() -> Scenario, mut each: impl FnMut(&str)) {
    for commits in 1.. {
        println!("killed after commit {commits}");
        let mut scenario = make().kill_once_after(commits);
        let result = scenario.run();
        assert!(result.finished());
        each(&result.export);
        // At most one repetition for each call in flight.
        assert!(scenario.sent() <= 150 + 64);
        if result.kills == 0 {
            assert!(commits > 10, "only {commits} crash points");
            return;
        }
    }
}

#[test]
fn resumed_after_any_commit_exports_the_same_bytes() {
    let make = || {
        Scenario::timeless(150).configure(|setup| {
            // Small blocks: many commits.
            setup.options.commit_policy.most = 3;
            setup.concurrency = idferry::gate::Concurrency::Fixed(3);
        })
    };
    let undisturbed = make().run().export;
    killed_once_everywhere(make, |export| same(&undisturbed, export));
}

#[test]
fn resumed_after_any_commit_exports_the_same_but_for_times() {
    let make = || Scenario::new(150).latency_millis(20, 200);
    let undisturbed = make().run().results();
    killed_once_everywhere(make, |export| same(&undisturbed, &timeless(export)));
}

#[test]
fn a_run_killed_after_every_commit_comes_to_the_same_results() {
    let undisturbed = Scenario::new(400).run();
    let killed = Scenario::new(400).kill_every(1).run();
    same(&undisturbed.results(), &killed.results());
    assert!(killed.kills > 100, "{}", killed.kills);
}

#[test]
fn run_killed_anywhere_has_the_same_results() {
    let undisturbed = Scenario::new(400).run();
    for seed in 0..8 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let lives: Vec<u64> = (0..40).map(|_| chance.u64(0..400)).collect();
        let killed = Scenario::new(400).seed(1).kill_after_millis(lives).run();
        same(&undisturbed.results(), &killed.results());
        assert!(killed.kills > 5, "{}", killed.kills);
    }
}

#[test]
fn a_run_killed_on_a_bad_day_comes_to_the_same_results() {
    let undisturbed = Scenario::new(300).run();
    for seed in 0..4 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let lives: Vec<u64> = (0..60).map(|_| chance.u64(0..3_000)).collect();
        let mut scenario = Scenario::new(300)
            .faults("mild,busy=0.05,cut=0.05,hang=0.01,reset_after=0.05")
            .configure(|setup| setup.options.seed = seed)
            .kill_after_millis(lives);
        let killed = scenario.run();
        assert_eq!(killed.of(State::Parked), 0, "choose another seed");
        same(&undisturbed.results(), &killed.results());
    }
}

#[test]
fn the_rehearsal_itself_kills_and_resumes_as_well() {
    let mut scenario = Scenario::new(200);
    let undisturbed = scenario.run().results();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("idferry.db");
    invent(&path, 200, 7, scenario.setup.start).unwrap();
    scenario.setup.kill_every = Some(2);
    let rehearsed = scenario.setup.play(&path, &mut Unobserved).unwrap();
    assert!(rehearsed.kills > 20, "{}", rehearsed.kills);
    let reader = idferry::store::Reader::open(&path).unwrap();
    let results = crate::scenario::export(&reader);
    same(&undisturbed, &timeless(&results));
}

#[test]
fn stopped_run_drains_commits_and_is_resumed() {
    let undisturbed = Scenario::new(500).run();
    let mut scenario = Scenario::new(500).stopping_after(100);
    let stopped = scenario.run();
    assert!(matches!(stopped.report.reason, StopReason::Interrupted));
    assert_eq!(stopped.times("draining"), 1);
    let queued = stopped.of(State::Queued);
    assert!((300..=400).contains(&queued), "{queued}");
    // Every call that was sent was awaited and is on disk.
    let call_log = scenario.call_log();
    assert_eq!(call_log.lookups().count() as u64, 500 - queued);
    assert!(call_log.lookups().all(|call| call.completed.is_some()));
    drop(call_log);
    assert_eq!(scenario.account().snapshot.others_in_flight.total(), 0);

    let resumed = scenario.run();
    assert!(resumed.finished());
    let calls = scenario.sent();
    assert_eq!(calls, 500, "no call is repeated");
    same(&resumed.results(), &undisturbed.results());
}

#[test]
fn stopped_again_and_again_it_still_comes_to_its_end() {
    let undisturbed = Scenario::new(300).run();
    let mut scenario = Scenario::new(300);
    for run in 1.. {
        scenario = scenario.stopping_after(20 * run);
        let result = scenario.run();
        if result.finished() {
            assert!(run > 5, "{run}");
            same(&result.results(), &undisturbed.results());
            return;
        }
        scenario.idle(secs(run));
    }
}

#[test]
fn a_wish_to_stop_before_the_first_call_sends_nothing() {
    let mut scenario = Scenario::new(50).on_event(|event, _, stop| {
        if matches!(event, RunEvent::Started { .. }) {
            stop.request();
        }
    });
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Interrupted));
    assert!(scenario.sent() <= 4);
    assert!(scenario.run().finished());
}

/// A downstream corp of the default scenario.
const CORP: &str = "CORPCORP";

fn row<'a>(unionid: &'a str, openid: &'a str, corpid: Option<&'a str>) -> Row<'a> {
    Row {
        unionid,
        openid,
        corpid,
    }
}

fn enrol(scenario: &mut Scenario, name: &str, rows: &[Row<'_>]) -> ImportStats {
    let now = scenario.now();
    let mut store = scenario.store();
    let mut import = store.import(name, Some(name.as_bytes())).unwrap();
    for row in rows {
        import.add(row).unwrap();
    }
    import.finish(rows.len() as u64, 0, now).unwrap()
}

fn rows_of(scenario: &Scenario, table: &str) -> i64 {
    scenario.sql(&format!("SELECT count(*) FROM {table}"))
}

#[test]
fn an_import_cut_short_leaves_nothing() {
    let mut scenario = Scenario::new(0).bare();
    let mut store = scenario.store();
    let mut import = store.import("half", Some(b"half")).unwrap();
    for place in 0..1_000 {
        let unionid = format!("o{place}");
        import.add(&row(&unionid, "o1", Some("wp1"))).unwrap();
    }
    drop(import);
    assert!(!store.knows_source(b"half").unwrap());
    drop(store);
    for table in ["subjects", "sources", "key_chunks"] {
        assert_eq!(rows_of(&scenario, table), 0, "{table}");
    }
}

#[test]
fn an_import_cut_short_can_be_taken_in_by_the_same_process() {
    let mut scenario = Scenario::new(1).bare();
    let now = scenario.now();
    let mut store = scenario.store();
    let row = row("o1", "p1", Some("wpSome"));
    let mut import = store.import("half", Some(b"half")).unwrap();
    import.add(&row).unwrap();
    drop(import);
    let mut import = store.import("whole", Some(b"whole")).unwrap();
    import.add(&row).unwrap();
    let enrolled = import.finish(1, 0, now).unwrap();
    assert_eq!(enrolled.new, 1);
    drop(store);
    let corp = "SELECT corpid FROM subjects JOIN corps c ON c.id = corp";
    assert_eq!(scenario.sql::<String>(corp), "wpSome");
}

#[test]
fn killed_import_leaves_nothing_behind() {
    let mut scenario = Scenario::new(2).bare();
    let rows = [row("o1", "p1", None), row("o2", "p2", None)];
    enrol(&mut scenario, "first", &rows);
    let mut store = scenario.store();
    let mut import = store.import("killed", Some(b"killed")).unwrap();
    import.add(&row("x3", "o3", None)).unwrap();
    std::mem::forget(import);
    drop(store);
    // It was appending when it died: some of it is on disk.
    let db = rusqlite::Connection::open(scenario.state()).unwrap();
    let append =
        "INSERT INTO subjects (id, unionid, openid) VALUES (3, 'x3', 'o3'), (4, 'x4', 'o4')";
    db.execute(append, []).unwrap();
    drop(db);
    assert_eq!(rows_of(&scenario, "subjects"), 4);

    let store = scenario.store();
    assert!(!store.knows_source(b"killed").unwrap());
    assert!(store.knows_source(b"first").unwrap());
    assert_eq!(store.tally().total(), 2);
    drop(store);
    assert_eq!(rows_of(&scenario, "subjects"), 2);
    assert!(scenario.run().finished());
}

#[test]
fn a_source_is_known_again_by_its_digest() {
    let mut scenario = Scenario::new(1).bare();
    enrol(&mut scenario, "a.csv", &[row("o1", "p1", None)]);
    let store = scenario.store();
    assert!(store.knows_source(b"a.csv").unwrap());
    assert!(!store.knows_source(b"b.csv").unwrap());
}

#[test]
fn repeated_people_cost_one_call_each() {
    let mut scenario = Scenario::new(5).bare();
    let first = [
        row("o1", "p1", None),
        row("o2", "p2", None),
        row("o1", "p1", None),
        row("o1", "p1", Some(CORP)),
    ];
    let counted = enrol(&mut scenario, "first", &first);
    assert_eq!((counted.new, counted.duplicates), (3, 1));
    let second = [
        row("o3", "p3", None),
        row("o2", "p2", None),
        row("o1", "p1", Some(CORP)),
        row("o1", "p2", None),
        row("o3", "p3", None),
    ];
    let counted = enrol(&mut scenario, "second", &second);
    assert_eq!((counted.new, counted.duplicates), (2, 3));
    let counted = enrol(&mut scenario, "the second by another name", &second);
    assert_eq!((counted.new, counted.duplicates), (0, 5));

    let result = scenario.run();
    assert_eq!(result.report.calls, 5);
    let order: Vec<_> = result.export.lines().skip(1).collect();
    assert!(order[0].starts_with("o1,p1,"), "order of first appearance");
}

#[test]
fn duplicates_are_found_over_more_sources_than_are_kept_apart() {
    let mut scenario = Scenario::new(0).bare();
    let ids: Vec<String> = (0..400).map(|place| format!("o{place}")).collect();
    for source in 0..25_usize {
        // Fifteen new ones, and everything that came before.
        let known = source * 15;
        let rows: Vec<_> = ids[..known + 15]
            .iter()
            .map(|id| row(id, "p", None))
            .collect();
        let counted = enrol(&mut scenario, &format!("source {source}"), &rows);
        assert_eq!((counted.new, counted.duplicates), (15, known as u64));
    }
    scenario.subjects = 375;
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.report.calls, 375);
}

#[test]
fn subjects_enrolled_after_a_run_are_asked_in_the_next_one() {
    let mut scenario = Scenario::new(2).bare();
    let [one, two, three] = [("o1", "p1"), ("o2", "p2"), ("o4", "p4")]
        .map(|(unionid, openid)| row(unionid, openid, None));
    enrol(&mut scenario, "a", &[one, two, one]);
    scenario.run();
    enrol(&mut scenario, "b", &[two, three]);
    scenario.subjects = 3;
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.report.calls, 1);
}

#[test]
fn subjects_whose_keys_collide_are_told_apart_by_their_texts() {
    // The key is a hash over the parts with U+001F between them, so that these have the same one.
    let mut scenario = Scenario::new(3).bare();
    let [one, two] =
        [("a\u{1f}b", "c"), ("a", "b\u{1f}c")].map(|(unionid, openid)| row(unionid, openid, None));
    let rows = [one, two, row("a", "b", Some("c")), two];
    let counted = enrol(&mut scenario, "colliding", &rows);
    assert_eq!((counted.new, counted.duplicates), (3, 1));
    let counted = enrol(&mut scenario, "again", &rows);
    assert_eq!((counted.new, counted.duplicates), (0, 4));
}

#[test]
fn two_processes_cannot_hold_one_state_file() {
    let mut scenario = Scenario::new(10);
    let _held = scenario.store();
    let second = Store::open(&scenario.state(), scenario.now());
    let Err(error) = second else {
        panic!("opened twice")
    };
    let pid = std::process::id().to_string();
    assert!(error.to_string().contains(&pid), "{error}");
}
