//! What an id looks like: letters, lengths, and what is trimmed around it.

use super::reject::RejectReason;

/// The length of a unionid or an openid, in bytes.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;
/// The lengths that ids of WeChat have had so far. Others are reported and not rejected.
const USUAL_LENGTHS: std::ops::RangeInclusive<usize> = 28..=29;
/// The longest corpid, in bytes.
const CORPID_MAX: usize = 64;

/// Returns the unionid or openid in `bytes`, trimmed.
pub(super) fn parse_id(bytes: &[u8]) -> Result<&str, RejectReason> {
    let id = parse_letters(bytes)?;
    match id.len() {
        0 => Err(RejectReason::Empty),
        length if ID_LENGTHS.contains(&length) => Ok(id),
        length => Err(RejectReason::Length(length)),
    }
}

/// Returns the corpid in `text`, trimmed.
pub(super) fn parse_corpid(text: &str) -> Result<&str, RejectReason> {
    let corpid = parse_letters(text.as_bytes())?;
    match corpid.len() {
        1..=CORPID_MAX => Ok(corpid),
        0 => Err(RejectReason::Empty),
        length => Err(RejectReason::CorpidLength(length)),
    }
}

/// Returns `bytes` trimmed, if only letters of ids are left; they may be empty.
pub(super) fn parse_letters(bytes: &[u8]) -> Result<&str, RejectReason> {
    let text = std::str::from_utf8(bytes).map_err(|_| RejectReason::NotText)?;
    // In nearly all cases there is nothing to trim. Without an early exit the compiler turns this
    // loop into a few vector instructions.
    if bytes.iter().fold(true, |all, byte| all & is_letter(*byte)) {
        return Ok(text);
    }
    let text = trim(text);
    match text.chars().find(|letter| !is_id_char(*letter)) {
        None => Ok(text),
        Some('\n' | '\r') => Err(RejectReason::LineBreak),
        Some('\u{fffd}') => Err(RejectReason::NotText),
        Some(letter) => Err(RejectReason::Character(letter)),
    }
}

/// Whether ids have had this length so far.
pub(super) fn has_usual_length(id: &str) -> bool {
    USUAL_LENGTHS.contains(&id.len())
}

/// Whether `text` could be an id. In a header that means that there is no header.
pub(super) fn looks_like_id(text: &str) -> bool {
    // Nearly every id has a digit, and hardly any long column name has.
    let has_digit = text.contains(|letter: char| letter.is_ascii_digit());
    has_digit && has_usual_length(text.trim()) && parse_id(text.as_bytes()).is_ok()
}

/// Whether nothing but space is in `bytes`.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    // The first letter decides nearly every case.
    let has_letter = bytes.first().is_some_and(|byte| is_letter(*byte));
    !has_letter && std::str::from_utf8(bytes).is_ok_and(|text| trim(text).is_empty())
}

/// Returns `text` without the white space around it (full-width and no-break space included) and
/// without the invisible characters that are copied together with an id from a web page.
fn trim(text: &str) -> &str {
    text.trim_matches(|letter: char| {
        letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}')
    })
}

/// With `|` instead of `||`, so that it has no branches.
const fn is_letter(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'_')
        | (byte == b'-')
}

/// Returns what may be ids in `line`, whatever stands between them.
pub(crate) fn ids_in(line: &[u8]) -> impl Iterator<Item = &str> {
    let words = line.split(|byte| !is_letter(*byte));
    let words = words.filter(|word| ID_LENGTHS.contains(&word.len()));
    words.filter_map(|word| std::str::from_utf8(word).ok())
}

const fn is_id_char(letter: char) -> bool {
    letter.is_ascii() && is_letter(letter as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "oAbCdEfGhIjKlMnOpQrStUvWx0-_";

    #[test]
    fn ids_are_trimmed_of_every_kind_of_space() {
        for around in [" ", "\t", "\u{3000}", "\u{a0}", "\u{feff}", " \n"] {
            let padded = format!("{around}{ID}{around}");
            assert_eq!(parse_id(padded.as_bytes()), Ok(ID), "{around:?}");
        }
    }

    #[test]
    fn ids_have_16_to_64_letters_of_their_alphabet() {
        assert_eq!(parse_id(b""), Err(RejectReason::Empty));
        assert_eq!(parse_id("\u{3000}".as_bytes()), Err(RejectReason::Empty));
        assert_eq!(parse_id(&[b'x'; 15]), Err(RejectReason::Length(15)));
        assert!(parse_id(&[b'x'; 16]).is_ok() && parse_id(&[b'x'; 64]).is_ok());
        assert_eq!(parse_id(&[b'x'; 65]), Err(RejectReason::Length(65)));
        for (id, reason) in [
            ("oAbCdEfGhIjKlMnO*QrS", RejectReason::Character('*')),
            ("oAbCdEfGhIjKlMn会", RejectReason::Character('会')),
            ("oAbCdEfGh\nIjKlMnO", RejectReason::LineBreak),
        ] {
            assert_eq!(parse_id(id.as_bytes()), Err(reason));
        }
        let invalid = parse_id(b"oAbCdEfGhIjKlMnO\xff");
        assert_eq!(invalid, Err(RejectReason::NotText));
    }

    #[test]
    fn corpids_have_1_to_64_letters() {
        assert_eq!(parse_corpid("w"), Ok("w"));
        assert_eq!(parse_corpid(""), Err(RejectReason::Empty));
        let long = "w".repeat(65);
        assert_eq!(parse_corpid(&long), Err(RejectReason::CorpidLength(65)));
        assert_eq!(parse_corpid("w w"), Err(RejectReason::Character(' ')));
    }

    #[test]
    fn column_names_do_not_look_like_ids() {
        assert!(looks_like_id(ID));
        assert!(!looks_like_id("the_unionid_of_the_customer_"));
        assert!(!looks_like_id("unionid") && !looks_like_id("external_user_id"));
    }
}
