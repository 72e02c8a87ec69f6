//! What a whole source comes to, from its bytes on disk.

mod ahead;
mod damage;
mod encodings;
mod refusals;

use std::{fs, io::Read, path::PathBuf};

use tempfile::TempDir;

use super::*;

/// What was lent, owned.
#[derive(Default)]
struct Lent {
    good: Vec<(u64, String, String, Option<String>)>,
    bad: Vec<RowError>,
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

    fn open(&self, options: &ReadOptions) -> Result<RowReader, IntakeError> {
        RowReader::open(&Input::Path(self.path.clone()), options)
    }

    fn read(&self, options: &ReadOptions) -> Lent {
        assert!(self.folder.path().exists());
        let mut rows = self.open(options).unwrap();
        let mut read = Lent::default();
        loop {
            let line = match rows.next() {
                Ok(Line::Row(row)) => (
                    row.unionid.into(),
                    row.openid.into(),
                    row.corpid.map(Into::into),
                ),
                Ok(Line::Bad(error)) => {
                    read.bad.push(error);
                    continue;
                }
                Ok(Line::End) => break,
                Err(error) => {
                    read.failure = Some(error);
                    break;
                }
            };
            let (unionid, openid, corpid) = line;
            read.good.push((rows.line(), unionid, openid, corpid));
        }
        assert!(matches!(rows.next(), Ok(Line::End)));
        read.unusual = rows.unusual();
        read.lines = rows.lines();
        self.is_the_same_read_ahead(options, &read);
        read
    }

