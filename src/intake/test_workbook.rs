//! Excel workbooks, for tests.

/// A zip archive of files that are not compressed.
pub(crate) fn zip(files: &[(String, String)]) -> Vec<u8> {
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

const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const RELS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// A workbook of these sheets, each given by the XML of its rows. Style 1 is a date; the shared texts are
/// `one` and `two`, the second in two pieces.
pub(crate) fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    let numbered = || (1..=sheets.len()).zip(sheets);
    let list = numbered()
        .map(|(at, (name, _))| format!(r#"<sheet name="{name}" sheetId="{at}" r:id="r{at}"/>"#));
    let list: String = list.collect();
    let of_sheets = numbered().map(|(at, _)| {
        let target = format!("worksheets/s{at}.xml");
        relationship(&format!("r{at}"), "worksheet", &target)
    });
    let texts = relationship("texts", "sharedStrings", "sharedStrings.xml");
    let parts = [
        (
            "_rels/.rels",
            relationships(&relationship("r1", "officeDocument", "xl/workbook.xml")),
        ),
        (
            "xl/workbook.xml",
            format!(
                r#"<workbook xmlns="{MAIN}" xmlns:r="{RELS}"><sheets>{list}</sheets></workbook>"#
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels",
            relationships(&of_sheets.chain([texts]).collect::<String>()),
        ),
        (
            "xl/styles.xml",
            format!(
                r#"<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#
            ),
        ),
        (
            "xl/sharedStrings.xml",
            format!(
                r#"<sst xmlns="{MAIN}"><si><t>one</t></si><si><r><t>t</t></r><r><t>wo</t></r></si></sst>"#
            ),
        ),
    ];
    let sheets = numbered().map(|(at, (_, rows))| {
        let text =
            format!(r#"<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>"#);
        (format!("xl/worksheets/s{at}.xml"), text)
    });
    let parts = parts.map(|(name, text)| (name.to_owned(), text));
    zip(&parts.into_iter().chain(sheets).collect::<Vec<_>>())
}

fn relationship(id: &str, kind: &str, target: &str) -> String {
    format!(r#"<Relationship Id="{id}" Type="{RELS}/{kind}" Target="{target}"/>"#)
}

fn relationships(list: &str) -> String {
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    format!(r#"<Relationships xmlns="{PACKAGE}">{list}</Relationships>"#)
}

/// A cell whose text is in it.
pub(crate) fn text(cell: &str, value: &str) -> String {
    format!(r#"<c r="{cell}" t="inlineStr"><is><t>{value}</t></is></c>"#)
}

/// A cell whose text is one of those that sheets share.
pub(crate) fn shared(cell: &str, number: usize) -> String {
    format!(r#"<c r="{cell}" t="s"><v>{number}</v></c>"#)
}
