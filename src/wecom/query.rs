//! Percent-encoding of query values (RFC 3986: all but the unreserved characters).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `text`, encoded, to `query`, with no copy of it between.
pub(super) fn push_encoded(query: &mut String, text: &str) {
    query.extend(utf8_percent_encode(text, RESERVED));
}

/// `text`, encoded.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_unreserved_is_encoded() {
        assert_eq!(encoded("azAZ09-._~"), "azAZ09-._~");
        assert_eq!(
            encoded("a+b/c=d&e#f?g h%"),
            "a%2Bb%2Fc%3Dd%26e%23f%3Fg%20h%25"
        );
        assert_eq!(encoded("密"), "%E5%AF%86");
    }
}
