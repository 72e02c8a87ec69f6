use std::{fs, path::Path};

use super::*;
use crate::{
    clock::Timestamp,
    export::{Format, Target, publish_results},
    intake::OwnFile,
    model::State,
    store::{Settled, Store},
};

fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00+08:00").unwrap()
}

fn settled(subject: i64, state: State, errcode: Option<i64>, links: &[(&str, &str)]) -> Settled {
    let at = noon().plus(std::time::Duration::from_secs(subject.unsigned_abs() / 3));
    let mut settled = Settled::first(subject, state, links, at);
    settled.outcome.errcode = errcode;
    settled
}

/// Six subjects: two linked, one of them twice, and one of each other state.
fn store(folder: &Path) -> Store {
    let mut store = Store::open(&folder.join("job.db"), noon()).unwrap();
    let corpids = [None, None, Some("wwDealer"), None, None, Some("wwDealer")];
    let unionids = ["u1", "u,2", "u3", "u4", "u5", "u6"];
    let subjects = unionids.iter().zip(corpids);
    let subjects: Vec<_> = subjects
        .map(|(unionid, corpid)| (*unionid, "o\"x\"", corpid))
        .collect();
    store.add_subjects(&subjects, noon());
    let many = [("wwB", "wm2"), ("wwA", "wm9"), ("wwB", "wm1")];
    store.settle(&[
        settled(1, State::Linked, Some(0), &[("wwA", "wmA")]),
        settled(2, State::Linked, Some(0), &many),
        settled(3, State::Unlinked, Some(0), &[]),
        settled(4, State::Rejected, Some(40058), &[]),
        settled(5, State::Parked, None, &[]),
    ]);
    store
}

fn exported(states: &[State]) -> (u64, String) {
    filtered(&Filter {
        states: states.to_vec(),
        corpid: None,
        ..Filter::default()
    })
}

fn filtered(filter: &Filter) -> (u64, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let reader = store.reader();
    let mut bytes = Vec::new();
    let lines = write_csv(&reader, &mut bytes, filter).unwrap();
    (lines, String::from_utf8(bytes).unwrap())
}

