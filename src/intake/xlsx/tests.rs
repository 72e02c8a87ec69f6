use std::io::Cursor;

use super::{
    super::test_workbook::{shared, text, workbook, zip},
    *,
};
use crate::intake::{Input, InputLine, ReadOptions, RowReader};

const UNIONID: &str = "oUnion0000000000000000000001";
const OPENID: &str = "oOpenid000000000000000000000";

fn csv(bytes: Vec<u8>, sheet: Option<&str>) -> Result<String, String> {
    let sheet = read_sheet("crm.xlsx", Cursor::new(bytes), sheet);
    let mut text = String::new();
    sheet
        .map_err(|error| error.to_string())?
        .csv
        .read_to_string(&mut text)
        .unwrap();
    Ok(text.replace(char::from(ROW_END), "$"))
}

#[test]
fn cells_are_text_without_loss() {
    let rows = format!(
        r#"<row r="2">{}{}</row><row r="4"><c r="A4"><v>123456789012345</v></c><c r="C4"><v>0.1</v></c>
        <c r="D4" s="1"><v>45943.541</v></c><c r="E4" s="1"><v>45943</v></c><c r="F4" s="1"><v>0.5</v></c>
        <c r="G4" t="b"><v>1</v></c><c r="H4" t="e"><v>#N/A</v></c></row>"#,
        text("A2", "unionid"),
        text("C2", "a &quot;b&quot;,\nc"),
    );
    assert_eq!(
        csv(workbook(&[("会员", &rows)]), None).unwrap(),
        "$unionid,,\"a \"\"b\"\",\nc\"$$\
         123456789012345,,0.1,2025-10-13T12:59:02.400,2025-10-13,12:00:00,TRUE,#N/A$"
    );
}

#[test]
fn sheet_is_the_first_or_the_named_one() {
    let bytes = workbook(&[
        ("One", &format!("<row>{}</row>", text("A1", "first"))),
        ("二", &format!("<row>{}</row>", text("A1", "second"))),
        (
            "共",
            &format!("<row>{}{}</row>", shared("A1", 1), shared("B1", 0)),
        ),
    ]);
    assert_eq!(csv(bytes.clone(), None).unwrap(), "first$");
    assert_eq!(csv(bytes.clone(), Some("二")).unwrap(), "second$");
    assert_eq!(csv(bytes.clone(), Some("共")).unwrap(), "two,one$");
    let error = csv(bytes, Some("Two")).unwrap_err();
    assert_eq!(
        error,
        "crm.xlsx has no sheet 'Two'; its sheets are 'One', '二', '共': name one with --sheet"
    );
    let error = csv(zip(&[("a.txt".to_owned(), "text".to_owned())]), None).unwrap_err();
    assert!(
        error.contains("it is a zip archive, but no workbook"),
        "{error}"
    );
}

#[test]
fn invalid_rows_are_told_by_sheet_row_and_column() {
    let row = |at: u32, ids: [&str; 2], name: &str| {
        let cells = [("B", ids[0]), ("AB", ids[1]), ("AC", name)];
        let cells = cells.map(|(column, value)| text(&format!("{column}{at}"), value));
        format!(r#"<row r="{at}">{}</row>"#, cells.concat())
    };
    let rows = [
        row(3, ["unionid", "openid"], "name"),
        row(5, [UNIONID, OPENID], "two\nlines"),
        row(6, [UNIONID, "o\nshort"], "x"),
        row(7, [UNIONID, OPENID], &"line\n".repeat(20_000)),
        row(8, [UNIONID, OPENID], "y"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.xlsx");
    std::fs::write(&path, workbook(&[("S", &rows.concat())])).unwrap();
    let mut reader = RowReader::open(&Input::Path(path), &ReadOptions::default()).unwrap();
    let mut lines = Vec::new();
    loop {
        let told = match reader.next().unwrap() {
            InputLine::Row(row) => row.openid.to_owned(),
            InputLine::Invalid(error) => error.describe(),
            InputLine::End => break,
        };
        lines.push((reader.line(), told));
    }
    let reason = "line 6: openid (column AB) has a line break in it; is a quote missing?";
    let long =
        "line 7: name (column AC) starts with a quote that is not closed properly within 64 KiB";
    let expected = [(5, OPENID), (6, reason), (7, long), (8, OPENID)];
    assert_eq!(lines, expected.map(|(line, told)| (line, told.to_owned())));
}

#[test]
fn damaged_workbook_is_an_error_and_nothing_worse() {
    let rows = format!(
        "<row>{}{}</row>",
        text("A1", "unionid"),
        text("B1", "openid")
    );
    let whole = workbook(&[("S", &rows)]);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x15;
        let _ = csv(damaged, None);
        let _ = csv(whole[..at].to_vec(), None);
    }
    let far = r#"<row r="1"><c r="A4000000000"><v>1</v></c></row>"#;
    csv(workbook(&[("S", far)]), None).unwrap_err();
    let far = r#"<row r="1"><c r="ZZZZ1"><v>1</v></c></row>"#;
    csv(workbook(&[("S", far)]), None).unwrap_err();
}

#[test]
fn columns_are_lettered_as_in_excel() {
    let columns = [0, 25, 26, 51, 52, 701, 702, 16_383];
    assert_eq!(
        columns.map(column_letters),
        ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA", "XFD"]
    );
}
