//! Whether a line can be a subject: the checks that cost no call.

use crate::model::Row;

use super::{Reason, header::Header, records::Records};

/// Ids shorter or longer than this are no ids.
const ID_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;
/// What ids of WeChat have measured so far; others are told, not rejected.
const USUAL_LENGTHS: std::ops::RangeInclusive<usize> = 28..=29;
const CORPID_LONGEST: usize = 64;

/// A column and what is wrong with it.
pub(super) struct FieldError {
    /// `None` if it is the line as a whole.
    pub(super) column: Option<usize>,
    pub(super) reason: Reason,
}

impl FieldError {
    pub(super) const NUL: Self = Self {
        column: None,
        reason: Reason::Nul,
    };
}

/// The row in the current record. `corpid` is the filter every row of the source has to agree to.
pub(super) fn row<'a>(
    records: &'a Records,
    header: &Header,
    corpid: Option<&'a str>,
) -> Result<Row<'a>, FieldError> {
    let complain = |column| {
        move |reason| FieldError {
            column: Some(column),
            reason,
        }
    };
    let id = |column| {
        field(records, column)
            .and_then(id)
            .map_err(complain(column))
    };
    let unionid = id(header.unionid)?;
    let openid = id(header.openid)?;
    let corpid = match header.corpid {
        Some(column) => row_corpid(records, column, corpid).map_err(complain(column))?,
        None => corpid,
    };
    Ok(Row {
        unionid,
        openid,
        corpid,
    })
}

/// Whether an id of `row` has a length not seen so far.
pub(super) fn is_unusual(row: &Row<'_>) -> bool {
    !USUAL_LENGTHS.contains(&row.unionid.len()) || !USUAL_LENGTHS.contains(&row.openid.len())
}

/// Whether `text` could be an id; in a header that means there is no header.
pub(super) fn looks_like_id(text: &str) -> bool {
    // Nearly every id has a digit; a long name for a column hardly ever.
    let digit = text.contains(|letter: char| letter.is_ascii_digit());
    digit && USUAL_LENGTHS.contains(&text.trim().len()) && id(text.as_bytes()).is_ok()
}

/// Whether nothing is written in the current record, as in the `,,,` Excel leaves below a table.
pub(super) fn is_blank(records: &Records) -> bool {
    (0..records.width()).all(|column| {
        let field = records.field(column).unwrap_or_default();
        // Nearly every record is told by its first letter.
        let written = field.first().is_some_and(|byte| is_letter(*byte));
        !written && std::str::from_utf8(field).is_ok_and(|text| trim(text).is_empty())
    })
}

/// `corpid` itself, if it can be one.
pub(super) fn corpid(corpid: &str) -> Result<&str, Reason> {
    let corpid = plausible(corpid.as_bytes())?;
    match corpid.len() {
        1..=CORPID_LONGEST => Ok(corpid),
        0 => Err(Reason::Empty),
        length => Err(Reason::CorpidLength(length)),
    }
}

fn row_corpid<'a>(
    records: &'a Records,
    column: usize,
    asked: Option<&'a str>,
) -> Result<Option<&'a str>, Reason> {
    // An empty corpid looks in all corps, and so does one the line is too short to have.
    let own = plausible(records.field(column).unwrap_or_default())?;
    if own.is_empty() {
        return Ok(asked);
    }
    let own = corpid(own)?;
    match asked {
        Some(asked) if asked != own => Err(Reason::OtherCorp),
        _ => Ok(Some(own)),
    }
}

fn field(records: &Records, column: usize) -> Result<&[u8], Reason> {
    let fields = records.width();
    records.field(column).ok_or(Reason::Absent { fields })
}

fn id(bytes: &[u8]) -> Result<&str, Reason> {
    let id = plausible(bytes)?;
    match id.len() {
        0 => Err(Reason::Empty),
        length if ID_LENGTHS.contains(&length) => Ok(id),
        length => Err(Reason::Length(length)),
    }
}

/// `bytes` without the white space around them, if only letters of ids are left.
fn plausible(bytes: &[u8]) -> Result<&str, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::NotText)?;
    // Nearly always there is nothing to trim. Without a way out in the middle, the loop becomes
    // a few vector instructions.
    if bytes.iter().fold(true, |all, byte| all & is_letter(*byte)) {
        return Ok(text);
    }
    let text = trim(text);
    match text.chars().find(|letter| !is_id_char(*letter)) {
        None => Ok(text),
        Some('\n' | '\r') => Err(Reason::LineBreak),
        Some('\u{fffd}') => Err(Reason::NotText),
        Some(letter) => Err(Reason::Character(letter)),
    }
}

/// Without the white space around it (full-width and no-break included) and the invisible signs
/// that come along when an id is copied from a web page.
fn trim(text: &str) -> &str {
    text.trim_matches(|letter: char| {
        letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}')
    })
}

/// Spelled with `|`, so that it has no branches.
const fn is_letter(byte: u8) -> bool {
    ((byte | 0x20).wrapping_sub(b'a') < 26)
        | (byte.wrapping_sub(b'0') < 10)
        | (byte == b'_')
        | (byte == b'-')
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
            assert_eq!(id(padded.as_bytes()), Ok(ID), "{around:?}");
        }
    }

    #[test]
    fn ids_have_16_to_64_letters_of_their_alphabet() {
        assert_eq!(id(b""), Err(Reason::Empty));
        assert_eq!(id("\u{3000}".as_bytes()), Err(Reason::Empty));
        assert_eq!(id(&[b'x'; 15]), Err(Reason::Length(15)));
        assert!(id(&[b'x'; 16]).is_ok() && id(&[b'x'; 64]).is_ok());
        assert_eq!(id(&[b'x'; 65]), Err(Reason::Length(65)));
        assert_eq!(id(b"oAbCdEfGhIjKlMnO*QrS"), Err(Reason::Character('*')));
        assert_eq!(
            id("oAbCdEfGhIjKlMn会".as_bytes()),
            Err(Reason::Character('会'))
        );
        assert_eq!(id(b"oAbCdEfGhIjKlMnO\xff"), Err(Reason::NotText));
        assert_eq!(id(b"oAbCdEfGh\nIjKlMnO"), Err(Reason::LineBreak));
    }

    #[test]
    fn a_corpid_is_shorter_than_an_id_may_be() {
        assert_eq!(corpid("w"), Ok("w"));
        assert_eq!(corpid(""), Err(Reason::Empty));
        assert_eq!(corpid(&"w".repeat(65)), Err(Reason::CorpidLength(65)));
        assert_eq!(corpid("w w"), Err(Reason::Character(' ')));
    }

    #[test]
    fn names_of_columns_do_not_look_like_ids() {
        assert!(looks_like_id(ID));
        assert!(!looks_like_id("the_unionid_of_the_customer_"));
        assert!(!looks_like_id("unionid") && !looks_like_id("external_user_id"));
    }
}