#[test]
fn every_subject_has_a_line_and_every_link_has_its_own() {
    let (lines, text) = exported(&[]);
    assert_eq!(lines, 8);
    insta::assert_snapshot!(text, @r#"
    unionid,openid,corpid,external_userid,pending_id,state,errcode,resolved_at
    u1,"o""x""",wwA,wmA,,linked,0,2026-11-22T12:00:00+08:00
    "u,2","o""x""",wwA,wm9,,linked,0,2026-11-22T12:00:00+08:00
    "u,2","o""x""",wwB,wm1,,linked,0,2026-11-22T12:00:00+08:00
    "u,2","o""x""",wwB,wm2,,linked,0,2026-11-22T12:00:00+08:00
    u3,"o""x""",wwDealer,,,unlinked,0,2026-11-22T12:00:01+08:00
    u4,"o""x""",,,,rejected,40058,2026-11-22T12:00:01+08:00
    u5,"o""x""",,,,parked,,2026-11-22T12:00:01+08:00
    u6,"o""x""",wwDealer,,,queued,,
    "#);
}

#[test]
fn filter_selects_by_state() {
    let (lines, text) = exported(&[State::Queued, State::Rejected]);
    assert_eq!(lines, 2);
    insta::assert_snapshot!(text, @r#"
    unionid,openid,corpid,external_userid,pending_id,state,errcode,resolved_at
    u4,"o""x""",,,,rejected,40058,2026-11-22T12:00:01+08:00
    u6,"o""x""",wwDealer,,,queued,,
    "#);
}

#[test]
fn filter_selects_lines_of_one_downstream_corp() {
    let of = |corpid: &str, states: &[State]| {
        filtered(&Filter {
            states: states.to_vec(),
            corpid: Some(corpid.to_owned()),
            ..Filter::default()
        })
    };
    let (lines, text) = of("wwB", &[]);
    assert_eq!(lines, 2);
    insta::assert_snapshot!(text, @r#"
    unionid,openid,corpid,external_userid,pending_id,state,errcode,resolved_at
    "u,2","o""x""",wwB,wm1,,linked,0,2026-11-22T12:00:00+08:00
    "u,2","o""x""",wwB,wm2,,linked,0,2026-11-22T12:00:00+08:00
    "#);
    assert_eq!(of("wwDealer", &[]).0, 2, "those looked for there only");
    assert_eq!(of("wwDealer", &[State::Queued]).0, 1);
    assert_eq!(of("wwC", &[]).0, 0);
}

#[test]
fn changes_are_links_that_began_and_ended_since_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    let later = noon().plus(std::time::Duration::from_secs(3600));
    let again = |subject, was, state, links: &[(&str, &str)]| Settled {
        was,
        ..Settled::first(subject, state, links, later)
    };
    store.settle(&[
        again(
            1,
            State::Linked,
            State::Linked,
            &[("wwA", "wmA"), ("wwB", "wmB")],
        ),
        again(2, State::Linked, State::Linked, &[("wwB", "wm1")]),
        again(3, State::Unlinked, State::Unlinked, &[]),
    ]);
    let filter = Filter {
        changed_since: Some(later),
        ..Filter::default()
    };
    let mut csv = Vec::new();
    assert_eq!(write_csv(&store.reader(), &mut csv, &filter).unwrap(), 3);
    insta::assert_snapshot!(String::from_utf8(csv).unwrap(), @r#"
    unionid,openid,corpid,external_userid,pending_id,state,errcode,resolved_at,change
    u1,"o""x""",wwB,wmB,,linked,0,2026-11-22T13:00:00+08:00,added
    "u,2","o""x""",wwA,wm9,,linked,0,2026-11-22T13:00:00+08:00,removed
    "u,2","o""x""",wwB,wm2,,linked,0,2026-11-22T13:00:00+08:00,removed
    "#);
}

#[test]
fn json_lines_say_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let target = Target::File(folder.path().join("x.jsonl"));
    assert_eq!(Format::of(&target), Format::Jsonl);
    let filter = Filter::default();
    let file = publish_results(&store.reader(), &target, Format::Jsonl, &filter, false).unwrap();
    assert_eq!(file.lines, 8);
    let text = fs::read_to_string(folder.path().join("x.jsonl")).unwrap();
    insta::assert_snapshot!(text.lines().step_by(3).collect::<Vec<_>>().join("\n"), @r#"
    {"unionid":"u1","openid":"o\"x\"","corpid":"wwA","external_userid":"wmA","pending_id":null,"state":"linked","errcode":0,"resolved_at":"2026-11-22T12:00:00+08:00"}
    {"unionid":"u,2","openid":"o\"x\"","corpid":"wwB","external_userid":"wm2","pending_id":null,"state":"linked","errcode":0,"resolved_at":"2026-11-22T12:00:00+08:00"}
    {"unionid":"u5","openid":"o\"x\"","corpid":null,"external_userid":null,"pending_id":null,"state":"parked","errcode":null,"resolved_at":"2026-11-22T12:00:01+08:00"}
    "#);
    let own = OwnFile::at(&folder.path().join("x.jsonl"));
    assert_eq!(own, Some(OwnFile::Results));
}

#[test]
fn exporting_twice_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let reader = store.reader();
    let paths = ["one.csv", "two.csv"].map(|name| folder.path().join(name));
    for path in &paths {
        let target = Target::File(path.clone());
        let lines = publish_results(&reader, &target, Format::Csv, &Filter::default(), false);
        assert_eq!(lines.unwrap().lines, 8);
    }
    let [one, two] = paths.map(|path| fs::read(path).unwrap());
    assert_eq!(one, two);
    assert!(!one.contains(&b'\r'));
    assert!(one.ends_with(b"\n"));
}

#[test]
fn written_fields_can_be_read_back() {
    let (_, text) = exported(&[]);
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), &RESULTS_COLUMNS[..]);
    let second = reader.records().nth(1).unwrap().unwrap();
    assert_eq!(second.get(0), Some("u,2"));
    assert_eq!(second.get(1), Some("o\"x\""));
}

#[test]
fn closed_pipe_is_told_from_a_full_disk() {
    struct Broken(io::ErrorKind);
    impl io::Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let reader = store.reader();
    let refused = |kind| write_csv(&reader, Broken(kind), &Filter::default()).unwrap_err();
    assert!(refused(io::ErrorKind::BrokenPipe).is_closed_pipe());
    let full = refused(io::ErrorKind::StorageFull);
    assert!(matches!(full, ExportError::Full(_)), "{full}");
}
