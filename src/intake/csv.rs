//! Cutting bytes into the fields of one record.
//!
//! Writing is the `csv` crate's ([`export`](crate::export)). Reading is not, for three reasons: fields are lent straight
//! out of the read buffer instead of being copied; a quote that is never closed is *noticed*
//! (RFC 4180 readers take the rest of the file for one field, or for one line of it); and no
//! record can grow without bound. On well-formed input both cut alike, which a test holds.

use super::Reason;

/// The longest field, in bytes.
pub(super) const FIELD_MAX: usize = 64 * 1024;
/// The longest record, in bytes.
pub(super) const RECORD_MAX: usize = 1024 * 1024;

/// Where a field lies in the bytes it was cut from, without its quotes.
///
/// Doubled quotes inside are left as they are: no id has a quote, so none has two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The signs that separate fields and lines.
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `\n`, which also ends in `\r\n`; or `\r` alone, as old Macs write.
    pub(super) eol: u8,
    /// The bytes at which the search through an unquoted field stops: those two and NUL.
    stops: [bool; 256],
}

/// What cutting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A record of `length` bytes, its line end included.
    Whole {
        length: usize,
        /// Line breaks inside quotes.
        breaks: u64,
        /// Whether it holds a NUL byte.
        nul: bool,
    },
    /// The record may go on behind the bytes given.
    Short,
    /// No record can be made of this.
    Bad {
        /// The field in which it was noticed.
        field: usize,
        reason: Reason,
        /// How many bytes were looked at.
        seen: usize,
    },
}

/// One field and what was noticed on the way.
struct Field {
    span: Span,
    /// Where the sign after it is, or the end of the bytes.
    stop: usize,
    breaks: u64,
    nul: bool,
}

enum Uncut {
    Short,
    Bad { reason: Reason, seen: usize },
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

