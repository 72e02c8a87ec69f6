use std::fs;

use super::*;
use crate::{
    clock::Timestamp,
    model::State,
    store::{Settled, Store},
};

const FIRST: &str = "oFirst0000000000000000000001";
const SECOND: &str = "oSecond000000000000000000002";
const THIRD: &str = "oThird0000000000000000000003";
const OPENID: &str = "oOpenid000000000000000000000";

/// A job of three subjects: linked twice, unlinked within a corp, queued.
fn job(folder: &Path) -> Store {
    let now = Timestamp::parse("2026-11-22T12:00+08:00").unwrap();
    let mut store = Store::open(&folder.join("job.db"), now).unwrap();
    let subjects = [
        (FIRST, OPENID, None),
        (SECOND, OPENID, Some("wpB")),
        (THIRD, OPENID, None),
    ];
    store.add_subjects(&subjects, now);
    let links = [("wpA", "wm,1"), ("wpB", "wm,1")];
    store.settle(&[
        Settled::first(1, State::Linked, &links, now),
        Settled::first(2, State::Unlinked, &[], now),
    ]);
    store
}

/// Returns `table` joined with the job, and how many rows were found of how many.
fn joined(table: &[u8], encoding: Option<Encoding>) -> (Vec<u8>, u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let store = job(folder.path());
    let path = folder.path().join("crm.csv");
    fs::write(&path, table).unwrap();
    let input = Input::Path(path);
    let options = ReadOptions::default();
    let join = JoinedInput {
        input: &input,
        options: &options,
        encoding,
    };
    let out = folder.path().join("out.csv");
    let target = Target::File(out.clone());
    let (file, stats) =
        publish_joined(&store.reader(), &join, folder.path(), &target, false).unwrap();
    let bytes = fs::read(out).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(encoding.is_some() || text.lines().count() as u64 > file.lines);
    (bytes, stats.found, stats.rows)
}

/// What differs from line to line in any table: more fields, fewer, quotes, damage, other people.
fn crm() -> String {
    format!(
        "昵称,unionid,State,openid,corpid\n\
         \"a,\"\"b\"\"\",{FIRST},GD,{OPENID}\n\
         =1+1,{SECOND},,{OPENID},wpB,more\n\
         bad,short,GD,{OPENID},\n\
         other,{SECOND},GD,{OPENID},\n\
         again,{THIRD},GD,{OPENID},\n\
         again,{FIRST},GD,{OPENID},\n\
         \"never closed,{THIRD},GD,{OPENID},\n"
    )
}

#[test]
fn every_row_and_column_stays_and_results_follow() {
    let (bytes, found, rows) = joined(crm().as_bytes(), None);
    assert_eq!((found, rows), (4, 7));
    let text = String::from_utf8(bytes).unwrap();
    let text = text.replace(FIRST, "FIRST").replace(SECOND, "SECOND");
    insta::assert_snapshot!(text.replace(THIRD, "THIRD").replace(OPENID, "O"), @r#"
    昵称,unionid,State,openid,corpid,other_1,idferry_corpid,external_userid,pending_id,idferry_state,errcode,resolved_at
    "a,""b""",FIRST,GD,O,,,wpA,"wm,1",,linked,0,2026-11-22T12:00:00+08:00
    "a,""b""",FIRST,GD,O,,,wpB,"wm,1",,linked,0,2026-11-22T12:00:00+08:00
    =1+1,SECOND,,O,wpB,more,wpB,,,unlinked,0,2026-11-22T12:00:00+08:00
    bad,short,GD,O,,,,,,,,
    other,SECOND,GD,O,,,,,,,,
    again,THIRD,GD,O,,,,,,queued,,
    again,FIRST,GD,O,,,wpA,"wm,1",,linked,0,2026-11-22T12:00:00+08:00
    again,FIRST,GD,O,,,wpB,"wm,1",,linked,0,2026-11-22T12:00:00+08:00
    """never closed,THIRD,GD,O,",,,,,,,,,,,
    "#);
    let mut lines = ::csv::Reader::from_reader(text.as_bytes());
    assert!(lines.records().all(|line| line.unwrap().len() == 12));
}

#[test]
fn joined_table_is_written_as_its_input() {
    let text = format!("unionid;openid;昵称\r\n{FIRST};{OPENID};会\r\n");
    let line = format!("{FIRST};{OPENID};会;wpA;wm,1;;linked;0;2026-11-22T12:00:00+08:00\r\n");
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&text);
    let (bytes, ..) = joined(&gb18030, None);
    assert!(encoding_rs::GB18030.decode(&bytes).0.contains(&line));
    let utf16: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let (bytes, ..) = joined(&utf16, None);
    assert_eq!(bytes[..2], [0xff, 0xfe]);
    assert!(encoding_rs::UTF_16LE.decode(&bytes).0.contains(&line));
    // Unless told.
    let (bytes, ..) = joined(&utf16, Some(Encoding::Utf8));
    assert!(bytes.starts_with("\u{feff}unionid;".as_bytes()));
    assert!(String::from_utf8(bytes).unwrap().contains(&line));
}
