//! The one renderer of charts: numbers become SVG. Colours are classes, so that light, dark and print
//! are matters of the style sheet.

use std::time::Duration;

use super::markup::Markup;
use crate::{
    clock::Timestamp,
    format::{count, date, time_of_day},
};

/// Calls a minute over time.
pub(super) struct TimeChart<'c> {
    /// Where the time axis begins and ends.
    pub(super) span: (Timestamp, Timestamp),
    /// The length of a column.
    pub(super) step: Duration,
    /// When each column begins, and its height; in order, with gaps.
    pub(super) columns: &'c [(Timestamp, f64)],
    /// Horizontal lines with their names.
    pub(super) limits: &'c [(&'static str, f64)],
    /// From when to when it waited, and the class of the reason.
    pub(super) waits: &'c [(Timestamp, Timestamp, &'static str)],
}

const HEIGHT: f64 = 230.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = HEIGHT - 38.0;
const LEFT: f64 = 52.0;
/// For the names of limits, beside the drawing and not on it.
const RIGHT: f64 = 92.0;

impl TimeChart<'_> {
    /// Draws the chart `width` units wide. Texts keep their size: a narrow chart has fewer of them.
    pub(super) fn draw(&self, width: f64, svg: &mut Markup) {
        let (right, top) = (width - RIGHT, self.top());
        svg.raw("<svg role=\"img\" viewBox=\"0 0 ").number(width);
        svg.raw(" ").number(HEIGHT).raw("\">");
        for level in levels(top) {
            let y = height_of(level, top);
            line(svg, "grid", (LEFT, y), (right, y));
            text(svg, "end", (LEFT - 6.0, y + 4.0), count_of(level));
        }
        self.ticks(right, svg);
        self.area(right, top, svg);
        self.waiting(right, svg);
        let mut above = f64::MAX;
        for (name, limit) in self.limits {
            let y = height_of(*limit, top);
            // One that is far below or above what happened is no help.
            if *limit > top || BOTTOM - y < 14.0 {
                continue;
            }
            line(svg, "limit", (LEFT, y), (right, y));
            // Two names on one another would be none.
            if above - y > 12.0 || above == f64::MAX {
                text(svg, "limit", (right + 6.0, y + 4.0), (*name).to_owned());
                above = y;
            }
        }
        svg.raw("</svg>");
    }

    /// The highest number on the axis: that of the columns, or the next limit if it is near or the only
    /// one.
    fn top(&self) -> f64 {
        let highest = self.columns.iter().map(|(_, calls)| *calls);
        let highest = highest.fold(0.0, f64::max);
        let (lower, higher): (Vec<_>, Vec<_>) = self
            .limits
            .iter()
            .map(|(_, limit)| *limit)
            .partition(|limit| *limit < highest);
        let next = higher.into_iter().fold(f64::MAX, f64::min);
        let is_shown = lower.is_empty() || next <= highest * 2.5;
        let top = if is_shown && next < f64::MAX {
            next
        } else {
            highest
        };
        (top * 1.08).max(1.0)
    }

    fn x(&self, at: Timestamp, right: f64) -> f64 {
        let (from, to) = self.span;
        let share = at.since(from).as_secs_f64() / to.since(from).as_secs_f64().max(1.0);
        LEFT + (right - LEFT) * share.min(1.0)
    }

    fn ticks(&self, right: f64, svg: &mut Markup) {
        let (from, to) = self.span;
        let most = ((right - LEFT) / 62.0).max(2.0);
        let (step, form) = tick(to.since(from).as_secs_f64() / most);
        // Ticks are whole hours or days at +08:00.
        let (east, step) = (8 * 3_600_000, step * 1000);
        let first = (from.as_millis() + east + step - 1).div_euclid(step) * step - east;
        for at in (first..=to.as_millis()).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let at = Timestamp::from_millis(at);
            let x = self.x(at, right);
            line(svg, "grid", (x, BOTTOM), (x, BOTTOM + 4.0));
            let time: String = time_of_day(at).chars().take(5).collect();
            let label = match form {
                TickForm::Time if time != "00:00" => time,
                _ => date(at).chars().skip(5).collect(),
            };
            text(svg, "middle", (x.min(right - 16.0), BOTTOM + 30.0), label);
        }
    }

    fn area(&self, right: f64, top: f64, svg: &mut Markup) {
        svg.raw("<path class=\"area\" d=\"");
        let mut open: Option<f64> = None;
        for (at, calls) in self.columns {
            let (x, end) = (self.x(*at, right), self.x(at.plus(self.step), right));
            if open.is_none_or(|open| x - open > 0.2) {
                if open.is_some() {
                    svg.raw("V").number(BOTTOM);
                }
                svg.raw("M").number(x).raw(" ").number(BOTTOM);
            }
            svg.raw("V").number(height_of(*calls, top));
            svg.raw("H").number(end);
            open = Some(end);
        }
        if open.is_some() {
            svg.raw("V").number(BOTTOM);
        }
        svg.raw("\"/>");
    }

    /// A ribbon below the axis.
    fn waiting(&self, right: f64, svg: &mut Markup) {
        for (from, to, class) in self.waits {
            let (x, end) = (self.x(*from, right), self.x(*to, right));
            svg.raw("<rect class=\"")
                .raw(class)
                .raw("\" x=\"")
                .number(x);
            svg.raw("\" y=\"").number(BOTTOM + 8.0);
            svg.raw("\" height=\"6\" width=\"");
            svg.number((end - x).max(1.0)).raw("\"/>");
        }
    }
}

