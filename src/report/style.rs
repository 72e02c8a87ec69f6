//! How text fits a terminal: columns, folding, colours.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns of a terminal `text` takes: Chinese characters and emoji take two, combining
/// marks none.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in lines of at most `width` columns, broken at spaces and beside wide characters, since
/// Chinese has no spaces; what cannot be broken has a line of its own.
pub(crate) fn folded(text: &str, width: usize) -> Vec<String> {
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

/// Returns `text` with control characters and marks of writing direction spelt out, so that no name
/// and no reply can steer a terminal. Line ends and tabs stay.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let spelt = text.chars().map(|char| match is_steering(char) {
        true => char.escape_default().to_string(),
        false => char.to_string(),
    });
    Cow::Owned(spelt.collect())
}

/// The same for a JSON text, which stays one with the same meaning.
pub(crate) fn printable_json(json: &str) -> String {
    let spelt = json.chars().map(|char| match is_steering(char) {
        true => format!("\\u{:04x}", u32::from(char)),
        false => char.to_string(),
    });
    spelt.collect()
}

/// The same as [`printable`], except for the colours of [`Paint`].
pub(crate) fn printable_painted(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut printed = printable(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let is_paint = SGR.into_iter().any(|code| {
            piece
                .strip_prefix(code)
                .is_some_and(|rest| rest.starts_with('m'))
        });
        printed += if is_paint { "\x1b[" } else { "\\u{1b}[" };
        printed += &printable(piece);
    }
    printed
}

/// What [`Paint`] writes between `ESC [` and `m`.
const SGR: [&str; 6] = ["0", "1", "2", "31", "32", "33"];

fn is_steering(char: char) -> bool {
    let is_control = char.is_control() && !matches!(char, '\n' | '\t');
    let turns =
        matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_control || turns
}

/// Whether to colour: the environment's `NO_COLOR`, `CLICOLOR_FORCE` and `CLICOLOR` in this
/// order, then a terminal that is not dumb.
pub(crate) fn colors(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
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
pub(crate) fn can_draw(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    is_terminal && !is_dumb(env)
}

/// As indicatif sees it, which would draw nothing at all.
fn is_dumb(env: impl Fn(&str) -> Option<String>) -> bool {
    env("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// A colour, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) const fn new(on: bool) -> Self {
        Self { on }
    }

    /// For what is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.sgr(text, "32")
    }

    /// For what waits or needs a look.
    pub(crate) fn warn(self, text: &str) -> String {
        self.sgr(text, "33")
    }

    /// For what stands still until the operator acts.
    pub(crate) fn bad(self, text: &str) -> String {
        self.sgr(text, "31")
    }

    /// For what is worth a second look only.
    pub(crate) fn dim(self, text: &str) -> String {
        self.sgr(text, "2")
    }

    /// For headlines.
    pub(crate) fn bold(self, text: &str) -> String {
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

    #[test]
    fn nothing_quoted_steers_a_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}b\r\u{7f}";
        let spelt = r"a\u{1b}]0;x\u{7}\u{9b}2J\u{202e}b\r\u{7f}";
        assert_eq!(printable(hostile), spelt);
        assert_eq!(printable("会员\t1\n2"), "会员\t1\n2");
        let painted = Paint::new(true).bad("no");
        let line = format!("{painted} {hostile} \u{1b}[5m\u{1b}[");
        let expected = format!("{painted} {spelt} \\u{{1b}}[5m\\u{{1b}}[");
        assert_eq!(printable_painted(&line), expected);
        let json = serde_json::to_string(hostile).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.contains(is_steering), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }

    #[test]
    fn columns_are_those_of_a_terminal() {
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
    fn long_line_is_folded_at_spaces() {
        assert_eq!(folded("a bc def", 4), ["a bc", "def"]);
        assert_eq!(folded("a  b", 4), ["a  b"]);
        assert_eq!(folded("abcdef g", 4), ["abcdef", "g"]);
        assert_eq!(folded("", 4), [""]);
    }

    #[test]
    fn chinese_is_folded_but_not_before_punctuation() {
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
