//! How a table is written, and writing one alike.

use encoding_rs::GB18030;

use super::encoding::Encoding;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableStyle {
    pub(crate) encoding: Encoding,
    /// Whether a byte order mark precedes it.
    pub(crate) bom: bool,
    pub(crate) delimiter: u8,
    /// Between lines.
    pub(crate) line_end: &'static str,
}

impl TableStyle {
    /// Returns the same style in another encoding. UTF-16 is told by its byte order mark.
    pub(crate) fn in_encoding(self, encoding: Encoding) -> Self {
        let wide = matches!(encoding, Encoding::Utf16Le | Encoding::Utf16Be);
        let bom = wide || (self.bom && encoding == Encoding::Utf8);
        Self {
            encoding,
            bom,
            ..self
        }
    }
}

/// Appends `text`, which is UTF-8 but for damage, to `bytes` in `encoding`.
pub(crate) fn encode(encoding: Encoding, text: &[u8], bytes: &mut Vec<u8>) {
    let lossy = || String::from_utf8_lossy(text);
    match encoding {
        Encoding::Utf8 => bytes.extend_from_slice(text),
        Encoding::Gb18030 => bytes.extend_from_slice(&GB18030.encode(&lossy()).0),
        Encoding::Utf16Le => {
            let units = lossy();
            bytes.extend(units.encode_utf16().flat_map(u16::to_le_bytes));
        }
        Encoding::Utf16Be => {
            let units = lossy();
            bytes.extend(units.encode_utf16().flat_map(u16::to_be_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_as_it_was_decoded() {
        let encoded = |encoding| {
            let mut bytes = Vec::new();
            encode(encoding, "会a𠀀".as_bytes(), &mut bytes);
            bytes
        };
        assert_eq!(encoded(Encoding::Utf8), "会a𠀀".as_bytes());
        let (gb18030, _, _) = GB18030.encode("会a𠀀");
        assert_eq!(encoded(Encoding::Gb18030), &*gb18030);
        let utf16 = [0x1a, 0x4f, 0x61, 0, 0x40, 0xd8, 0, 0xdc];
        assert_eq!(encoded(Encoding::Utf16Le), utf16);
        let swapped: Vec<u8> = utf16
            .chunks(2)
            .flat_map(|pair| [pair[1], pair[0]])
            .collect();
        assert_eq!(encoded(Encoding::Utf16Be), swapped);
    }
}
