//! Lines read ahead; that they are the same is asserted wherever a test reads a source.

use super::*;

#[test]
fn pages_are_lent_one_after_the_other() {
    let mut text = "unionid,openid,corpid\n".to_owned();
    for n in 0..10_000 {
        text += &match n % 7 {
            0 => format!("{},bad id,\n", id(n)),
            1 => format!("{},\n", pair(n)),
            _ => format!("{},wpDownstream{n}\n", pair(n)),
        };
    }
    let lent = read(text);
    assert_eq!((lent.good.len(), lent.bad.len()), (8571, 1429));
}

#[test]
fn long_lines_make_short_pages() {
    let wide = vec!["x".repeat(200); 250].join(",");
    let rows = 2000;
    let text = format!("unionid,openid\n{}", format!("{wide}\n").repeat(rows));
    let file = File::new("fans.csv", text);
    let mut lines = ReadAhead::of(file.open(&ReadOptions::default()).unwrap()).unwrap();
    assert!(matches!(lines.next(), Ok(Line::Bad(_))));
    // Some five lines a page, five or six pages ahead.
    assert!(lines.ended().lines() < 100);
}

#[test]
fn whoever_stops_reading_stops_the_thread() {
    let file = File::new("fans.csv", tidy(100_000));
    let mut lines = ReadAhead::of(file.open(&ReadOptions::default()).unwrap()).unwrap();
    assert!(matches!(lines.next(), Ok(Line::Row(_))));
    assert!(lines.ended().lines() < 100_000);
}
