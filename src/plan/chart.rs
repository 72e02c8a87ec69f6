//! Calls over time, drawn with characters.

use std::fmt::Write;

const COLUMNS: usize = 60;
const ROWS: usize = 10;

/// Calls over time, drawn as an area.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    /// The character that fills the area; one column wide.
    pub(super) glyph: char,
    /// Days from now, and the calls sent by then; neither ever falls.
    pub(super) points: Vec<(f64, u64)>,
}

impl Series {
    fn end(&self) -> (f64, u64) {
        self.points.last().copied().unwrap_or_default()
    }

    /// Returns the calls sent by `days`.
    fn at(&self, days: f64) -> u64 {
        let known = self.points.partition_point(|(at, _)| *at <= days);
        known.checked_sub(1).map_or(0, |last| self.points[last].1)
    }
}

/// Draws all series over the days of the longest one: at most 72 columns, and 12 lines and one
/// more per series; later ones are in front. Empty if there is nothing to draw.
pub(super) fn chart(series: &[Series]) -> String {
    let days = series.iter().map(|one| one.end().0).fold(0.0, f64::max);
    let calls = series.iter().map(|one| one.end().1).max().unwrap_or(0);
    if calls == 0 || days <= 0.0 || !days.is_finite() {
        return String::new();
    }
    let mut text = String::new();
    for row in (1..=ROWS).rev() {
        let label = if row == ROWS || row == ROWS / 2 {
            short((calls as f64 * row as f64 / ROWS as f64) as u64)
        } else {
            String::new()
        };
        let line: String = (1..=COLUMNS)
            .map(|column| cell(series, row, column, days, calls))
            .collect();
        let _ = writeln!(text, "{label:>8} ┤{line}", line = line.trim_end());
    }
    text.push_str(&axis(days));
    for one in series {
        let _ = writeln!(text, "{:>10}{} {}", "", one.glyph, one.name);
    }
    text
}

/// Returns the glyph of the foremost series that reaches the middle of a cell by the end of its
/// column.
fn cell(series: &[Series], row: usize, column: usize, days: f64, calls: u64) -> char {
    let at = days * column as f64 / COLUMNS as f64;
    let level = calls as f64 * (row as f64 - 0.5) / ROWS as f64;
    let reaching = series.iter().rev().find(|one| one.at(at) as f64 >= level);
    reaching.map_or(' ', |one| one.glyph)
}

/// Draws the axis with its middle and its end, in days, hours or minutes.
fn axis(days: f64) -> String {
    let (most, unit) = match days {
        2.0.. => (days, "d"),
        0.1.. => (days * 24.0, "h"),
        _ => (days * 1440.0, "min"),
    };
    let tick = |part: f64| format!("{:.1} {unit}", most * part);
    let half = COLUMNS / 2;
    let line = format!("{}┬{}┬", "─".repeat(half - 1), "─".repeat(half - 1));
    let (middle, end) = (tick(0.5), tick(1.0));
    let labels = format!("now{middle:>width$}{end:>half$}", width = half - 1);
    format!("{:>8} └{line}\n{:>9}{labels}\n", 0, "")
}

/// Formats calls as `7.5 M` or `48 k`.
fn short(calls: u64) -> String {
    let scaled = |unit: f64, name: &str| {
        let text = format!("{:.1}", calls as f64 / unit);
        format!("{} {name}", text.trim_end_matches(".0"))
    };
    match calls {
        0..10_000 => calls.to_string(),
        10_000..1_000_000 => scaled(1e3, "k"),
        1_000_000..1_000_000_000 => scaled(1e6, "M"),
        _ => scaled(1e9, "G"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stairs(name: &str, glyph: char, step: (f64, u64), steps: u32) -> Series {
        let points = (0..=steps).map(|n| (step.0 * f64::from(n), step.1 * u64::from(n)));
        let (name, points) = (name.to_owned(), points.collect());
        Series {
            name,
            glyph,
            points,
        }
    }

    #[test]
    fn two_series_share_one_chart() {
        let fast = stairs("with a ticket", '░', (1.0 / 24.0, 150_000), 50);
        let slow = stairs("no ticket", '█', (1.0, 480_000), 15);
        let text = chart(&[fast, slow]);
        assert!(
            text.lines().all(|line| line.chars().count() <= 72),
            "{text}"
        );
        insta::assert_snapshot!(text, @r"
        7.5 M ┤       ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█
              ┤       ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████
              ┤      ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████████
              ┤     ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████████████
              ┤    ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████████████████████
        3.8 M ┤   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░█████████████████████████████
              ┤  ░░░░░░░░░░░░░░░░░░░░░█████████████████████████████████████
              ┤  ░░░░░░░░░░░░░█████████████████████████████████████████████
              ┤ ░░░░░░░░░░█████████████████████████████████████████████████
              ┤░░░█████████████████████████████████████████████████████████
            0 └─────────────────────────────┬─────────────────────────────┬
              now                        7.5 d                        15.0 d
               ░ with a ticket
               █ no ticket
        ");
    }

    #[test]
    fn short_jobs_are_drawn_in_hours() {
        let text = chart(&[stairs("no ticket", '█', (0.125, 900), 4)]);
        assert!(text.contains("12.0 h"), "{text}");
        assert!(text.contains("    3600 ┤"), "{text}");
    }

    #[test]
    fn empty_series_are_not_drawn() {
        assert_eq!(chart(&[]), "");
        assert_eq!(chart(&[stairs("no ticket", '█', (1.0, 0), 4)]), "");
        assert_eq!(chart(&[stairs("no ticket", '█', (0.0, 7), 4)]), "");
        assert_eq!(chart(&[stairs("never", '█', (f64::INFINITY, 7), 4)]), "");
    }
}