    fn is_the_same_read_ahead(&self, options: &ReadOptions, read: &Lent) {
        let mut lines = ReadAhead::of(self.open(options).unwrap()).unwrap();
        let (mut good, mut bad) = (read.good.iter(), read.bad.iter());
        let failure = loop {
            match lines.next() {
                Ok(Line::Row(row)) => {
                    let (_, unionid, openid, corpid) = good.next().unwrap();
                    assert_eq!((row.unionid, row.openid), (&**unionid, &**openid));
                    assert_eq!(row.corpid, corpid.as_deref());
                }
                Ok(Line::Bad(error)) => assert!(bad.next() == Some(&error)),
                Ok(Line::End) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let said = read.failure.as_ref().map(ToString::to_string);
        assert_eq!((good.len(), bad.len(), failure), (0, 0, said));
        assert_eq!(lines.ended().lines(), read.lines);
    }
}

impl Lent {
    /// Line and first id of the good rows.
    fn lines_of_good(&self) -> Vec<u64> {
        self.good.iter().map(|row| row.0).collect()
    }

    /// Line, column and reason of the bad ones.
    fn complaints(&self) -> Vec<(u64, &str, Reason)> {
        self.bad
            .iter()
            .map(|error| (error.line, error.column.as_str(), error.reason))
            .collect()
    }
}

fn read(bytes: impl AsRef<[u8]>) -> Lent {
    File::new("fans.csv", bytes).read(&ReadOptions::default())
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    let file = File::new("fans.csv", bytes);
    let error = file.open(&ReadOptions::default()).unwrap_err().to_string();
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

#[test]
fn a_tidy_file_gives_its_rows_in_order() {
    let file = File::new("fans.csv", tidy(3));
    let read = file.read(&ReadOptions::default());
    assert_eq!(read.lines_of_good(), [2, 3, 4]);
    assert_eq!(read.good[1], (3, id(1), id(500_001), None));
    assert_eq!(read.unusual, UnusualIds::default());
}

#[test]
fn headers_match_without_regard_to_case_spaces_and_bom() {
    let read = read(format!("\u{feff}\" Open ID \",UnionId\n{}\n", pair(1)));
    assert_eq!(read.good, [(2, id(500_001), id(1), None)]);
}

#[test]
fn every_delimiter_is_found_in_the_header() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = tidy(2).replace(',', delimiter);
        assert_eq!(read(&text).lines_of_good(), [2, 3], "{delimiter:?}");
    }
    let mixed = format!(
        "unionid;openid;\"a,b,c\"\n{};x\n",
        pair(1).replace(',', ";")
    );
    assert_eq!(read(mixed).lines_of_good(), [2]);
}

#[test]
fn every_line_end_is_understood() {
    for end in ["\n", "\r\n", "\r"] {
        let text = format!("unionid,openid\n\n{}\n{}", pair(1), pair(2)).replace('\n', end);
        assert_eq!(read(&text).lines_of_good(), [3, 4], "{end:?}");
    }
}

#[test]
fn a_line_break_in_quotes_does_not_upset_the_line_numbers() {
    let text = format!(
        "unionid,openid,nickname\r\n{},\"Bob\r\nthe\r\nBuilder\"\r\n\r\n{},Al\r\nx,{}\r\n",
        pair(1),
        pair(2),
        id(3)
    );
    let read = read(text);
    assert_eq!(read.lines_of_good(), [2, 6]);
    assert_eq!(read.complaints(), [(7, "unionid", Reason::Length(1))]);
}

#[test]
fn empty_lines_are_passed_over_in_silence() {
    let text = format!(
        "\n\nunionid,openid\n\n{}\n  \n,,,\n\n{}\n\n",
        pair(1),
        pair(2)
    );
    for text in [text.replace(',', ";"), text] {
        let read = read(text);
        assert_eq!(read.lines_of_good(), [5, 9]);
        assert_eq!((read.lines, read.bad.len()), (2, 0));
    }
}

#[test]
fn lines_may_be_longer_and_may_be_too_short() {
    let text = format!(
        "unionid,openid,x\n{},1,2,3\n{}\n{}\n",
        pair(1),
        id(2),
        pair(3)
    );
    let read = read(text);
    assert_eq!(read.lines_of_good(), [2, 4]);
    assert_eq!(
        read.complaints(),
        [(3, "openid", Reason::Absent { fields: 1 })]
    );
    assert_eq!(read.bad[0].fields, [id(2)]);
}

#[test]
fn a_row_may_name_its_corp_and_must_not_contradict_the_flag() {
    let text = format!(
        "unionid,openid,CorpID\n{},wpA\n{},\n{}\n{},wpB\n{},w p\n",
        pair(1),
        pair(2),
        pair(3),
        pair(4),
        pair(5)
    );
    let file = File::new("fans.csv", text);
    let all = file.read(&ReadOptions::default());
    let corps: Vec<_> = all.good.iter().map(|row| row.3.as_deref()).collect();
    assert_eq!(corps, [Some("wpA"), None, None, Some("wpB")]);
    assert_eq!(all.complaints(), [(6, "CorpID", Reason::Character(' '))]);

    let corpid = Some("wpA".to_owned());
    let one = file.read(&ReadOptions {
        corpid,
        ..ReadOptions::default()
    });
    assert!(one.good.iter().all(|row| row.3.as_deref() == Some("wpA")));
    assert_eq!(one.lines_of_good(), [2, 3, 4]);
    assert_eq!(one.complaints()[0], (5, "CorpID", Reason::OtherCorp));
}

#[test]
fn unusual_lengths_are_told_and_not_rejected() {
    let text = format!("unionid,openid\n{}\n{},{}\n", pair(1), &id(2)[..20], id(3));
    let read = read(text);
    assert_eq!(read.lines_of_good(), [2, 3]);
    let first_line = Some(3);
    assert_eq!(
        read.unusual,
        UnusualIds {
            rows: 1,
            first_line
        }
    );
}

#[test]
fn the_samples_are_what_their_readme_says() {
    let sample = |name: &str, options: &ReadOptions| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_data");
        File::new(name, fs::read(path.join(name)).unwrap()).read(options)
    };
    let fans = sample("fans.csv", &ReadOptions::default());
    assert_eq!((fans.good.len(), fans.bad.len()), (1_000, 0));
    let untidy = sample("untidy.csv", &ReadOptions::default());
    assert_eq!((untidy.good.len(), untidy.bad.len()), (40, 14));
    assert_eq!(untidy.unusual.rows, 2);
    let excel = options("unionid=会员unionid,openid=小程序openid");
    let excel = sample("excel-gb18030.csv", &excel);
    assert_eq!((excel.good.len(), excel.bad.len()), (50, 0));
}
