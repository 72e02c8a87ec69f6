//! Whole sources, read from disk.

mod damage;
mod encodings;
mod read_ahead;
mod refusals;

use std::{fs, io::Read, path::PathBuf};

use tempfile::TempDir;

use super::*;

/// Everything that a reader returned.
#[derive(Default)]
struct ReadResult {
    valid: Vec<(u64, String, String, Option<String>)>,
    invalid: Vec<RowError>,
    failure: Option<IntakeError>,
    unusual: UnusualIds,
    lines: u64,
}

/// A source in a folder of its own.
struct File {
    folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Self { folder, path }
    }

    fn open(&self) -> Result<RowReader, IntakeError> {
        self.open_with(&ReadOptions::default())
    }

    fn open_with(&self, options: &ReadOptions) -> Result<RowReader, IntakeError> {
        RowReader::open(&Input::Path(self.path.clone()), options)
    }

    fn read(&self) -> ReadResult {
        self.read_with(&ReadOptions::default())
    }

    fn read_with(&self, options: &ReadOptions) -> ReadResult {
        assert!(self.folder.path().exists());
        let mut rows = self.open_with(options).unwrap();
        let mut read = ReadResult::default();
        loop {
            match rows.next() {
                Ok(InputLine::Row(row)) => {
                    let (unionid, openid) = (row.unionid.to_owned(), row.openid.to_owned());
                    let corpid = row.corpid.map(str::to_owned);
                    read.valid.push((rows.line(), unionid, openid, corpid));
                }
                Ok(InputLine::Invalid(error)) => read.invalid.push(error),
                Ok(InputLine::End) => break,
                Err(error) => {
                    read.failure = Some(error);
                    break;
                }
            }
        }
        assert!(matches!(rows.next(), Ok(InputLine::End)));
        read.unusual = rows.unusual_ids();
        read.lines = rows.lines();
        self.assert_same_read_ahead(options, &read);
        read
    }

    fn assert_same_read_ahead(&self, options: &ReadOptions, read: &ReadResult) {
        let mut lines = ReadAhead::of(self.open_with(options).unwrap()).unwrap();
        let (mut good, mut bad) = (read.valid.iter(), read.invalid.iter());
        let failure = loop {
            match lines.next() {
                Ok(InputLine::Row(row)) => {
                    let (_, unionid, openid, corpid) = good.next().unwrap();
                    assert_eq!((row.unionid, row.openid), (&**unionid, &**openid));
                    assert_eq!(row.corpid, corpid.as_deref());
                }
                Ok(InputLine::Invalid(error)) => assert!(bad.next() == Some(&error)),
                Ok(InputLine::End) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let expected = read.failure.as_ref().map(ToString::to_string);
        assert_eq!((good.len(), bad.len(), failure), (0, 0, expected));
        assert_eq!(lines.finish().lines(), read.lines);
    }
}

impl ReadResult {
    /// The lines of the valid rows.
    fn valid_lines(&self) -> Vec<u64> {
        self.valid.iter().map(|row| row.0).collect()
    }

    /// Line, column and reason of the invalid lines.
    fn errors(&self) -> Vec<(u64, &str, RejectReason)> {
        self.invalid
            .iter()
            .map(|error| (error.line, error.column.as_str(), error.reason))
            .collect()
    }
}

fn read(bytes: impl AsRef<[u8]>) -> ReadResult {
    File::new("fans.csv", bytes).read()
}

/// Reads a file of these lines below the header.
fn read_lines(lines: &[String]) -> ReadResult {
    read(format!("unionid,openid\n{}\n", lines.join("\n")))
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    let file = File::new("fans.csv", bytes);
    let error = file.open().unwrap_err().to_string();
    error.replace(&file.path.display().to_string(), "fans.csv")
}

/// A plausible id that ends in `n`.
fn id(n: usize) -> String {
    format!("o-AbCdEfGhIjKlMnOpQr_{n:07}")
}

fn pair(n: usize) -> String {
    format!("{},{}", id(n), id(n + 500_000))
}

/// A header and `rows` good lines.
fn tidy(rows: usize) -> String {
    let mut text = "unionid,openid\n".to_owned();
    for n in 0..rows {
        text.push_str(&pair(n));
        text.push('\n');
    }
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    let mut packed = Vec::new();
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

fn options(columns: &str) -> ReadOptions {
    ReadOptions {
        columns: columns.parse().unwrap(),
        ..ReadOptions::default()
    }
}

fn only_corp(corpid: &str) -> ReadOptions {
    ReadOptions {
        corpid: Some(corpid.to_owned()),
        ..ReadOptions::default()
    }
}

#[test]
fn tidy_file_gives_its_rows_in_order() {
    let read = read(tidy(3));
    assert_eq!(read.valid_lines(), [2, 3, 4]);
    assert_eq!(read.valid[1], (3, id(1), id(500_001), None));
    assert_eq!(read.unusual, UnusualIds::default());
}

#[test]
fn headers_match_without_regard_to_case_spaces_and_bom() {
    let read = read(format!("\u{feff}\" Open ID \",UnionId\n{}\n", pair(1)));
    assert_eq!(read.valid, [(2, id(500_001), id(1), None)]);
}

#[test]
fn every_delimiter_is_found_in_the_header() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = tidy(2).replace(',', delimiter);
        assert_eq!(read(&text).valid_lines(), [2, 3], "{delimiter:?}");
    }
    let row = pair(1).replace(',', ";");
    let mixed = format!("unionid;openid;\"a,b,c\"\n{row};x\n");
    assert_eq!(read(mixed).valid_lines(), [2]);
}

