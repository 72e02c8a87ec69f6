//! The server's own words, made fit for a log: nothing that we sent comes back out.

use super::query;

/// Stands where something was that must not be repeated.
const HIDDEN: &str = "«…»";
/// Characters kept of a message. The longest form seen, hint and address included, is about 200
/// (D90313).
const MOST: usize = 300;
/// A shorter piece of a secret or an id gives nothing away, and might be a word.
const SHORTEST_PIECE: usize = 8;

/// `errmsg` without any of `sent` (raw, percent-encoded, or a longer piece of one), without
/// control characters, and at most 300 characters long.
pub(super) fn clean(errmsg: &str, sent: &[&str]) -> String {
    let mut text: String = errmsg
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    for needle in needles(sent) {
        text = text.replace(&needle, HIDDEN);
    }
    // Cut last: a cut through the middle of a secret would have hidden it from the search.
    let text = without_pieces(&text, sent);
    text.trim().chars().take(MOST).collect()
}

/// Longest first, lest a short one tear a hole into a longer one and leave its ends.
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

/// A server that shortens what it quotes still quotes.
fn without_pieces(text: &str, sent: &[&str]) -> String {
    let quoted =
        |word: &str| word.len() >= SHORTEST_PIECE && sent.iter().any(|sent| sent.contains(word));
    text.split_inclusive(|c| !is_id(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c| !is_id(c));
            match quoted(word) {
                true => format!("{HIDDEN}{}", &piece[word.len()..]),
                false => piece.to_owned(),
            }
        })
        .collect()
}

/// The alphabet in which ids and tokens were seen.
const fn is_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_does_not_come_back() {
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
    fn a_message_is_cut_only_after_it_was_cleaned() {
        let errmsg = format!("{} secretsecret", "词".repeat(294));
        let cleaned = clean(&errmsg, &["secretsecret"]);
        assert_eq!(cleaned.chars().count(), 298);
        assert!(cleaned.ends_with(HIDDEN));
        assert_eq!(clean(&"x ".repeat(1000), &[""]).chars().count(), 300);
    }
}
