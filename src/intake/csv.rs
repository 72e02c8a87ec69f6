//! Cutting bytes into the fields of a record.
//!
//! CSV is written with the `csv` crate but not read with it, for three reasons: fields are borrowed
//! from the read buffer instead of copied; a quote that is never closed is reported, where RFC 4180
//! readers take the rest of the file for one field; and no record can grow without bound. A test
//! checks that both cut well-formed input alike.

use super::reject::RejectReason;

pub(super) const FIELD_MAX: usize = 64 * 1024;
pub(super) const RECORD_MAX: usize = 1024 * 1024;

/// The position of a field in the bytes that it was cut from, without its quotes.
///
/// Doubled quotes inside stay as they are: no id has quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteRange {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The characters that separate fields and lines.
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `\n`, before which a `\r` is dropped; or `\r` alone, as old Macs write.
    pub(super) eol: u8,
    /// Which bytes stop the search through an unquoted field: these two and NUL.
    stops: [bool; 256],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A record of `length` bytes, line end included.
    Whole {
        length: usize,
        /// Line breaks inside quotes.
        breaks: u64,
        nul: bool,
    },
    /// The record may continue after the given bytes.
    Incomplete,
    /// The bytes do not form a record.
    Damaged {
        /// The index of the field in which that was noticed.
        field: usize,
        reason: RejectReason,
        scanned: usize,
    },
}

struct CutField {
    range: ByteRange,
    /// The position of the separator after it, or the end of the bytes.
    stop: usize,
    breaks: u64,
    nul: bool,
}

enum CutError {
    Incomplete,
    Damaged {
        reason: RejectReason,
        scanned: usize,
    },
}

impl Dialect {
    pub(super) fn new(delimiter: u8, eol: u8) -> Self {
        let mut stops = [false; 256];
        for stop in [delimiter, eol, 0] {
            stops[usize::from(stop)] = true;
        }
        Self {
            delimiter,
            eol,
            stops,
        }
    }

    /// Cuts the record at the beginning of `bytes` and sets `ranges` to its fields. `last` tells that
    /// the source ends with `bytes`.
    pub(super) fn cut(&self, bytes: &[u8], last: bool, ranges: &mut Vec<ByteRange>) -> Cut {
        ranges.clear();
        let (mut at, mut breaks, mut nul) = (0, 0, false);
        loop {
            let field = match bytes.get(at) {
                Some(b'"') => self.quoted(bytes, at, last),
                _ => self.plain(bytes, at, last),
            };
            let field = match field {
                Ok(field) => field,
                Err(error) => return error.within(ranges.len()),
            };
            ranges.push(field.range);
            breaks += field.breaks;
            nul |= field.nul;
            if bytes.get(field.stop) != Some(&self.delimiter) {
                let length = bytes.len().min(field.stop + 1);
                return Cut::Whole {
                    length,
                    breaks,
                    nul,
                };
            }
            at = field.stop + 1;
        }
    }

    /// Returns the field from `from` to the next delimiter or line end; quotes in it are text.
    fn plain(&self, bytes: &[u8], from: usize, last: bool) -> Result<CutField, CutError> {
        let (stop, nul) = self.find_stop(bytes, from);
        if stop - from > FIELD_MAX {
            return Err(CutError::damaged(RejectReason::LongField, stop));
        }
        if stop == bytes.len() && !last {
            return Err(CutError::Incomplete);
        }
        let ends_line = bytes.get(stop) != Some(&self.delimiter);
        let crlf = ends_line && bytes[from..stop].ends_with(b"\r");
        let range = ByteRange {
            start: from,
            end: stop - usize::from(crlf),
        };
        Ok(CutField {
            range,
            stop,
            breaks: 0,
            nul,
        })
    }

    /// Returns the position of the next delimiter, line end or end of `bytes`, and whether there is
    /// a NUL before it.
    fn find_stop(&self, bytes: &[u8], from: usize) -> (usize, bool) {
        let (mut at, mut nul) = (from, false);
        loop {
            let rest = &bytes[at..];
            match rest.iter().position(|byte| self.stops[usize::from(*byte)]) {
                Some(ahead) if rest[ahead] == 0 => {
                    nul = true;
                    at += ahead + 1;
                }
                Some(ahead) => return (at + ahead, nul),
                None => return (bytes.len(), nul),
            }
        }
    }

    /// Returns the field whose opening quote is at `open`.
    fn quoted(&self, bytes: &[u8], open: usize, last: bool) -> Result<CutField, CutError> {
        let start = open + 1;
        let end = closing_quote(bytes, start, last)?;
        let mut field = self.plain(bytes, end + 1, last)?;
        let inside = &bytes[start..end];
        field.breaks = inside.iter().filter(|byte| **byte == self.eol).count() as u64;
        field.nul |= inside.contains(&0);
        let tail = &bytes[field.range.start..field.range.end];
        field.range.start = start;
        if tail.trim_ascii().is_empty() {
            field.range.end = end;
        } else if field.breaks > 0 {
            // Text after a closing quote: that was the opening quote of a later field, and this
            // field's quote was never closed.
            return Err(CutError::damaged(RejectReason::UnclosedQuote, field.stop));
        }
        Ok(field)
    }
}

