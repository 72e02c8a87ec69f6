//! Sources that are refused, and how.

use super::*;

#[test]
fn a_corpid_that_cannot_be_one_is_refused_at_once() {
    let corpid = Some("wp A".to_owned());
    let options = ReadOptions {
        corpid,
        ..ReadOptions::default()
    };
    let error = File::new("fans.csv", tidy(1)).open(&options).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--corpid 'wp A' cannot be a corpid: it has")
    );
}

#[test]
fn a_missing_column_names_the_ones_found_and_the_way_out() {
    assert_eq!(
        refusal("会员UnionID,小程序openid,昵称\n"),
        "fans.csv has no column 'unionid' and no column 'openid'; the columns found are \
         '会员UnionID', '小程序openid', '昵称'. Say which they are, for example \
         --columns unionid=会员UnionID,openid=小程序openid"
    );
    assert_eq!(
        refusal("openid\n"),
        "fans.csv has no column 'unionid'; the columns found are 'openid'. Say which they are, \
         for example --columns unionid=NAME"
    );
    let file = File::new("fans.csv", tidy(1));
    let error = file
        .open(&options("unionid=member"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("has no column 'member' (for unionid)"),
        "{error}"
    );
    let error = file.open(&options("corpid=shop")).unwrap_err().to_string();
    assert!(
        error.contains("has no column 'shop' (for corpid)"),
        "{error}"
    );
}

#[test]
fn a_needed_column_must_not_be_there_twice() {
    let told = refusal("unionid,openid,UnionID\n");
    assert!(
        told.starts_with("fans.csv has 2 columns named 'unionid'"),
        "{told}"
    );
    let harmless = format!("unionid,openid,x,x\n{}\n", pair(1));
    assert_eq!(read(harmless).lines_of_good(), [2]);
}

#[test]
fn a_file_without_a_header_is_told_so_without_its_ids() {
    let told = refusal(format!("{}\n", pair(1)));
    assert!(told.starts_with("the first line of fans.csv looks like data"));
    assert!(!told.contains(&id(1)));
}

#[test]
fn emptiness_has_its_kinds() {
    for empty in ["", "\u{feff}", "\n\r\n"] {
        assert!(
            refusal(empty).starts_with("fans.csv is empty;"),
            "{empty:?}"
        );
    }
    assert!(refusal(gzip(b"")).starts_with("fans.csv is empty;"));
    for (text, told) in [
        ("unionid,openid\n", "has a header but no rows"),
        ("unionid,openid\nx,y\nz\n", "none of the 2 lines"),
    ] {
        let file = File::new("fans.csv", text);
        let mut rows = file.open(&ReadOptions::default()).unwrap();
        while !matches!(rows.next().unwrap(), Line::End) {}
        let error = rows.ensure_yield().unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn what_is_not_csv_is_called_by_its_name() {
    assert!(refusal(b"PK\x03\x04xxxx").contains("an Excel workbook (.xlsx)"));
    assert!(refusal(b"\"unionid,openid\n").contains("cannot be read: it starts with a quote"));
    let folder = File::new("fans.csv", "");
    let input = Input::Path(folder.folder.path().to_owned());
    let error = RowReader::open(&input, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, IntakeError::Directory { .. }));
}
