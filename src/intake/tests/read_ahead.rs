//! Reading ahead. Every test that reads a source also checks that it reads the same ahead.

use super::*;

#[test]
fn pages_follow_each_other() {
    let mut text = "unionid,openid,corpid\n".to_owned();
    for n in 0..10_000 {
        text += &match n % 7 {
            0 => format!("{},bad id,\n", id(n)),
            1 => format!("{},\n", pair(n)),
            _ => format!("{},wpDownstream{n}\n", pair(n)),
        };
    }
    let lent = read(text);
    assert_eq!((lent.valid.len(), lent.invalid.len()), (8571, 1429));
}

#[test]
fn long_lines_make_short_pages() {
    let wide = vec!["x".repeat(200); 250].join(",");
    let rows = 2000;
    let text = format!("unionid,openid\n{}", format!("{wide}\n").repeat(rows));
    let file = File::new("fans.csv", text);
    let mut lines = ReadAhead::of(file.open().unwrap()).unwrap();
    assert!(matches!(lines.next(), Ok(InputLine::Invalid(_))));
    // About five lines a page, five or six pages ahead.
    assert!(lines.finish().lines() < 100);
}

#[test]
fn thread_ends_when_reading_stops() {
    let file = File::new("fans.csv", tidy(100_000));
    let mut lines = ReadAhead::of(file.open().unwrap()).unwrap();
    assert!(matches!(lines.next(), Ok(InputLine::Row(_))));
    assert!(lines.finish().lines() < 100_000);
}