/// Returns the position of the quote that closes the text from `start`.
fn closing_quote(bytes: &[u8], start: usize, last: bool) -> Result<usize, CutError> {
    let mut at = start;
    loop {
        let quote = bytes[at..].iter().position(|byte| *byte == b'"');
        let end = quote.map_or(bytes.len(), |ahead| at + ahead);
        if end - start > FIELD_MAX {
            return Err(CutError::damaged(RejectReason::UnclosedQuote, end));
        }
        match (quote, bytes.get(end + 1)) {
            (Some(_), Some(b'"')) => at = end + 2,
            (Some(_), Some(_)) => return Ok(end),
            (Some(_), None) if last => return Ok(end),
            (None, _) if last => return Err(CutError::damaged(RejectReason::UnclosedQuote, end)),
            _ => return Err(CutError::Incomplete),
        }
    }
}

impl CutError {
    const fn damaged(reason: RejectReason, scanned: usize) -> Self {
        Self::Damaged { reason, scanned }
    }

    fn within(self, field: usize) -> Cut {
        match self {
            Self::Incomplete => Cut::Incomplete,
            Self::Damaged { reason, scanned } => Cut::Damaged {
                field,
                reason,
                scanned,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &str) -> Vec<String> {
        let mut ranges = Vec::new();
        let cut = Dialect::new(b',', b'\n').cut(line.as_bytes(), true, &mut ranges);
        assert!(matches!(cut, Cut::Whole { .. }), "{line:?}: {cut:?}");
        ranges
            .iter()
            .map(|range| line[range.start..range.end].replace("\"\"", "\""))
            .collect()
    }

    fn damage(line: &[u8]) -> RejectReason {
        match Dialect::new(b',', b'\n').cut(line, true, &mut Vec::new()) {
            Cut::Damaged { reason, .. } => reason,
            cut => panic!("{cut:?}"),
        }
    }

    #[test]
    fn quotes_are_removed_and_their_content_stays() {
        assert_eq!(fields("a,b\r\nc"), ["a", "b"]);
        assert_eq!(fields("\"a,b\",\"c\nd\"\r\n"), ["a,b", "c\nd"]);
        assert_eq!(fields("\"say \"\"hi\"\"\",,"), ["say \"hi\"", "", ""]);
        assert_eq!(fields("\"a\" ,5\" pipe"), ["a", "5\" pipe"]);
        assert_eq!(fields("\"Bob\" Smith,x"), ["Bob\" Smith", "x"]);
    }

    #[test]
    fn unclosed_quote_is_reported() {
        assert_eq!(damage(b"u,\"o\nu2,o2\n"), RejectReason::UnclosedQuote);
        assert_eq!(damage(b"u,\"Bob\nu2,\"Al\"\n"), RejectReason::UnclosedQuote);
        let endless = [b"\"".as_slice(), &[b'x'; FIELD_MAX + 1]].concat();
        assert_eq!(damage(&endless), RejectReason::UnclosedQuote);
    }

    #[test]
    fn field_has_at_most_64_kib() {
        let longest = "x".repeat(FIELD_MAX);
        assert_eq!(fields(&longest), [longest.as_str()]);
        assert_eq!(damage(&[b'x'; FIELD_MAX + 1]), RejectReason::LongField);
    }

    #[test]
    fn incomplete_record_is_not_cut() {
        let dialect = Dialect::new(b',', b'\n');
        for part in [
            "", "a", "a,", "\"a", "\"a\"", "\"a\"\"", "\"a\",b", "\"a\" ",
        ] {
            let cut = dialect.cut(part.as_bytes(), false, &mut Vec::new());
            assert_eq!(cut, Cut::Incomplete, "{part:?}");
        }
    }

    /// The first record as the `csv` crate cuts it.
    fn expected(line: &str) -> Vec<String> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(line.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        record.iter().map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn well_formed_records_are_cut_as_the_csv_crate_cuts_them(
            fields_in in prop::collection::vec("[a-zA-Z,\"\n 会]{0,8}", 1..6),
            crlf: bool,
        ) {
            // A lone empty field is an empty line, which is no record.
            prop_assume!(fields_in != [""]);
            let mut sink = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            sink.write_record(&fields_in).unwrap();
            let mut line = String::from_utf8(sink.into_inner().unwrap()).unwrap();
            if crlf {
                line.insert(line.len() - 1, '\r');
            }
            prop_assert_eq!(fields(&line), expected(&line));
            prop_assert_eq!(fields(&line), fields_in);
        }
    }
}
