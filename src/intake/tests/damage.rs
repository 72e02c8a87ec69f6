//! Lines that are damaged, and what is read on after them.

use std::io::Write;

use proptest::prelude::*;

use super::*;

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, quotes in "[\",;\n\r\0a]{0,200}") {
        let mut text = b"unionid,openid\n".to_vec();
        text.extend(quotes.as_bytes());
        text.extend(&bytes);
        read(text);
        if let Ok(mut rows) = File::new("fans.csv", bytes).open(&ReadOptions::default()) {
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
        let mut rows = RowReader::open(&input, &ReadOptions::default()).unwrap();
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