#[test]
fn every_line_end_is_recognised() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("unionid,openid\n\n{}\n{}", pair(1), pair(2)).replace('\n', end);
        assert_eq!(read(&text).valid_lines(), [3, 4], "{end:?}");
    }
}

#[test]
fn line_breaks_in_quotes_are_counted_as_lines() {
    let (one, two, three) = (pair(1), pair(2), id(3));
    let rows = format!("{one},\"Bob\r\nthe\r\nBuilder\"\r\n\r\n{two},Al\r\nx,{three}\r\n");
    let text = format!("unionid,openid,nickname\r\n{rows}");
    let read = read(text);
    assert_eq!(read.valid_lines(), [2, 6]);
    assert_eq!(read.errors(), [(7, "unionid", RejectReason::Length(1))]);
}

#[test]
fn empty_lines_are_skipped() {
    let (one, two) = (pair(1), pair(2));
    let text = format!("\n\nunionid,openid\n\n{one}\n  \n,,,\n\n{two}\n\n");
    for text in [text.replace(',', ";"), text] {
        let read = read(text);
        assert_eq!(read.valid_lines(), [5, 9]);
        assert_eq!((read.lines, read.invalid.len()), (2, 0));
    }
}

#[test]
fn long_lines_are_valid_and_short_ones_are_not() {
    let read = read_lines(&[pair(1) + ",1,2,3", id(2), pair(3)]);
    assert_eq!(read.valid_lines(), [2, 4]);
    let absent = RejectReason::Absent { fields: 1 };
    assert_eq!(read.errors(), [(3, "openid", absent)]);
    assert_eq!(read.invalid[0].fields, [&*id(2), "", ""]);
}

#[test]
fn row_may_name_a_corp_but_not_another_than_the_flag() {
    let rows = [",wpA", ",", "", ",wpB", ",w p"];
    let rows: String = (1..)
        .zip(rows)
        .map(|(n, corp)| pair(n) + corp + "\n")
        .collect();
    let file = File::new("fans.csv", format!("unionid,openid,CorpID\n{rows}"));
    let all = file.read();
    let corps: Vec<_> = all.valid.iter().map(|row| row.3.as_deref()).collect();
    assert_eq!(corps, [Some("wpA"), None, None, Some("wpB")]);
    assert_eq!(all.errors(), [(6, "CorpID", RejectReason::Character(' '))]);

    let one = file.read_with(&only_corp("wpA"));
    assert!(one.valid.iter().all(|row| row.3.as_deref() == Some("wpA")));
    assert_eq!(one.valid_lines(), [2, 3, 4]);
    assert_eq!(one.errors()[0], (5, "CorpID", RejectReason::OtherCorp));
}

#[test]
fn unusual_lengths_are_counted_and_not_rejected() {
    let read = read_lines(&[pair(1), format!("{},{}", &id(2)[..20], id(3))]);
    assert_eq!(read.valid_lines(), [2, 3]);
    assert_eq!((read.unusual.rows, read.unusual.first_line), (1, Some(3)));
}

#[test]
fn samples_are_what_their_readme_says() {
    let sample = |name: &str, options: &ReadOptions| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_data");
        File::new(name, fs::read(path.join(name)).unwrap()).read_with(options)
    };
    let fans = sample("fans.csv", &ReadOptions::default());
    assert_eq!((fans.valid.len(), fans.invalid.len()), (1_000, 0));
    let untidy = sample("untidy.csv", &ReadOptions::default());
    assert_eq!((untidy.valid.len(), untidy.invalid.len()), (40, 14));
    assert_eq!(untidy.unusual.rows, 2);
    let excel = options("unionid=会员unionid,openid=小程序openid");
    let excel = sample("excel-gb18030.csv", &excel);
    assert_eq!((excel.valid.len(), excel.invalid.len()), (50, 0));
}
