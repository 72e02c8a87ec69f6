//! What people give in good faith.

use std::io::Write;

use insta::assert_snapshot;

use super::desk::{Desk, Done, fans, ids, lookups, prompt, sample, simulator, timeless};

/// What `run` says of this file, which it cannot use.
fn refused(desk: &Desk, name: &str) -> String {
    let Done { err, out, .. } = desk.idferry("run").arg(name).done().exits(2);
    assert_eq!(out, "");
    assert!(!desk.names().iter().any(|name| name.ends_with(".links.csv")));
    err
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_what_to_do() {
    let desk = Desk::new();
    assert_snapshot!(refused(&desk, "nowhere.csv"), @"");
    std::fs::create_dir(desk.path("folder")).unwrap();
    assert_snapshot!(refused(&desk, "folder"), @"");
    desk.write("empty.csv", "");
    assert_snapshot!(refused(&desk, "empty.csv"), @"");
    desk.write("header.csv", "unionid,openid\n\n");
    assert_snapshot!(refused(&desk, "header.csv"), @"");
    desk.write("columns.csv", "id,name,union_id\n1,Mia,oX\n");
    assert_snapshot!(refused(&desk, "columns.csv"), @"");
    desk.write("headless.csv", fans(0..3).split_once('\n').unwrap().1);
    assert_snapshot!(refused(&desk, "headless.csv"), @"");
    desk.write("excel.csv", b"PK\x03\x04 and so on");
    assert_snapshot!(refused(&desk, "excel.csv"), @"");
    desk.write("bad.csv", "unionid,openid\nshort,short\n,\nx,y\n");
    assert_snapshot!(refused(&desk, "bad.csv"), @"");
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let desk = Desk::with_fans(3);
    open_to_everybody(&desk, "");
    set_mode(&desk, "fans.csv", 0o000);
    let Some(done) = as_nobody(&desk, "run fans.csv --sandbox") else {
        return;
    };
    done.exits(2)
        .says("cannot open fans.csv: Permission denied");
}

#[test]
fn a_state_that_may_not_be_written_is_told() {
    let desk = Desk::with_fans(3);
    open_to_everybody(&desk, "");
    desk.idferry("run fans.csv --budget 0").done().exits(75);
    set_mode(&desk, "fans.csv", 0o644);
    set_mode(&desk, "idferry.db", 0o444);
    let Some(done) = as_nobody(&desk, "run fans.csv --sandbox --state idferry.db") else {
        return;
    };
    done.exits(1)
        .says("the state file idferry.db cannot be opened: Permission denied");
}

#[test]
fn a_folder_that_may_not_be_written_is_told_before_anything_is_asked() {
    let desk = Desk::with_fans(3);
    open_to_everybody(&desk, "");
    std::fs::create_dir(desk.path("shut")).unwrap();
    set_mode(&desk, "shut", 0o555);
    let Some(done) = as_nobody(&desk, "run fans.csv --output shut/links.csv") else {
        return;
    };
    done.exits(2)
        .says("no file can be made in shut, where shut/links.csv shall be: Permission denied");
}

fn set_mode(desk: &Desk, name: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(desk.path(name), mode).unwrap();
}

fn open_to_everybody(desk: &Desk, name: &str) {
    set_mode(desk, name, 0o777);
}

/// Root ignores modes, so the command is run as somebody else; `None` if they may not start it.
fn as_nobody(desk: &Desk, line: &str) -> Option<Done> {
    let mut version = desk.idferry("--version").as_nobody().command();
    match version.output() {
        Ok(output) if output.status.success() => Some(desk.idferry(line).as_nobody().done()),
        _ => {
            eprintln!("skipped: nobody else may start the binary here");
            None
        }
    }
}

#[test]
fn an_output_that_cannot_be_is_told_before_anything_is_asked() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(3);
    std::fs::create_dir(desk.path("folder")).unwrap();
    desk.idferry("run fans.csv --output folder")
        .at(&simulator)
        .done()
        .exits(2)
        .says("folder is a folder, results need a file: name one in it, such as folder/links.csv");
    desk.idferry("run fans.csv --output no/links.csv")
        .at(&simulator)
        .done()
        .exits(2)
        .says("there is no folder no to write no/links.csv in: make it");
    desk.idferry("export -o no/links.csv").done().exits(2);
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn a_nul_byte_and_a_field_of_ten_megabytes_cost_their_line_and_no_other() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
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
    desk.write("fans.csv", csv);
    desk.idferry("run fans.csv")
        .at(&simulator)
        .done()
        .exits(3)
        .says("10 lines, 8 new subjects, 2 rejected");
    assert_eq!(lookups(&simulator).calls, 8);
    let rejects = desk.read("fans.rejects.csv");
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
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(csv.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(csv.as_bytes(), 1).unwrap();
    let results = [
        ("fans.csv", csv.into_bytes()),
        ("fans.csv.gz", gzip),
        ("fans.csv.zst", zstd),
    ]
    .map(|(name, bytes)| {
        let desk = Desk::new();
        desk.write(name, bytes);
        desk.idferry("run").arg(name).at(&simulator).done().exits(0);
        timeless(&desk.read("fans.links.csv"))
    });
    assert!(results[0].lines().count() > 50);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

#[test]
fn a_torn_archive_keeps_what_was_read_and_goes_on_once_whole() {
    let desk = Desk::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(fans(0..5_000).as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    desk.write("fans.csv.gz", &whole[..whole.len() / 2]);
    desk.idferry("run fans.csv.gz --budget 0")
        .done()
        .exits(2)
        .says("fans.csv.gz is damaged or cut off: its gzip data cannot be unpacked")
        .says("copy the file again and run the same command");
    desk.write("fans.csv.gz", &whole);
    desk.idferry("run fans.csv.gz --budget 0").done().exits(75);
    let results = desk.read("fans.links.csv");
    assert_eq!(results.lines().count(), 1 + 5_000);
    let first = ids(0);
    assert!(results.lines().nth(1).unwrap().starts_with(&first.0));
}

#[test]
fn standard_input_is_an_input() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    let typed = || desk.idferry("run - --output -").at(&simulator);
    let first = typed().reading(fans(0..20)).done().exits(0).out;
    assert_eq!(desk.names(), ["idferry.db"]);
    let again = typed().reading(fans(0..20)).done().exits(0).out;
    assert_eq!(first, again);
    assert_eq!(lookups(&simulator).calls, 20);
    desk.idferry("run -")
        .at(&simulator)
        .reading(fans(0..20))
        .done()
        .exits(0)
        .prints_nothing();
    assert_eq!(desk.names(), ["idferry.db", "stdin.links.csv"]);
}

#[test]
fn several_files_are_one_job_named_after_the_first() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    desk.write("monday.csv", fans(0..20));
    desk.write("tuesday.csv", fans(10..30));
    desk.write("copy.csv", fans(0..20));
    desk.idferry("run monday.csv tuesday.csv copy.csv")
        .at(&simulator)
        .done()
        .exits(0)
        .says("tuesday.csv: 20 lines, 10 new subjects, 10 known already");
    assert_eq!(lookups(&simulator).calls, 30);
    assert!(desk.names().contains(&"monday.links.csv".to_owned()));
    let results = desk.read("monday.links.csv");
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
fn a_bad_file_among_good_ones_stops_the_job_before_anything_is_asked() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(5);
    desk.idferry("run fans.csv nowhere.csv")
        .at(&simulator)
        .done()
        .exits(2)
        .says("cannot open nowhere.csv");
    assert!(simulator.stats().lanes.is_empty());
}

#[test]
fn excel_of_china_is_read_once_its_columns_are_named() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    std::fs::copy(sample("excel-gb18030.csv"), desk.path("excel.csv")).unwrap();
    desk.idferry("run excel.csv")
        .at(&simulator)
        .done()
        .exits(2)
        .says("no column 'unionid' and no column 'openid'")
        .says("--columns unionid=会员unionid,openid=小程序openid");
    desk.idferry("run excel.csv --columns unionid=会员unionid,openid=小程序openid")
        .at(&simulator)
        .done()
        .exits(0)
        .says("50 lines, 50 new subjects");
    assert_eq!(lookups(&simulator).calls, 50);
}

#[test]
fn the_untidy_sample_is_asked_where_it_can_be_and_told_where_not() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    std::fs::copy(sample("untidy.csv"), desk.path("untidy.csv")).unwrap();
    desk.idferry("run untidy.csv")
        .at(&simulator)
        .done()
        .exits(3)
        .says("54 lines, 40 new subjects, 14 rejected");
    assert_eq!(lookups(&simulator).calls, 40);
    assert_eq!(desk.mode("untidy.rejects.csv"), 0o600);
    assert_snapshot!(desk.read("untidy.rejects.csv"), @"");
}
