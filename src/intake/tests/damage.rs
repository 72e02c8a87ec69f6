//! Damaged lines, and what is read after them.

use std::io::Write;

use proptest::prelude::*;

use super::*;

#[test]
fn nul_byte_rejects_its_line() {
    let read = read_lines(&[pair(1) + ",a\0b", pair(2) + ",\"\0\"", pair(3) + ",c"]);
    assert_eq!(read.valid_lines(), [4]);
    let nul = RejectReason::Nul;
    assert_eq!(read.errors(), [(2, "", nul), (3, "", nul)]);
}

#[test]
fn field_of_10_mb_rejects_its_line() {
    let huge = "x".repeat(10 << 20);
    for (quote, reason) in [
        ("", RejectReason::LongField),
        ("\"", RejectReason::UnclosedQuote),
    ] {
        let long = format!("{},{quote}{huge}{quote}", id(2));
        let read = read_lines(&[pair(1), long, pair(3)]);
        assert_eq!(read.valid_lines(), [2, 4]);
        assert_eq!(read.errors(), [(3, "openid", reason)]);
        let kept = &read.invalid[0].fields;
        assert!(kept.iter().all(|field| field.chars().count() <= 200));
    }
}

#[test]
fn record_of_more_than_1_mib_rejects_its_line() {
    let wide = ["x"; 600_000].join(",");
    let read = read_lines(&[format!("{},{wide}", pair(1)), pair(2)]);
    assert_eq!(read.valid_lines(), [3]);
    assert_eq!(read.errors(), [(2, "", RejectReason::LongRecord)]);
}

#[test]
fn unclosed_quote_rejects_its_line_and_not_the_rest() {
    for rows in [3, 100_000] {
        let good = tidy(rows);
        let rest = good.trim_start_matches("unionid,openid\n");
        let text = format!("unionid,openid\n{},\"{}\n{rest}", id(1), id(2));
        let read = read(text);
        assert_eq!(read.errors(), [(2, "openid", RejectReason::UnclosedQuote)]);
        assert_eq!(read.valid.len(), rows);
        assert_eq!(read.valid[0].0, 3);
    }
}

#[test]
fn stray_quote_closed_by_a_later_line_loses_no_line() {
    let (one, two, three) = (pair(1), pair(2), pair(3));
    let stray = format!("unionid,openid,x\n{one},\"Bob\n{two},Al\n{three},\"Cy\"\n");
    let read_stray = read(stray);
    assert_eq!(read_stray.errors(), [(2, "x", RejectReason::UnclosedQuote)]);
    assert_eq!(read_stray.valid_lines(), [3, 4]);

    let in_id = format!("{},\"{}", id(1), id(2));
    let read_id = read_lines(&[in_id, pair(3), "\"".to_owned(), pair(4)]);
    assert_eq!(read_id.valid_lines(), [3, 5]);
    let (line_break, unclosed) = (RejectReason::LineBreak, RejectReason::UnclosedQuote);
    let errors = [(2, "openid", line_break), (4, "unionid", unclosed)];
    assert_eq!(read_id.errors(), errors);
}

#[test]
fn quotes_on_every_line_take_linear_time() {
    let lines = "x\"y,\"z\n".repeat(200_000);
    let read = read(format!("unionid,openid\n{lines}{}\n", pair(1)));
    assert_eq!((read.valid.len(), read.invalid.len()), (1, 200_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, quotes in "[\",;\n\r\0a]{0,200}") {
        let mut text = b"unionid,openid\n".to_vec();
        text.extend(quotes.as_bytes());
        text.extend(&bytes);
        read(text);
        if let Ok(mut rows) = File::new("fans.csv", bytes).open() {
            while !matches!(rows.next(), Ok(InputLine::End) | Err(_)) {}
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
        let mut rows = RowReader::open(&input, &ReadOptions::default()).unwrap();
        let mut found = Vec::new();
        loop {
            match rows.next().unwrap() {
                InputLine::Row(row) => found.push(row.unionid.to_owned()),
                InputLine::Invalid(_) => {}
                InputLine::End => break,
            }
        }
        prop_assert_eq!(found, (0..noise.len()).map(id).collect::<Vec<_>>());
    }
}
