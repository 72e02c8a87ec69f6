use std::time::Duration;

use super::*;
use crate::clock::Timestamp;

#[test]
fn what_files_and_servers_say_is_never_markup() {
    let mut html = Markup::default();
    html.text("<script>\"a\"&'b'\n");
    assert_eq!(
        html.into_string(),
        "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39; "
    );
}

/// A chart of an hour of columns of a minute.
fn chart(columns: &[(Timestamp, f64)], limits: &[(&'static str, f64)]) -> String {
    let from = Timestamp::parse("2026-11-28T09:00+08:00").unwrap();
    let chart = svg::TimeChart {
        span: (from, from.plus(Duration::from_secs(3600))),
        step: Duration::from_secs(60),
        columns,
        limits,
        waits: &[(from, from, "quota")],
    };
    let mut html = Markup::default();
    chart.draw(840.0, &mut html);
    html.into_string()
}

#[test]
fn chart_shows_the_limits_that_are_near_and_numbers_only() {
    let at = |minute| Timestamp::parse(&format!("2026-11-28T09:{minute}+08:00")).unwrap();
    let limits = [("business.hour", 1633.0), ("basic.minute", 9800.0)];
    let drawn = chart(&[(at("00"), 1200.0), (at("01"), 600.0)], &limits);
    assert!(drawn.contains(">business.hour</text>"), "{drawn}");
    assert!(!drawn.contains("basic.minute"), "{drawn}");
    assert!(drawn.contains(">1,500</text>") && drawn.contains(">09:10</text>"));
    // From the baseline to a height and down again: two columns that touch.
    let path = drawn
        .split("d=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let path = path.unwrap();
    assert_eq!(path.matches(['M', 'H', 'V']).collect::<String>(), "MVHVHV");
    for (columns, limits) in [
        (&[][..], &[][..]),
        (&[(at("00"), 0.0)], &limits),
        (&[(at("59"), 1e12)], &[]),
    ] {
        let drawn = chart(columns, limits);
        let is_number = !drawn.contains("NaN") && !drawn.contains("inf");
        assert!(is_number && drawn.ends_with("</svg>"), "{drawn}");
    }
}
