//! What a gateway between us and the API may change in a reply without changing its meaning.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Deserializer, de::Error};

use super::transport::LONGEST_BODY;

/// How gzip begins, and JSON never does.
const GZIP: &[u8] = b"\x1f\x8b";

/// Returns `body` as JSON text: unpacked, without a byte order mark, and with what is not UTF-8 (in
/// the server's own words, for ids are ASCII) replaced.
pub(super) fn text(body: &[u8]) -> Cow<'_, str> {
    if body.starts_with(GZIP) {
        let mut unpacked = Vec::new();
        let longest = LONGEST_BODY as u64;
        // What cannot be unpacked cannot be read either, which its reader says.
        let _ = MultiGzDecoder::new(body)
            .take(longest)
            .read_to_end(&mut unpacked);
        return Cow::Owned(plain(&unpacked).into_owned());
    }
    plain(body)
}

fn plain(body: &[u8]) -> Cow<'_, str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    String::from_utf8_lossy(body)
}

/// Reads a number, or a string that holds one.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText<'a> {
        Number(i64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
    }
    match NumberOrText::deserialize(deserializer)? {
        NumberOrText::Number(number) => Ok(number),
        NumberOrText::Text(text) => text.trim().parse().map_err(D::Error::custom),
    }
}

/// The same, where the field may be absent.
pub(super) fn maybe_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    number(deserializer).map(Some)
}

/// Reads a list; `null`, an empty object and an empty string are empty ones.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrNothing<'a, T> {
        Entries(Vec<T>),
        Nothing(Nothing),
        #[serde(borrow)]
        Text(Cow<'a, str>),
        Null(()),
    }
    match ListOrNothing::deserialize(deserializer)? {
        ListOrNothing::Entries(entries) => Ok(entries),
        ListOrNothing::Nothing(Nothing {}) | ListOrNothing::Null(()) => Ok(Vec::new()),
        ListOrNothing::Text(text) if text.is_empty() => Ok(Vec::new()),
        ListOrNothing::Text(_) => Err(D::Error::custom("a text instead of a list")),
    }
}