    /// Cuts the record at the beginning of `bytes` into `spans`; `last` if nothing follows them.
    pub(super) fn cut(&self, bytes: &[u8], last: bool, spans: &mut Vec<Span>) -> Cut {
        spans.clear();
        let (mut at, mut breaks, mut nul) = (0, 0, false);
        loop {
            let field = match bytes.get(at) {
                Some(b'"') => self.quoted(bytes, at, last),
                _ => self.plain(bytes, at, last),
            };
            let field = match field {
                Ok(field) => field,
                Err(uncut) => return uncut.within(spans.len()),
            };
            spans.push(field.span);
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

    /// The field from `from` to the next delimiter or line end; quotes in it are letters.
    fn plain(&self, bytes: &[u8], from: usize, last: bool) -> Result<Field, Uncut> {
        let (stop, nul) = self.find_stop(bytes, from);
        if stop - from > FIELD_MAX {
            return Err(Uncut::bad(Reason::LongField, stop));
        }
        if stop == bytes.len() && !last {
            return Err(Uncut::Short);
        }
        let ends_line = bytes.get(stop) != Some(&self.delimiter);
        let crlf = ends_line && bytes[from..stop].ends_with(b"\r");
        let span = Span {
            start: from,
            end: stop - usize::from(crlf),
        };
        Ok(Field {
            span,
            stop,
            breaks: 0,
            nul,
        })
    }

    /// Where the next delimiter, line end or the end of `bytes` is, and whether a NUL is before it.
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

    /// The field whose opening quote is at `open`.
    fn quoted(&self, bytes: &[u8], open: usize, last: bool) -> Result<Field, Uncut> {
        let start = open + 1;
        let end = closing_quote(bytes, start, last)?;
        let mut field = self.plain(bytes, end + 1, last)?;
        let inside = &bytes[start..end];
        field.breaks = inside.iter().filter(|byte| **byte == self.eol).count() as u64;
        field.nul |= inside.contains(&0);
        let tail = &bytes[field.span.start..field.span.end];
        field.span.start = start;
        if tail.trim_ascii().is_empty() {
            field.span.end = end;
        } else if field.breaks > 0 {
            // Letters right behind a closing quote: it was the opening quote of a later field,
            // and this field's own was never closed.
            return Err(Uncut::bad(Reason::UnclosedQuote, field.stop));
        }
        Ok(field)
    }
}

/// Where the quote is that ends the text from `start`.
fn closing_quote(bytes: &[u8], start: usize, last: bool) -> Result<usize, Uncut> {
    let mut at = start;
    loop {
        let quote = bytes[at..].iter().position(|byte| *byte == b'"');
        let end = quote.map_or(bytes.len(), |ahead| at + ahead);
        if end - start > FIELD_MAX {
            return Err(Uncut::bad(Reason::UnclosedQuote, end));
        }
        match (quote, bytes.get(end + 1)) {
            (Some(_), Some(b'"')) => at = end + 2,
            (Some(_), Some(_)) => return Ok(end),
            (Some(_), None) if last => return Ok(end),
            (None, _) if last => return Err(Uncut::bad(Reason::UnclosedQuote, end)),
            _ => return Err(Uncut::Short),
        }
    }
}

impl Uncut {
    const fn bad(reason: Reason, seen: usize) -> Self {
        Self::Bad { reason, seen }
    }

    fn within(self, field: usize) -> Cut {
        match self {
            Self::Short => Cut::Short,
            Self::Bad { reason, seen } => Cut::Bad {
                field,
                reason,
                seen,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(line: &str) -> Vec<String> {
        let mut spans = Vec::new();
        let cut = Dialect::new(b',', b'\n').cut(line.as_bytes(), true, &mut spans);
        assert!(matches!(cut, Cut::Whole { .. }), "{line:?}: {cut:?}");
        spans
            .iter()
            .map(|span| line[span.start..span.end].replace("\"\"", "\""))
            .collect()
    }

    fn bad(line: &[u8]) -> Reason {
        match Dialect::new(b',', b'\n').cut(line, true, &mut Vec::new()) {
            Cut::Bad { reason, .. } => reason,
            cut => panic!("{cut:?}"),
        }
    }

    #[test]
    fn quotes_are_taken_off_and_what_is_inside_stays() {
        assert_eq!(fields("a,b\r\nc"), ["a", "b"]);
        assert_eq!(fields("\"a,b\",\"c\nd\"\r\n"), ["a,b", "c\nd"]);
        assert_eq!(fields("\"say \"\"hi\"\"\",,"), ["say \"hi\"", "", ""]);
        assert_eq!(fields("\"a\" ,5\" pipe"), ["a", "5\" pipe"]);
        assert_eq!(fields("\"Bob\" Smith,x"), ["Bob\" Smith", "x"]);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_noticed() {
        assert_eq!(bad(b"u,\"o\nu2,o2\n"), Reason::UnclosedQuote);
        assert_eq!(bad(b"u,\"Bob\nu2,\"Al\"\n"), Reason::UnclosedQuote);
        let endless = [b"\"".as_slice(), &[b'x'; FIELD_MAX + 1]].concat();
        assert_eq!(bad(&endless), Reason::UnclosedQuote);
    }

    #[test]
    fn a_field_may_be_64_kib_long_and_no_longer() {
        let longest = "x".repeat(FIELD_MAX);
        assert_eq!(fields(&longest), [longest.as_str()]);
        assert_eq!(bad(&[b'x'; FIELD_MAX + 1]), Reason::LongField);
    }

    #[test]
    fn a_record_that_may_go_on_is_not_cut_yet() {
        let dialect = Dialect::new(b',', b'\n');
        for part in [
            "", "a", "a,", "\"a", "\"a\"", "\"a\"\"", "\"a\",b", "\"a\" ",
        ] {
            let cut = dialect.cut(part.as_bytes(), false, &mut Vec::new());
            assert_eq!(cut, Cut::Short, "{part:?}");
        }
    }

    /// What the `csv` crate makes of the first record.
    fn judge(line: &str) -> Vec<String> {
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
            prop_assert_eq!(fields(&line), judge(&line));
            prop_assert_eq!(fields(&line), fields_in);
        }
    }
}
