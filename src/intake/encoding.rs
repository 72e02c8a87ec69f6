//! Detecting the encoding of a source and decoding it to UTF-8.

use std::{
    fmt,
    io::{Cursor, Read},
    str::FromStr,
};

use encoding_rs_io::DecodeReaderBytesBuilder;

/// The encodings a source can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8, with or without a BOM.
    Utf8,
    /// GB18030, which includes GBK and GB2312: what Excel writes in China.
    Gb18030,
    /// UTF-16, low byte first, Excel's "Unicode text".
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    /// Returns its name in flags.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        }
    }

    /// Whether a source that begins with `sample` has the byte order mark of this encoding.
    pub(super) fn has_bom(self, sample: &[u8]) -> bool {
        Bom::of(sample).is_some_and(|bom| bom.encoding == self)
    }

    /// Returns the encoding of a source that begins with `sample`: that of a BOM, else UTF-8 if the
    /// bytes are valid, else GB18030.
    pub(super) fn detect(sample: &[u8]) -> Self {
        match (Bom::of(sample), sample) {
            (Some(bom), _) => bom.encoding,
            // UTF-16 without a BOM: most headers begin with ASCII letters.
            (None, [low, 0, ..]) if low.is_ascii_graphic() => Self::Utf16Le,
            (None, [0, low, ..]) if low.is_ascii_graphic() => Self::Utf16Be,
            _ if is_utf8(sample) || header_is_utf8(sample) => Self::Utf8,
            _ => Self::Gb18030,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gb18030" | "gbk" | "gb2312" => Ok(Self::Gb18030),
            "utf-16le" | "utf16le" => Ok(Self::Utf16Le),
            "utf-16be" | "utf16be" => Ok(Self::Utf16Be),
            _ => Err(format!(
                "'{word}' is no encoding idferry reads: utf-8, gb18030 (gbk, gb2312), utf-16le or utf-16be"
            )),
        }
    }
}

struct Bom {
    encoding: Encoding,
    length: usize,
}

impl Bom {
    fn of(sample: &[u8]) -> Option<Self> {
        let (encoding, length) = match sample {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => return None,
        };
        Some(Self { encoding, length })
    }
}

/// Whether `sample` is UTF-8; its last character may be incomplete.
fn is_utf8(sample: &[u8]) -> bool {
    match std::str::from_utf8(sample) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Whether the header alone is non-ASCII UTF-8: one nickname that a database cut in half must not
/// garble the names of all columns.
fn header_is_utf8(sample: &[u8]) -> bool {
    let end = sample.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let header = &sample[..end.unwrap_or(sample.len())];
    !header.is_ascii() && std::str::from_utf8(header).is_ok()
}

/// Returns `sample` and then `rest` as UTF-8, without the BOM.
///
/// UTF-8 is passed on without a check, which is faster: invalid bytes matter only inside an id,
/// where they are rejected as characters that no id has.
pub(super) fn decode(
    encoding: Encoding,
    sample: Vec<u8>,
    rest: Box<dyn Read + Send>,
) -> Box<dyn Read + Send> {
    let bom = Bom::of(&sample).filter(|bom| bom.encoding == encoding);
    let mut sample = Cursor::new(sample);
    sample.set_position(bom.map_or(0, |bom| bom.length as u64));
    let bytes = sample.chain(rest);
    let table = match encoding {
        Encoding::Utf8 => return Box::new(bytes),
        Encoding::Gb18030 => encoding_rs::GB18030,
        Encoding::Utf16Le => encoding_rs::UTF_16LE,
        Encoding::Utf16Be => encoding_rs::UTF_16BE,
    };
    let mut builder = DecodeReaderBytesBuilder::new();
    builder.encoding(Some(table)).bom_sniffing(false);
    Box::new(builder.build(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bom_decides() {
        assert_eq!(Encoding::detect(b"\xef\xbb\xbfa"), Encoding::Utf8);
        assert_eq!(Encoding::detect(b"\xff\xfea\0"), Encoding::Utf16Le);
        assert_eq!(Encoding::detect(b"\xfe\xff\0a"), Encoding::Utf16Be);
    }

    #[test]
    fn utf8_is_tried_before_gb18030() {
        assert_eq!(Encoding::detect("会员".as_bytes()), Encoding::Utf8);
        let gbk = encoding_rs::GB18030.encode("会员unionid").0;
        assert_eq!(Encoding::detect(&gbk), Encoding::Gb18030);
        assert_eq!(Encoding::detect(b"u\0n\0"), Encoding::Utf16Le);
    }

    #[test]
    fn character_cut_by_the_end_of_the_sample_is_utf8() {
        let text = "unionid,昵称".as_bytes();
        assert_eq!(Encoding::detect(&text[..text.len() - 1]), Encoding::Utf8);
        assert_eq!(Encoding::detect(&text[..text.len() - 2]), Encoding::Utf8);
    }

    #[test]
    fn utf8_header_outvotes_a_broken_nickname() {
        let mut text = "会员unionid,昵称\nu,".as_bytes().to_vec();
        text.extend(b"\xe4\xbc\n");
        assert_eq!(Encoding::detect(&text), Encoding::Utf8);
    }

    #[test]
    fn encodings_are_parsed_by_name_and_alias() {
        for encoding in [Encoding::Utf8, Encoding::Gb18030, Encoding::Utf16Le] {
            assert_eq!(encoding.as_str().parse(), Ok(encoding));
        }
        assert_eq!("GBK".parse(), Ok(Encoding::Gb18030));
        assert!("latin1".parse::<Encoding>().is_err());
    }
}
