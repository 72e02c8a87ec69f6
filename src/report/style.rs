//! How numbers, spans of time, moments and colours look to people.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::clock::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// `1,234,567`
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 subject`, `1,234 subjects`
#[must_use]
pub fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// `31.2 %`. What is not quite all is never shown as 100 %, and what is not quite nothing never
/// as 0 %.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let permille = share_of(part, whole) * 1000.0;
    match (part, whole) {
        (0, _) | (_, 0) => "0 %".into(),
        (part, whole) if part >= whole => "100 %".into(),
        _ => format!("{:.1} %", permille.round().clamp(1.0, 999.0) / 10.0),
    }
}

/// How many columns of a terminal `text` takes: Chinese characters and emoji take two, combining
/// marks none.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in lines of at most `width` columns, broken at spaces and beside wide characters, since
/// Chinese has no spaces; what cannot be broken has a line of its own.
#[must_use]
pub fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let pieces = text.split(' ').flat_map(pieces);
    for (gap, piece) in pieces {
        match lines.last_mut() {
            Some(line) if columns(line) + gap.len() + columns(piece) <= width => {
                line.push_str(gap);
                line.push_str(piece);
            }
            _ => lines.push(piece.to_owned()),
        }
    }
    lines
}

/// What a word may be broken into, each piece with what stands before it on the same line.
fn pieces(word: &str) -> Vec<(&'static str, &str)> {
    let (mut pieces, mut gap, mut start) = (Vec::new(), " ", 0);
    let pairs = word.char_indices().zip(word.chars().skip(1));
    for ((at, before), after) in pairs {
        if may_break(before, after) {
            let end = at + before.len_utf8();
            pieces.push((gap, &word[start..end]));
            (gap, start) = ("", end);
        }
    }
    pieces.push((gap, &word[start..]));
    pieces
}

/// Whether a line may end between two characters: beside a wide one, but not within a cluster,
/// after an opening bracket, or before a closing one or a stop.
fn may_break(before: char, after: char) -> bool {
    const OPENING: &str = "([{\"'“‘（［｛「『《〈【〔";
    const CLOSING: &str = ")]}\"'”’）］｝」』》〉】〕,.;:!?%…，．。、；：！？％";
    const JOINER: char = '\u{200d}';
    let wide = |char: char| char.width() == Some(2);
    let joined =
        before == JOINER || after.width() == Some(0) || matches!(after, '\u{1f3fb}'..='\u{1f3ff}'); // the colours of skin
    (wide(before) || wide(after))
        && !joined
        && !OPENING.contains(before)
        && !CLOSING.contains(after)
}

/// `part / whole`, between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "only looked at")]
pub(super) fn share_of(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 / whole as f64).clamp(0.0, 1.0)
}

/// A rate a second: `166`, `8.3`, `0.02`
#[must_use]
pub fn rate(per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, not negative, and saturating"
    )]
    match per_second {
        calls if calls >= 9.95 => count(calls.round() as u64),
        calls if calls >= 0.095 => format!("{calls:.1}"),
        calls => format!("{:.2}", calls.max(0.0)),
    }
}

/// Two units at most: `2 d 3 h`, `5 h 40 min`, `30 min 31 s`, `31 s`, `340 ms`
#[must_use]
pub fn duration(span: Duration) -> String {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let seconds = millis.saturating_add(500) / 1000;
    // Rounded to the smaller of the two units first, so that no "60 min" comes out.
    let minutes = seconds.saturating_add(MINUTE / 2) / MINUTE;
    let hours = seconds.saturating_add(HOUR / 2) / HOUR;
    match () {
        () if millis == 0 => "0 s".into(),
        () if millis < 1000 => format!("{millis} ms"),
        () if seconds < MINUTE => format!("{seconds} s"),
        () if seconds < HOUR => two(seconds, MINUTE, "min", "s"),
        () if minutes < DAY / MINUTE => two(minutes, 60, "h", "min"),
        () => two(hours, 24, "d", "h"),
    }
}

fn two(number: u64, base: u64, large: &str, small: &str) -> String {
    match (number / base, number % base) {
        (whole, 0) => format!("{whole} {large}"),
        (whole, rest) => format!("{whole} {large} {rest} {small}"),
    }
}

/// The time of day at +08:00: `12:04:30`
#[must_use]
pub fn time_of_day(at: Timestamp) -> String {
    at.civil().strftime("%H:%M:%S").to_string()
}

/// The date at +08:00: `2026-11-22`
#[must_use]
pub fn date(at: Timestamp) -> String {
    at.civil().date().to_string()
}

/// A moment to come, at +08:00, as seen at `now`: with seconds if it is less than an hour away,
/// with the date if it is not today.
#[must_use]
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    let form = match (at.civil().date() == now.civil().date(), at.since(now)) {
        (true, away) if away.as_secs() < HOUR => "%H:%M:%S",
        (true, _) => "%H:%M",
        (false, away) if away.as_secs() < HOUR => "%Y-%m-%d %H:%M:%S",
        (false, _) => "%Y-%m-%d %H:%M",
    };
    at.civil().strftime(form).to_string()
}

/// A moment that is only estimated, to the minute: `13:20`, `2026-11-23 03:12`
#[must_use]
pub fn about(at: Timestamp, now: Timestamp) -> String {
    let today = at.civil().date() == now.civil().date();
    let form = if today { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    at.civil().strftime(form).to_string()
}

/// `12:41:02 (in 30 min 31 s)`
#[must_use]
pub fn moment_and_wait(at: Timestamp, now: Timestamp) -> String {
    format!("{} (in {})", moment(at, now), duration(at.since(now)))
}

/// Whether to colour: the environment's `NO_COLOR`, `CLICOLOR_FORCE` and `CLICOLOR` in this
/// order, then a terminal that is not dumb.
pub fn colors(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    is_terminal && set("CLICOLOR").is_none_or(|value| value != "0") && !is_dumb(env)
}

/// Whether a bar can be drawn: on a terminal that can move its cursor.
pub fn can_draw(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    is_terminal && !is_dumb(env)
}

/// As indicatif sees it, which would draw nothing at all.
fn is_dumb(env: impl Fn(&str) -> Option<String>) -> bool {
    env("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// A colour, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Paints if `on`.
    #[must_use]
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// For what is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.sgr(text, "32")
    }

    /// For what waits or needs a look.
    #[must_use]
    pub fn warn(self, text: &str) -> String {
        self.sgr(text, "33")
    }

    /// For what stands still until somebody acts.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.sgr(text, "31")
    }

    /// For what is worth a second look only.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.sgr(text, "2")
    }

    /// For headlines.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.sgr(text, "1")
    }

    fn sgr(self, text: &str, code: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