/// A bar of parts, each with its class and its share of the whole.
pub(super) fn stacked(parts: &[(&'static str, f64)], svg: &mut Markup) {
    svg.raw(
        "<svg class=\"bar\" role=\"img\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\">",
    );
    svg.raw("<rect class=\"rest\" width=\"1000\" height=\"10\"/>");
    let mut x = 0.0;
    for (class, share) in parts {
        let width = share * 1000.0;
        // Whatever is there can be seen.
        let shown = if *share > 0.0 { width.max(3.0) } else { 0.0 };
        svg.raw("<rect class=\"")
            .raw(class)
            .raw("\" height=\"10\" x=\"");
        svg.number(x).raw("\" width=\"").number(shown).raw("\"/>");
        x += width;
    }
    svg.raw("</svg>");
}

enum TickForm {
    Time,
    Date,
}

/// The seconds between two ticks that are no nearer than `least` seconds.
fn tick(least: f64) -> (i64, TickForm) {
    const TIMES: [i64; 11] = [
        60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
    ];
    const DAY: i64 = 86_400;
    const DAYS: [i64; 6] = [DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY, 30 * DAY];
    #[expect(clippy::cast_precision_loss, reason = "a few days in seconds")]
    let fits = |seconds: &&i64| **seconds as f64 >= least;
    match (TIMES.iter().find(fits), DAYS.iter().find(fits)) {
        (Some(seconds), _) => (*seconds, TickForm::Time),
        (None, Some(seconds)) => (*seconds, TickForm::Date),
        (None, None) => (90 * DAY, TickForm::Date),
    }
}

/// Three or four round numbers up to `top`.
fn levels(top: f64) -> Vec<f64> {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    let step = step.into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough).max(f64::MIN_POSITIVE);
    let levels = (0..=4).map(|level| f64::from(level) * step);
    levels.filter(|level| *level <= top).collect()
}

fn height_of(number: f64, top: f64) -> f64 {
    BOTTOM - (BOTTOM - TOP) * (number / top).min(1.0)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and saturating"
)]
fn count_of(number: f64) -> String {
    match number {
        small if small > 0.0 && small < 10.0 && small.fract() > 0.0 => format!("{small:.1}"),
        number => count(number.round() as u64),
    }
}

fn line(svg: &mut Markup, class: &'static str, from: (f64, f64), to: (f64, f64)) {
    svg.raw("<line class=\"").raw(class).raw("\" x1=\"");
    svg.number(from.0).raw("\" y1=\"").number(from.1);
    svg.raw("\" x2=\"").number(to.0).raw("\" y2=\"");
    svg.number(to.1).raw("\"/>");
}

fn text(svg: &mut Markup, class: &'static str, at: (f64, f64), text: String) {
    svg.raw("<text class=\"").raw(class).raw("\" x=\"");
    svg.number(at.0).raw("\" y=\"").number(at.1).raw("\">");
    svg.text(text).raw("</text>");
}
