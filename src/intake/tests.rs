//! What a whole source comes to, from its bytes on disk.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// What was lent, owned.
#[derive(Default)]
struct Lent {
    good: Vec<(u64, String, String, Option<String>)>,
    bad: Vec<RowError>,
    failure: Option<IntakeError>,
    unusual: Unusual,
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

    fn open(&self, options: &Options) -> Result<Rows, IntakeError> {
        Rows::open(&Input::Path(self.path.clone()), options)
    }

    fn read(&self, options: &Options) -> Lent {
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
        read
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
    File::new("fans.csv", bytes).read(&Options::default())
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    let file = File::new("fans.csv", bytes);
    let error = file.open(&Options::default()).unwrap_err().to_string();
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

fn options(columns: &str) -> Options {
    Options {
        columns: columns.parse().unwrap(),
        ..Options::default()
    }
}

#[test]
fn a_tidy_file_gives_its_rows_in_order() {
    let file = File::new("fans.csv", tidy(3));
    let read = file.read(&Options::default());
    assert_eq!(read.lines_of_good(), [2, 3, 4]);
    assert_eq!(read.good[1], (3, id(1), id(500_001), None));
    assert_eq!(read.unusual, Unusual::default());
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
    let read = read(text);
    assert_eq!(read.lines_of_good(), [5, 9]);
    assert_eq!((read.lines, read.bad.len()), (2, 0));
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
    let all = file.read(&Options::default());
    let corps: Vec<_> = all.good.iter().map(|row| row.3.as_deref()).collect();
    assert_eq!(corps, [Some("wpA"), None, None, Some("wpB")]);
    assert_eq!(all.complaints(), [(6, "CorpID", Reason::Character(' '))]);

    let corpid = Some("wpA".to_owned());
    let one = file.read(&Options {
        corpid,
        ..Options::default()
    });
    assert!(one.good.iter().all(|row| row.3.as_deref() == Some("wpA")));
    assert_eq!(one.lines_of_good(), [2, 3, 4]);
    assert_eq!(one.complaints()[0], (5, "CorpID", Reason::OtherCorp));
}

#[test]
fn a_corpid_that_cannot_be_one_is_refused_at_once() {
    let corpid = Some("wp A".to_owned());
    let options = Options {
        corpid,
        ..Options::default()
    };
    let error = File::new("fans.csv", tidy(1)).open(&options).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--corpid 'wp A' cannot be a corpid: it has")
    );
}

#[test]
fn unusual_lengths_are_told_and_not_rejected() {
    let text = format!("unionid,openid\n{}\n{},{}\n", pair(1), &id(2)[..20], id(3));
    let read = read(text);
    assert_eq!(read.lines_of_good(), [2, 3]);
    let first_line = Some(3);
    assert_eq!(
        read.unusual,
        Unusual {
            rows: 1,
            first_line
        }
    );
}

#[test]
fn a_nul_byte_costs_its_line() {
    let text = format!(
        "unionid,openid,x\n{},a\0b\n{},\"\0\"\n{},c\n",
        pair(1),
        pair(2),
        pair(3)
    );
    let read = read(text);
    assert_eq!(read.lines_of_good(), [4]);
    assert_eq!(
        read.complaints(),
        [(2, "", Reason::Nul), (3, "", Reason::Nul)]
    );
}

#[test]
fn gb18030_is_found_and_its_columns_can_be_named() {
    let text = format!(
        "会员unionid\t小程序openid\t昵称\r\n{}\t张三\r\n",
        pair(1).replace(',', "\t")
    );
    let file = File::new("fans.csv", encoding_rs::GB18030.encode(&text).0);
    let options = options("unionid=会员unionid,openid=小程序openid");
    assert_eq!(file.read(&options).good, [(2, id(1), id(500_001), None)]);
    assert_eq!(file.open(&options).unwrap().encoding(), Encoding::Gb18030);
}

#[test]
fn utf16_is_read_both_ways_round() {
    let text = format!("\u{feff}unionid\topenid\n{}\n", pair(1).replace(',', "\t"));
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in [&le, &be, &le[2..].to_vec(), &be[2..].to_vec()] {
        assert_eq!(read(bytes).lines_of_good(), [2]);
    }
}

#[test]
fn bytes_that_are_no_text_matter_in_ids_only() {
    let mut bytes = format!("unionid,openid,x\n{},", pair(1)).into_bytes();
    bytes.resize(bytes.len() + 65_536 - 60, b'x');
    bytes.extend(
        format!("\n{},caf\u{e9}\n", pair(2))
            .chars()
            .map(|c| c as u8),
    );
    bytes.extend(
        format!("{},x\n", pair(3).replace("-A", "\u{e9}A"))
            .chars()
            .map(|c| c as u8),
    );
    let read = read(bytes);
    assert_eq!(read.lines_of_good(), [2, 3]);
    assert_eq!(read.complaints(), [(4, "unionid", Reason::NotText)]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    let mut packed = Vec::new();
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

#[test]
fn gzip_is_unpacked_whatever_its_name_and_over_all_members() {
    let text = tidy(1_000);
    let (head, tail) = text.as_bytes().split_at(20_000);
    let packed = [gzip(head), gzip(tail)].concat();
    for name in ["fans.csv.gz", "fans.csv"] {
        let file = File::new(name, &packed);
        assert_eq!(file.read(&Options::default()).good.len(), 1_000);
        assert_eq!(
            file.open(&Options::default()).unwrap().total_bytes(),
            Some(packed.len() as u64)
        );
    }
}

#[test]
fn zstd_is_unpacked_whatever_its_name() {
    let packed = zstd::encode_all(tidy(1_000).as_bytes(), 1).unwrap();
    for name in ["fans.csv.zst", "fans.csv"] {
        let file = File::new(name, &packed);
        let mut rows = file.open(&Options::default()).unwrap();
        while !matches!(rows.next().unwrap(), Line::End) {}
        assert_eq!((rows.lines(), rows.bytes()), (1_000, packed.len() as u64));
    }
}

#[test]
fn a_cut_off_archive_keeps_the_lines_before_the_cut() {
    let text = tidy(100_000);
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for (name, packed) in [
        ("fans.csv.gz", gzip(text.as_bytes())),
        ("fans.csv.zst", zstd),
    ] {
        let file = File::new(name, &packed[..packed.len() / 2]);
        let read = file.read(&Options::default());
        let error = read.failure.unwrap().to_string();
        assert!(read.good.len() > 10_000 && read.bad.is_empty(), "{error}");
        assert!(error.contains(&format!(
            "The {} lines before that are kept",
            read.good.len()
        )));
        assert!(error.contains("is damaged or cut off"), "{error}");
    }
}

#[test]
fn an_archive_in_name_only_is_told() {
    let file = File::new("fans.csv.gz", tidy(1));
    let error = file.open(&Options::default()).unwrap_err().to_string();
    assert!(
        error.contains("its gzip data cannot be unpacked"),
        "{error}"
    );
}

#[test]
fn a_field_of_10_mb_costs_its_line_and_no_memory() {
    let huge = "x".repeat(10 << 20);
    for quote in ["", "\""] {
        let text = format!(
            "unionid,openid\n{}\n{},{quote}{huge}{quote}\n{}\n",
            pair(1),
            id(2),
            pair(3)
        );
        let read = read(text);
        assert_eq!(read.lines_of_good(), [2, 4]);
        let reason = if quote.is_empty() {
            Reason::LongField
        } else {
            Reason::UnclosedQuote
        };
        assert_eq!(read.complaints(), [(3, "openid", reason)]);
        assert!(read.bad[0].fields[0].chars().count() <= 200);
    }
}

#[test]
fn a_record_of_more_than_1_mib_costs_its_line() {
    let wide = ["x"; 600_000].join(",");
    let text = format!("unionid,openid\n{},{wide}\n{}\n", pair(1), pair(2));
    let read = read(text);
    assert_eq!(read.lines_of_good(), [3]);
    assert_eq!(read.complaints(), [(2, "", Reason::LongRecord)]);
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line_and_not_the_rest() {
    for rows in [3, 100_000] {
        let good = tidy(rows);
        let rest = good.trim_start_matches("unionid,openid\n");
        let text = format!("unionid,openid\n{},\"{}\n{rest}", id(1), id(2));
        let read = read(text);
        assert_eq!(read.complaints(), [(2, "openid", Reason::UnclosedQuote)]);
        assert_eq!(read.good.len(), rows);
        assert_eq!(read.good[0].0, 3);
    }
}

#[test]
fn a_stray_quote_that_a_later_line_closes_swallows_nothing() {
    let stray = format!(
        "unionid,openid,x\n{},\"Bob\n{},Al\n{},\"Cy\"\n",
        pair(1),
        pair(2),
        pair(3)
    );
    let read_stray = read(stray);
    assert_eq!(read_stray.complaints(), [(2, "x", Reason::UnclosedQuote)]);
    assert_eq!(read_stray.lines_of_good(), [3, 4]);

    let in_id = format!(
        "unionid,openid\n{},\"{}\n{}\n\"\n{}\n",
        id(1),
        id(2),
        pair(3),
        pair(4)
    );
    let read_id = read(in_id);
    assert_eq!(read_id.lines_of_good(), [3, 5]);
    assert_eq!(read_id.complaints()[0], (2, "openid", Reason::LineBreak));
    assert_eq!(
        read_id.complaints()[1],
        (4, "unionid", Reason::UnclosedQuote)
    );
}

#[test]
fn quotes_that_close_and_open_on_every_line_are_read_in_linear_time() {
    let lines = "x\"y,\"z\n".repeat(200_000);
    let read = read(format!("unionid,openid\n{lines}{}\n", pair(1)));
    assert_eq!((read.good.len(), read.bad.len()), (1, 200_000));
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
        let mut rows = file.open(&Options::default()).unwrap();
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
    let error = Rows::open(&input, &Options::default()).unwrap_err();
    assert!(matches!(error, IntakeError::Directory { .. }));
}

#[test]
fn the_samples_are_what_their_readme_says() {
    let sample = |name: &str, options: &Options| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("sample_data");
        File::new(name, fs::read(path.join(name)).unwrap()).read(options)
    };
    let fans = sample("fans.csv", &Options::default());
    assert_eq!((fans.good.len(), fans.bad.len()), (1_000, 0));
    let untidy = sample("untidy.csv", &Options::default());
    assert_eq!((untidy.good.len(), untidy.bad.len()), (40, 14));
    assert_eq!(untidy.unusual.rows, 2);
    let excel = options("unionid=会员unionid,openid=小程序openid");
    let excel = sample("excel-gb18030.csv", &excel);
    assert_eq!((excel.good.len(), excel.bad.len()), (50, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, quotes in "[\",;\n\r\0a]{0,200}") {
        let mut text = b"unionid,openid\n".to_vec();
        text.extend(quotes.as_bytes());
        text.extend(&bytes);
        read(text);
        if let Ok(mut rows) = File::new("fans.csv", bytes).open(&Options::default()) {
            while !matches!(rows.next(), Ok(Line::End) | Err(_)) {}
        }
    }

    #[test]
    fn no_good_line_outside_quotes_is_lost(
        noise in prop::collection::vec("[a-z,; \u{3000}\0]{0,40}|\"[a-z]{0,9}|[a-z]{0,9},\"[a-z]{0,9}", 0..30),
    ) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "unionid,openid").unwrap();
        for (n, noise) in noise.iter().enumerate() {
            writeln!(file, "{noise}\n{}", pair(n)).unwrap();
        }
        let input = Input::Path(file.path().to_owned());
        let mut rows = Rows::open(&input, &Options::default()).unwrap();
        let mut found = Vec::new();
        loop {
            match rows.next().unwrap() {
                Line::Row(row) => found.push(row.unionid.to_owned()),
                Line::Bad(_) => {}
                Line::End => break,
            }
        }
        prop_assert_eq!(found, (0..noise.len()).map(id).collect::<Vec<_>>());
    }
}
