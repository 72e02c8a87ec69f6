//! Inputs of all kinds, usable and not.

use insta::assert_snapshot;

use crate::scenario::timeless;

use super::test_dir::{Output, TestDir, fans, gzip, ids, lookups, prompt, sample, simulator};

/// What `run` says of this file, which it cannot use.
fn refused(dir: &TestDir, name: &str) -> String {
    let run = dir.idferry("run").arg(name);
    let Output { err, out, .. } = run.with_server("http://127.0.0.1:1").exits(2);
    assert_eq!(out, "");
    assert!(!dir.names().iter().any(|name| name.ends_with(".links.csv")));
    err
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_what_to_do() {
    let dir = TestDir::new();
    assert_snapshot!(refused(&dir, "nowhere.csv"), @"idferry: cannot open nowhere.csv: No such file or directory (os error 2). Check the path and its permissions");
    std::fs::create_dir(dir.path("folder")).unwrap();
    assert_snapshot!(refused(&dir, "folder"), @"idferry: folder is a directory; give the files in it, for example folder/*.csv");
    dir.write("empty.csv", "");
    assert_snapshot!(refused(&dir, "empty.csv"), @"idferry: empty.csv is empty; it needs a header line such as unionid,openid and rows below it");
    dir.write("header.csv", "unionid,openid\n\n");
    assert_snapshot!(refused(&dir, "header.csv"), @"idferry: header.csv has a header but no rows below it; check the export that made it");
    dir.write("columns.csv", "id,name,union_id\n1,Mia,oX\n");
    assert_snapshot!(refused(&dir, "columns.csv"), @"idferry: columns.csv has no column 'unionid' and no column 'openid'; the columns found are 'id', 'name', 'union_id'. Say which they are, for example --columns unionid=union_id,openid=NAME");
    dir.write("headless.csv", fans(0..3).split_once('\n').unwrap().1);
    assert_snapshot!(refused(&dir, "headless.csv"), @"idferry: the first line of headless.csv looks like data, not like a header; put the line unionid,openid above it");
    dir.write("excel.csv", b"PK\x03\x04 and so on");
    assert_snapshot!(refused(&dir, "excel.csv"), @r#"idferry: excel.csv cannot be read as an Excel workbook: Zip error: invalid Zip archive: Could not find EOCD. Open it in Excel and save it again, or save the sheet as "CSV UTF-8" and give that file"#);
    dir.write("bad.csv", "unionid,openid\nshort,short\n,\nx,y\n");
    assert_snapshot!(refused(&dir, "bad.csv"), @"idferry: none of the 2 lines of bad.csv can be a subject; the first reason: line 2: unionid has 5 characters; ids have 16 to 64. Check the columns and the encoding (--columns, --encoding)");
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let dir = TestDir::with_fans(3);
    open_to_all(&dir, "");
    set_mode(&dir, "fans.csv", 0o000);
    let Some(done) = unprivileged(&dir, "run fans.csv --sandbox") else {
        return;
    };
    done.exits(2)
        .says("cannot open fans.csv: Permission denied");
}

#[test]
fn a_state_that_may_not_be_written_is_told() {
    let dir = TestDir::with_fans(3);
    open_to_all(&dir, "");
    dir.idferry("run fans.csv --budget 0").exits(75);
    set_mode(&dir, "fans.csv", 0o644);
    set_mode(&dir, "idferry.db", 0o444);
    let Some(done) = unprivileged(&dir, "run fans.csv --sandbox --state idferry.db") else {
        return;
    };
    done.exits(1)
        .says("the job file idferry.db cannot be opened: Permission denied");
}

#[test]
fn unwritable_folder_is_reported_before_any_call() {
    let dir = TestDir::with_fans(3);
    open_to_all(&dir, "");
    std::fs::create_dir(dir.path("shut")).unwrap();
    set_mode(&dir, "shut", 0o555);
    let Some(done) = unprivileged(&dir, "run fans.csv --output shut/links.csv") else {
        return;
    };
    done.exits(2)
        .says("no file can be made in shut, where shut/links.csv shall be: Permission denied");
}

fn set_mode(dir: &TestDir, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(dir.path(name), mode).unwrap();
}

fn open_to_all(dir: &TestDir, name: &str) {
    set_mode(dir, name, 0o777);
}

/// Runs as another user than root, who ignores modes; `None` if that user may not start it.
fn unprivileged(dir: &TestDir, line: &str) -> Option<Output> {
    let mut version = dir.idferry("--version").unprivileged().command();
    match version.output() {
        Ok(output) if output.status.success() => Some(dir.idferry(line).unprivileged().output()),
        _ => {
            eprintln!("skipped: no other user may start the binary here");
            None
        }
    }
}

#[test]
fn an_output_that_cannot_be_is_told_before_anything_is_asked() {
    let (dir, simulator) = TestDir::with_simulator(3);
    std::fs::create_dir(dir.path("folder")).unwrap();
    dir.idferry("run fans.csv --output folder")
        .at(&simulator)
        .exits(2)
        .says("folder is a folder, results need a file: name one in it, such as folder/links.csv");
    dir.idferry("run fans.csv --output no/links.csv")
        .at(&simulator)
        .exits(2)
        .says("there is no folder no to write no/links.csv in: make it");
    dir.idferry("export -o no/links.csv").exits(2);
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn nul_byte_and_huge_field_cost_their_own_line_only() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    let mut csv = b"unionid,openid,note\n".to_vec();
    for number in 0..10 {
        let (unionid, openid) = ids(number);
        csv.extend_from_slice(format!("{unionid},{openid},").as_bytes());
        match number {
            3 => csv.extend_from_slice(b"nul\0byte"),
            6 => csv.resize(csv.len() + 10_000_000, b'x'),
            _ => csv.extend_from_slice(b"fine"),
        }
        csv.push(b'\n');
    }
    dir.write("fans.csv", csv);
    dir.idferry("run fans.csv")
        .at(&simulator)
        .exits(3)
        .says("10 lines, 8 new subjects, 2 invalid");
    assert_eq!(lookups(&simulator).calls, 8);
    let rejects = dir.read("fans.rejects.csv");
    assert!(rejects.contains("fans.csv,5,"), "{rejects}");
    assert!(
        rejects.contains("fans.csv,8,note,is longer than 64 KiB"),
        "{rejects}"
    );
    assert!(rejects.len() < 2_000, "the field itself is cut short");
}

#[test]
fn compressed_inputs_give_the_results_of_plain_ones() {
    let simulator = simulator(prompt());
    let csv = fans(0..50);
    let gzip = gzip(&csv);
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    let plain = ("fans.csv", csv.into_bytes());
    let results = [plain, ("fans.csv.gz", gzip), ("fans.csv.zst", zstd)].map(|(name, bytes)| {
        let dir = TestDir::new();
        dir.write(name, bytes);
        dir.idferry("run").arg(name).at(&simulator).exits(0);
        timeless(&dir.read("fans.links.csv"))
    });
    assert!(results[0].lines().count() > 50);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn a_torn_archive_keeps_what_was_read_and_goes_on_once_whole() {
    let dir = TestDir::new();
    let whole = gzip(&fans(0..5_000));
    dir.write("fans.csv.gz", &whole[..whole.len() / 2]);
    dir.idferry("run fans.csv.gz --budget 0")
        .exits(2)
        .says("fans.csv.gz is damaged or cut off: its gzip data cannot be unpacked")
        .says("copy the file again and run the same command");
    dir.write("fans.csv.gz", &whole);
    dir.idferry("run fans.csv.gz --budget 0").exits(75);
    let results = dir.read("fans.links.csv");
    assert_eq!(results.lines().count(), 1 + 5_000);
    let first = ids(0);
    assert!(results.lines().nth(1).unwrap().starts_with(&first.0));
}

#[test]
fn standard_input_is_an_input() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    let typed = || dir.idferry("run - --output -").at(&simulator);
    let first = typed().with_stdin(fans(0..20)).exits(0).out;
    assert_eq!(dir.names(), ["idferry.db"]);
    let again = typed().with_stdin(fans(0..20)).exits(0).out;
    assert_eq!(first, again);
    assert_eq!(lookups(&simulator).calls, 20);
    dir.idferry("run -")
        .at(&simulator)
        .with_stdin(fans(0..20))
        .exits(0)
        .prints_nothing();
    assert_eq!(dir.names(), ["idferry.db", "stdin.links.csv"]);
}

#[test]
fn several_files_are_one_job_named_after_the_first() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    dir.write("monday.csv", fans(0..20));
    dir.write("tuesday.csv", fans(10..30));
    dir.write("copy.csv", fans(0..20));
    dir.idferry("run monday.csv tuesday.csv copy.csv")
        .at(&simulator)
        .exits(0)
        .says("tuesday.csv: 20 lines, 10 new subjects, 10 repeated");
    assert_eq!(lookups(&simulator).calls, 30);
    assert!(dir.names().contains(&"monday.links.csv".to_owned()));
    let results = dir.read("monday.links.csv");
    let mut order: Vec<_> = results
        .lines()
        .skip(1)
        .map(|line| line[..28].to_owned())
        .collect();
    order.dedup();
    let expected: Vec<_> = (0..30).map(|number| ids(number).0).collect();
    assert_eq!(order, expected);
}

#[test]
fn bad_file_among_good_ones_stops_before_any_call() {
    let (dir, simulator) = TestDir::with_simulator(5);
    dir.idferry("run fans.csv nowhere.csv")
        .at(&simulator)
        .exits(2)
        .says("cannot open nowhere.csv");
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn excel_of_china_is_read_once_its_columns_are_named() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    std::fs::copy(sample("excel-gb18030.csv"), dir.path("excel.csv")).unwrap();
    dir.idferry("run excel.csv")
        .at(&simulator)
        .exits(2)
        .says("no column 'unionid' and no column 'openid'")
        .says("--columns unionid=会员unionid,openid=小程序openid");
    dir.idferry("run excel.csv --columns unionid=会员unionid,openid=小程序openid")
        .at(&simulator)
        .exits(0)
        .says("50 lines, 50 new subjects");
    assert_eq!(lookups(&simulator).calls, 50);
}

#[test]
fn untidy_sample_asks_valid_lines_and_reports_the_rest() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    std::fs::copy(sample("untidy.csv"), dir.path("untidy.csv")).unwrap();
    dir.idferry("run untidy.csv")
        .at(&simulator)
        .exits(3)
        .says("54 lines, 40 new subjects, 14 invalid");
    assert_eq!(lookups(&simulator).calls, 40);
    assert_eq!(dir.mode("untidy.rejects.csv"), 0o600);
    let rejects = dir.read("untidy.rejects.csv");
    assert_snapshot!(rejects.replace('\0', "\\0"), @r#"
    source,line,column,reason,unionid,openid,corpid,other_1
    untidy.csv,10,OpenID,is empty,okptO2czayvTMtpdLQb6aDLLhLqe,,,no openid
    untidy.csv,11,Union ID,is empty,,op5-d-W-ZxD7kXA2SpAvcXRVwF9L,,no unionid
    untidy.csv,14,Union ID,has the character '*'; ids are made of A-Z a-z 0-9 _ -,oJ9L-dSE13_24BFTRErv*omwXPB,oGBeU3sfi1mcJ7uhR3qHQ_frklBo,,star
    untidy.csv,15,OpenID,has 9 characters; ids have 16 to 64,o8uCf69M5bkKpEP9tETKEmdvEsNI,o4j1FmMwb,,too short
    untidy.csv,16,OpenID,has 84 characters; ids have 16 to 64,odVwH49p5lqNb9_Lu6Xam6Q68TVJ,oie92xGlGlKiBitfF0e40jdhX_nNo_TmJ2Z964fnfVuqVCQ8wSMy1IxMovr_dgXIZMGJ9_1nqdJ5e59P7X3e,,too long
    untidy.csv,19,OpenID,is missing: the line has 1 field,ol1dlXysCOB6nJfRX4X1OQga_GCI,,,
    untidy.csv,25,,has a NUL byte; the file may be damaged,oV1DiYJoQ4EA2hYenBtAD_UnWbNB,oylvlSwetUa2cfQKGTXdFBJVIeDr,,nul\0byte
    untidy.csv,26,OpenID,has the character '会'; ids are made of A-Z a-z 0-9 _ -,oWjTj60QUNjR1-u7kakIed0QbyY4,会员ogkjM488ihb-iXNyA0yc,,Chinese in the openid
    untidy.csv,29,CorpID,has the character ' '; ids are made of A-Z a-z 0-9 _ -,o9D_9LhqrWojHYvcFWyPLKYqOiJd,ogmI4wFYkTRqm3GdPB0D53aVpEiv,wp dealer,space in the corpid
    untidy.csv,30,CorpID,has 65 characters; corpids have 1 to 64,o569pdVLlns9WgyyU_RJpvOsal_4,oLQKUxPn_A0UGXECPrZKChhX3BaB,wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww,corpid too long
    untidy.csv,32,OpenID,starts with a quote that is not closed properly within 64 KiB,,,,"orZVAbkk9TaEQH21OEXheIYuVMgu;""osdMeLb9LZgfl0zS-lSINihu4hBJ;;a quote that is never closed"
    untidy.csv,35,OpenID,has the character ' '; ids are made of A-Z a-z 0-9 _ -,oWZ4fCpchZehOAP51ovQGM7W3kF0,oOuzpHWkUwWL3L oCSvcaTq1oSO7,,space inside
    untidy.csv,36,Union ID,has the character '.'; ids are made of A-Z a-z 0-9 _ -,1.23E+17,o7oV2i8Fb6BypsXUVcAon5PSyhm5,,Excel was here
    untidy.csv,57,OpenID,has 4 characters; ids have 16 to 64,o-14ibMoXyV94kFfqhv6GBjjyFV4,NULL,,from a database
    "#);

    // The same command again asks nothing, keeps the rejects, and says why it is no success.
    dir.idferry("run untidy.csv")
        .at(&simulator)
        .exits(3)
        .says("Finished, but 2 subjects rejected, 14 input lines invalid. (exit 3)")
        .says("untidy.rejects.csv says what is wrong");
    assert_eq!(dir.read("untidy.rejects.csv"), rejects);
    assert_eq!(lookups(&simulator).calls, 40);
}
