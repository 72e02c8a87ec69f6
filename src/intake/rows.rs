//! The rows of one source, lent one at a time.

use std::{
    fmt, io,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use crate::model::Row;

use super::{
    Encoding, Input, IntakeError, ReadOptions, Reason, RowError,
    buffer::Window,
    encoding::decode,
    header::Header,
    input::{Source, read_up_to},
    records::{Records, Step},
    validate::{self, FieldError},
};

/// How much is looked at to find the encoding.
const SAMPLE: u64 = 64 * 1024;
/// A reject keeps this much of each field, and not more fields than this.
const CHARS_KEPT: usize = 200;
const FIELDS_KEPT: usize = 256;

/// What the next line of a source is; empty lines are nothing.
pub enum Line<'a> {
    /// It can be a subject.
    Row(Row<'a>),
    /// It cannot; the rest goes on.
    Bad(RowError),
    /// There are no more.
    End,
}

/// Rows whose ids have a length not seen so far: worth one warning, rejected by nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnusualIds {
    /// How many rows.
    pub rows: u64,
    /// The line of the first.
    pub first_line: Option<u64>,
}

/// A streaming reader of one source, in bounded memory.
pub struct RowReader {
    source: Source,
    encoding: Encoding,
    records: Records,
    header: Header,
    corpid: Option<String>,
    lines: u64,
    good: u64,
    unusual: UnusualIds,
    first_bad: Option<String>,
    /// The record just told to be bad swallowed lines that are to be read again.
    give_up: bool,
    ended: bool,
}

impl RowReader {
    /// Opens `input` and reads its header.
    ///
    /// # Errors
    /// If it cannot be opened or unpacked, is no text, is empty, or lacks a needed column.
    pub fn open(input: &Input, options: &ReadOptions) -> Result<Self, IntakeError> {
        let corpid = options.corpid.clone();
        check_corpid(corpid.as_deref())?;
        let mut source = Source::open(input)?;
        let sample = read_up_to(&mut source.reader, SAMPLE).map_err(|e| source.failed(0, e))?;
        refuse_what_is_no_text(&source, &sample)?;
        let detect = || Encoding::detect(&sample);
        let encoding = options.encoding.unwrap_or_else(detect);
        let reader = std::mem::replace(&mut source.reader, Box::new(io::empty()));
        let text = decode(encoding, sample, reader);
        let records = Records::new(Window::new(text));
        let mut records = records.map_err(|e| source.failed(0, e))?;
        let header = Header::read(&source, &mut records, options)?;
        Ok(Self {
            source,
            encoding,
            records,
            header,
            corpid,
            lines: 0,
            good: 0,
            unusual: UnusualIds::default(),
            first_bad: None,
            give_up: false,
            ended: false,
        })
    }

