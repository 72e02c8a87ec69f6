//! Removes from the server's own words whatever was sent, so that they can be logged.

use super::query;

/// Replaces what must not be repeated.
const HIDDEN: &str = "«…»";
/// The most characters of a message that are kept. The longest form seen, hint and address
/// included, has about 200 (D90313).
const MOST_CHARS: usize = 300;
/// The fewest bytes of a piece of a secret or an id that is hidden: a shorter one reveals nothing
/// and may be a word.
const SHORTEST_PIECE: usize = 8;

/// Returns `errmsg` without any of `sent` (raw, percent-encoded, or a longer piece of one), without
/// control characters, and at most 300 characters long.
pub(super) fn clean(errmsg: &str, sent: &[&str]) -> String {
    let mut text: String = errmsg
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    for needle in needles(sent) {
        text = text.replace(&needle, HIDDEN);
    }
    // Cut last: half a secret would not be found.
    let text = without_pieces(&text, sent);
    text.trim().chars().take(MOST_CHARS).collect()
}

/// Returns what to replace, the longest first: a short one within it would leave its ends.
fn needles(sent: &[&str]) -> Vec<String> {
    let mut needles: Vec<String> = Vec::with_capacity(sent.len() * 2);
    for text in sent.iter().filter(|text| !text.is_empty()) {
        needles.push((*text).to_owned());
        needles.push(query::encoded(text));
    }
    needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    needles.dedup();
    needles
}

/// Hides pieces of `sent`, for a server that shortens what it quotes.
fn without_pieces(text: &str, sent: &[&str]) -> String {
    let quoted =
        |word: &str| word.len() >= SHORTEST_PIECE && sent.iter().any(|sent| sent.contains(word));
    text.split_inclusive(|c| !is_id(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c| !is_id(c));
            if quoted(word) {
                format!("{HIDDEN}{}", &piece[word.len()..])
            } else {
                piece.to_owned()
            }
        })
        .collect()
}

/// Whether `c` is of the alphabet in which ids and tokens were seen.
const fn is_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_hidden() {
        let sent = ["oUnionUnionUnion0001", "tok/en+1234567890", "zz9"];
        let cases = [
            (
                "invalid unionid: oUnionUnionUnion0001",
                "invalid unionid: «…»",
            ),
            ("token=tok/en+1234567890;", "token=«…»;"),
            (
                "?access_token=tok%2Fen%2B1234567890&x",
                "?access_token=«…»&x",
            ),
            (
                "got oUnionUnionUn... and en+1234567890",
                "got «…»... and en+«…»",
            ),
            ("zz9", "«…»"),
            ("invalid credential", "invalid credential"),
            ("bad\u{1b}[31m\r\nnews\0", "bad [31m  news"),
            ("", ""),
        ];
        for (errmsg, cleaned) in cases {
            assert_eq!(clean(errmsg, &sent), cleaned);
        }
    }

    #[test]
    fn message_is_cut_only_after_it_was_cleaned() {
        let errmsg = format!("{} secretsecret", "词".repeat(294));
        let cleaned = clean(&errmsg, &["secretsecret"]);
        assert_eq!(cleaned.chars().count(), 298);
        assert!(cleaned.ends_with(HIDDEN));
        assert_eq!(clean(&"x ".repeat(1000), &[""]).chars().count(), 300);
    }
}
