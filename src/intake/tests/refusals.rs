//! Sources that are refused, and the messages.

use super::*;

#[test]
fn invalid_corpid_is_refused_before_reading() {
    let file = File::new("fans.csv", tidy(1));
    let error = file.open_with(&only_corp("wp A")).unwrap_err().to_string();
    assert!(error.starts_with("--corpid 'wp A' cannot be a corpid: it has"));
}

#[test]
fn missing_column_is_reported_with_the_columns_found() {
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
    for (columns, missing) in [
        ("unionid=member", "has no column 'member' (for unionid)"),
        ("corpid=shop", "has no column 'shop' (for corpid)"),
    ] {
        let error = file.open_with(&options(columns)).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn repeated_column_is_refused() {
    let message = refusal("unionid,openid,UnionID\n");
    assert!(message.starts_with("fans.csv has 2 columns named 'unionid'"));
    let harmless = format!("unionid,openid,x,x\n{}\n", pair(1));
    assert_eq!(read(harmless).valid_lines(), [2]);
}

#[test]
fn missing_header_is_reported_without_ids() {
    let message = refusal(format!("{}\n", pair(1)));
    assert!(message.starts_with("the first line of fans.csv looks like data"));
    assert!(!message.contains(&id(1)));
}

#[test]
fn empty_sources_are_told_apart() {
    for empty in ["", "\u{feff}", "\n\r\n"] {
        let message = refusal(empty);
        assert!(message.starts_with("fans.csv is empty;"), "{empty:?}");
    }
    assert!(refusal(gzip(b"")).starts_with("fans.csv is empty;"));
    for (text, message) in [
        ("unionid,openid\n", "has a header but no rows"),
        ("unionid,openid\nx,y\nz\n", "none of the 2 lines"),
    ] {
        let file = File::new("fans.csv", text);
        let mut rows = file.open().unwrap();
        while !matches!(rows.next().unwrap(), InputLine::End) {}
        let error = rows.ensure_any_row().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn other_formats_are_named() {
    assert!(refusal(b"PK\x03\x04xxxx").contains("cannot be read as an Excel workbook"));
    assert!(refusal(b"\"unionid,openid\n").contains("cannot be read: it starts with a quote"));
    let folder = File::new("fans.csv", "");
    let input = Input::Path(folder.folder.path().to_owned());
    let error = RowReader::open(&input, &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, IntakeError::Directory { .. }));
}
