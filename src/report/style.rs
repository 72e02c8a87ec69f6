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
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let grouped = [0, 999, 1000, 98_000, 7_500_000].map(count);
        assert_eq!(grouped, ["0", "999", "1,000", "98,000", "7,500,000"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(counted(1, "line"), "1 line");
        assert_eq!(counted(1000, "line"), "1,000 lines");
    }

    #[test]
    fn a_share_is_all_or_nothing_only_if_it_is() {
        assert_eq!(share(31_204, 100_000), "31.2 %");
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(1, 100_000), "0.1 %");
        assert_eq!(share(100, 100), "100 %");
        assert_eq!(share(0, 100), "0 %");
        assert_eq!(share(0, 0), "0 %");
    }

    #[test]
    fn a_character_takes_the_columns_that_a_terminal_gives_it() {
        for (text, taken) in [
            ("", 0),
            ("31.2 %  ██░░ · …", 16),
            ("(45009 接口调用超过限制)", 24),
            ("（、。）", 8),
            ("\u{1f600}\u{1f389}", 4),
            // One emoji of three and two joiners; a thumb and its colour.
            ("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", 2),
            ("\u{1f44d}\u{1f3fd}", 2),
            ("e\u{301}a\u{308}", 2),
            // Katakana in half width, with its mark, and in full.
            ("ｶﾀｶﾅ", 4),
            ("ｶﾞ", 2),
            ("カタカナ", 8),
            ("한국어", 6),
        ] {
            assert_eq!(columns(text), taken, "{text}");
        }
    }

    #[test]
    fn a_long_line_is_folded_at_spaces() {
        assert_eq!(folded("a bc def", 4), ["a bc", "def"]);
        assert_eq!(folded("a  b", 4), ["a  b"]);
        assert_eq!(folded("abcdef g", 4), ["abcdef", "g"]);
        assert_eq!(folded("", 4), [""]);
    }

    #[test]
    fn chinese_is_folded_anywhere_but_at_the_wrong_side_of_a_stop() {
        let folded = |text, width| folded(text, width).join("|");
        assert_eq!(folded("接口调用超过限制", 6), "接口调|用超过|限制");
        assert_eq!(folded("企业可信IP of it", 6), "企业可|信IP|of it");
        assert_eq!(folded("请求，重试。", 4), "请|求，|重|试。");
        assert_eq!(folded("调用（接口）", 6), "调用|（接|口）");
        assert_eq!(folded("(45009 限制)", 8), "(45009|限制)");
        assert_eq!(folded("限", 1), "限");
        // No cluster is torn apart.
        let (thumb, pair) = ("\u{1f44d}\u{1f3fd}", "\u{1f468}\u{200d}\u{1f469}");
        let text = [thumb, thumb, pair].concat();
        assert_eq!(folded(&text, 2), [thumb, thumb, pair].join("|"));
        assert_eq!(folded("か\u{3099}か", 2), "か\u{3099}|か");
    }

    #[test]
    fn slow_rates_keep_their_decimals() {
        let rates = [1666.4, 166.4, 9.96, 8.34, 0.5, 0.02, 0.0, -1.0].map(rate);
        let shown = ["1,666", "166", "10", "8.3", "0.5", "0.02", "0.00", "0.00"];
        assert_eq!(rates, shown);
        assert_eq!(rate(f64::INFINITY), count(u64::MAX));
    }

    #[test]
    fn a_duration_has_two_units_and_no_sixty_of_anything() {
        let shown = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(shown(0.0), "0 s");
        assert_eq!(shown(0.34), "340 ms");
        assert_eq!(shown(31.4), "31 s");
        assert_eq!(shown(59.6), "1 min");
        assert_eq!(shown(1831.0), "30 min 31 s");
        assert_eq!(shown(3599.7), "1 h");
        assert_eq!(shown(20_400.0), "5 h 40 min");
        assert_eq!(shown(86_399.0), "1 d");
        assert_eq!(shown(183_600.0), "2 d 3 h");
        assert_eq!(duration(Duration::MAX), "213503982334 d 14 h");
    }

    #[test]
    fn a_moment_has_a_date_unless_it_is_today() {
        let now = at("2026-11-22T12:10:31+08:00");
        assert_eq!(moment(at("2026-11-22T12:41:02+08:00"), now), "12:41:02");
        assert_eq!(moment(at("2026-11-22T23:59:59+08:00"), now), "23:59");
        assert_eq!(about(at("2026-11-22T12:41:02+08:00"), now), "12:41");
        assert_eq!(about(at("2027-01-01T00:00+08:00"), now), "2027-01-01 00:00");
        assert_eq!(
            moment_and_wait(at("2026-11-23T03:12+08:00"), now),
            "2026-11-23 03:12 (in 15 h 1 min)"
        );
        assert_eq!(
            moment_and_wait(at("2026-11-22T12:41:02+08:00"), now),
            "12:41:02 (in 30 min 31 s)"
        );
    }

    #[test]
    fn colours_follow_the_environment() {
        let with = |list: &'static [(&str, &str)]| {
            move |name: &str| {
                let found = list.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            }
        };
        let xterm: &[_] = &[("TERM", "xterm")];
        assert!(colors(true, with(xterm)));
        assert!(!colors(false, with(xterm)));
        assert!(!colors(true, with(&[("TERM", "dumb")])));
        assert!(!colors(true, with(&[("TERM", "xterm"), ("NO_COLOR", "1")])));
        assert!(colors(true, with(&[("TERM", "xterm"), ("NO_COLOR", "")])));
        assert!(!colors(true, with(&[("TERM", "xterm"), ("CLICOLOR", "0")])));
        assert!(colors(false, with(&[("CLICOLOR_FORCE", "1")])));
        assert!(!colors(
            true,
            with(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")])
        ));
        assert!(can_draw(true, with(xterm)));
        assert!(!can_draw(true, with(&[])));
        assert_eq!(Paint::new(true).good("x"), "\x1b[32mx\x1b[0m");
        assert_eq!(Paint::new(false).good("x"), "x");
    }
}