    /// The next line that is not empty. After an error, and after the end, there are no more.
    ///
    /// # Errors
    /// If the source cannot be read on.
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend")]
    pub fn next(&mut self) -> Result<Line<'_>, IntakeError> {
        let Some((breaks, complaint)) = self.step()? else {
            return Ok(Line::End);
        };
        self.lines += 1;
        let judged = match complaint {
            Some(complaint) => Err(complaint),
            None => validate::row(&self.records, &self.header, self.corpid.as_deref()),
        };
        match judged {
            Ok(row) => {
                self.good += 1;
                if validate::is_unusual(&row) {
                    self.unusual.rows += 1;
                    self.unusual.first_line.get_or_insert(self.records.line());
                }
                Ok(Line::Row(row))
            }
            Err(complaint) => {
                self.give_up = breaks > 0 && swallowed(&self.records, &self.header);
                let error = row_error(&self.source.name, &self.records, &self.header, &complaint);
                self.first_bad.get_or_insert_with(|| error.complaint());
                Ok(Line::Bad(error))
            }
        }
    }

    /// The physical line of the row or error last lent; the header is line 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.records.line()
    }

    /// Data lines read so far, good and bad.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Raw bytes of the source read so far, before unpacking.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.source.bytes.load(Relaxed)
    }

    /// Raw bytes of the source altogether, if it is a file.
    #[must_use]
    pub const fn total_bytes(&self) -> Option<u64> {
        self.source.total
    }

    /// The encoding it is read in.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// What messages and the rejects file call it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.source.name
    }

    /// Rows with ids of unusual length so far.
    #[must_use]
    pub const fn unusual(&self) -> UnusualIds {
        self.unusual
    }

    /// At the end: that at least one line was good.
    ///
    /// # Errors
    /// [`IntakeError::OnlyHeader`] or [`IntakeError::NoGoodLine`].
    pub fn ensure_yield(&self) -> Result<(), IntakeError> {
        let name = self.source.name.to_string();
        match (&self.first_bad, self.good) {
            (_, 1..) => Ok(()),
            (None, 0) => Err(IntakeError::OnlyHeader { name }),
            (Some(first), 0) => Err(IntakeError::NoGoodLine {
                name,
                lines: self.lines,
                first: first.clone(),
            }),
        }
    }

    /// Goes to the next record with something in it: its line breaks, and what is wrong with it
    /// whatever its ids are.
    fn step(&mut self) -> Result<Option<(u64, Option<FieldError>)>, IntakeError> {
        if std::mem::take(&mut self.give_up) {
            self.records.give_up();
        }
        while !self.ended {
            let step = self.records.next().map_err(|reason| {
                self.ended = true;
                self.source.failed(self.lines, reason)
            })?;
            match step {
                Step::Record { .. } if validate::is_blank(&self.records) => {}
                Step::Record { breaks, nul } => {
                    return Ok(Some((breaks, nul.then_some(FieldError::NUL))));
                }
                Step::Fault { field, reason } => {
                    let column = Some(field);
                    return Ok(Some((0, Some(FieldError { column, reason }))));
                }
                Step::End => self.ended = true,
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for RowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({} line {})", self.source.name, self.line())
    }
}

fn check_corpid(corpid: Option<&str>) -> Result<(), IntakeError> {
    let Some(corpid) = corpid else { return Ok(()) };
    match validate::corpid(corpid) {
        Ok(trimmed) if trimmed == corpid => Ok(()),
        Ok(_) => Err(Reason::Character(' ')),
        Err(reason) => Err(reason),
    }
    .map_err(|reason| IntakeError::BadCorpid {
        corpid: corpid.to_owned(),
        reason: format!("it {reason}"),
    })
}

/// The files people give in good faith.
fn refuse_what_is_no_text(source: &Source, sample: &[u8]) -> Result<(), IntakeError> {
    let name = source.name.to_string();
    let kind = match sample {
        [] => return Err(IntakeError::EmptyFile { name }),
        [b'P', b'K', 3, 4, ..] => "a zip archive or an Excel workbook (.xlsx)",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "an old Excel workbook (.xls)",
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file",
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => "an SQLite database",
        _ => return Ok(()),
    };
    Err(IntakeError::NotText { name, kind })
}

/// Whether the line breaks of a bad record lie where an id should be, or before it: then a
/// stray quote made one record of several lines.
fn swallowed(records: &Records, header: &Header) -> bool {
    [header.unionid, header.openid].into_iter().any(|column| {
        let field = records.field(column);
        field.is_none_or(|field| field.contains(&b'\n') || field.contains(&b'\r'))
    })
}

fn row_error(
    source: &Arc<str>,
    records: &Records,
    header: &Header,
    complaint: &FieldError,
) -> RowError {
    let column = complaint.column.map_or("", |column| header.name(column));
    let mut fields: Vec<_> = (0..records.width().min(FIELDS_KEPT))
        .filter_map(|column| records.field(column))
        .map(|field| beginning(field).replace("\"\"", "\""))
        .collect();
    if fields.is_empty() {
        let line = records.first_line();
        fields.push(beginning(line.strip_suffix(b"\r").unwrap_or(line)));
    }
    RowError {
        source: Arc::clone(source),
        line: records.line(),
        column: column.to_owned(),
        reason: complaint.reason,
        fields,
    }
}

/// The first characters of `field`, without decoding the rest of it.
fn beginning(field: &[u8]) -> String {
    let bytes = &field[..field.len().min(4 * CHARS_KEPT)];
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(CHARS_KEPT).collect()
}
