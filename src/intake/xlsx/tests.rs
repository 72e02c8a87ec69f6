use std::io::Cursor;

use super::*;
use crate::intake::{Input, InputLine, ReadOptions, RowReader};

const UNIONID: &str = "oUnion0000000000000000000001";
const OPENID: &str = "oOpenid000000000000000000000";

/// A zip archive of files that are not compressed.
fn zip(files: &[(&str, String)]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in files {
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let at = u32::try_from(bytes.len()).unwrap();
        let size = u32::try_from(text.len()).unwrap();
        let mut about = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for number in [crc.sum(), size, size, u32::try_from(name.len()).unwrap()] {
            about.extend(number.to_le_bytes());
        }
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&about);
        bytes.extend(name.as_bytes());
        bytes.extend(text.as_bytes());
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&about);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, size) = (bytes.len(), directory.len());
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    bytes.extend([count, count].concat());
    for number in [size, at] {
        bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    bytes.extend([0, 0]);
    bytes
}

/// A workbook of these sheets, each given by the XML of its rows. Style 1 is a date.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const RELS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let list = sheets.iter().enumerate().map(|(at, (name, _))| {
        format!(
            r#"<sheet name="{name}" sheetId="{0}" r:id="r{0}"/>"#,
            at + 1
        )
    });
    let relations = (1..=sheets.len()).map(|at| {
        format!(
            r#"<Relationship Id="r{at}" Type="{RELS}/worksheet" Target="worksheets/s{at}.xml"/>"#
        )
    });
    let mut files = vec![
        (
            "_rels/.rels".to_owned(),
            format!(
                r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="{RELS}/officeDocument" Target="xl/workbook.xml"/></Relationships>"#
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                r#"<workbook xmlns="{MAIN}" xmlns:r="{RELS}"><sheets>{}</sheets></workbook>"#,
                list.collect::<String>()
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!(
                r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>"#,
                relations.collect::<String>()
            ),
        ),
        (
            "xl/styles.xml".to_owned(),
            format!(
                r#"<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#
            ),
        ),
    ];
    for (at, (_, rows)) in sheets.iter().enumerate() {
        files.push((
            format!("xl/worksheets/s{}.xml", at + 1),
            format!(r#"<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>"#),
        ));
    }
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (&**name, text.clone()))
        .collect();
    zip(&files)
}

fn text(cell: &str, value: &str) -> String {
    format!(r#"<c r="{cell}" t="inlineStr"><is><t>{value}</t></is></c>"#)
}

fn csv(bytes: Vec<u8>, sheet: Option<&str>) -> Result<String, String> {
    let sheet = read_sheet("crm.xlsx", Cursor::new(bytes), sheet);
    let mut text = String::new();
    sheet
        .map_err(|error| error.to_string())?
        .csv
        .read_to_string(&mut text)
        .unwrap();
    Ok(text)
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
        "\nunionid,,\"a \"\"b\"\",\nc\"\n\n\
         123456789012345,,0.1,2025-10-13T12:59:02.400,2025-10-13,12:00:00,TRUE,#N/A\n"
    );
}

#[test]
fn sheet_is_the_first_or_the_named_one() {
    let bytes = workbook(&[
        ("One", &format!("<row>{}</row>", text("A1", "first"))),
        ("二", &format!("<row>{}</row>", text("A1", "second"))),
    ]);
    assert_eq!(csv(bytes.clone(), None).unwrap(), "first\n");
    assert_eq!(csv(bytes.clone(), Some("二")).unwrap(), "second\n");
    let error = csv(bytes, Some("Two")).unwrap_err();
    assert_eq!(
        error,
        "crm.xlsx has no sheet 'Two'; its sheets are 'One', '二': name one with --sheet"
    );
    let error = csv(zip(&[("a.txt", "text".to_owned())]), None).unwrap_err();
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
        row(7, [UNIONID, OPENID], "y"),
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
    let expected = [(5, OPENID), (6, reason), (7, OPENID)];
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
