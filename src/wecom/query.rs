//! Percent-encoding of query values (RFC 3986: all but the unreserved characters).

/// Appends `text`, encoded, to `query`.
pub(super) fn push_encoded(query: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            query.push(char::from(byte));
        } else {
            query.push('%');
            query.push(char::from(HEX[usize::from(byte >> 4)]));
            query.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// `text`, encoded.
pub(super) fn encoded(text: &str) -> String {
    let mut query = String::with_capacity(text.len());
    push_encoded(&mut query, text);
    query
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
