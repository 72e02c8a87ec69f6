//! The rows of a source, lent one at a time.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Cursor, Read},
    sync::Arc,
};

use super::{
    buffer::ReadBuffer,
    encoding::{Encoding, decode},
    error::IntakeError,
    header::Header,
    id::parse_corpid,
    input::{Input, Source, read_up_to},
    options::ReadOptions,
    records::{NextRecord, Records},
    reject::{RejectReason, RowError},
    style::TableStyle,
    validate::{self, FieldError},
    xlsx::{column_letters, is_zip, read_sheet},
};
use crate::model::{RejectOrigin, Row};

/// Bytes from which the encoding is detected.
pub(super) const SAMPLE: u64 = 64 * 1024;
/// Most characters of a field that a reject keeps, and most fields.
const CHARS_KEPT: usize = 200;
const FIELDS_KEPT: usize = 256;

/// The next line of a source; empty lines are skipped.
pub enum InputLine<'a> {
    /// A line that can be a subject.
    Row(Row<'a>),
    /// A line that cannot be a subject.
    Invalid(RowError),
    /// There are no more lines.
    End,
}

/// Rows with an id of a length that ids have not had so far. They are imported, and worth a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnusualIds {
    /// The number of rows.
    pub rows: u64,
    /// The line of the first.
    pub first_line: Option<u64>,
}

/// Reads a source row by row, in bounded memory.
pub struct RowReader {
    source: Source,
    records: Records,
    header: Header,
    style: TableStyle,
    corpid: Option<String>,
    lines: u64,
    valid: u64,
    unusual_ids: UnusualIds,
    origins: BTreeMap<RejectOrigin, Vec<u64>>,
    first_invalid: Option<String>,
    /// The current record is invalid and spans lines that are to be read again.
    give_up: bool,
    ended: bool,
}

impl RowReader {
    /// Opens `input` and reads its header.
    ///
    /// # Errors
    ///
    /// If it cannot be opened or unpacked, is no text, is empty, or lacks a needed column.
    pub fn open(input: &Input, options: &ReadOptions) -> Result<Self, IntakeError> {
        let corpid = options.corpid.clone();
        check_corpid(corpid.as_deref())?;
        let mut source = Source::open(input)?;
        let sample = read_up_to(&mut source.reader, SAMPLE);
        let sample = sample.map_err(|error| source.failed(0, error))?;
        let reader = std::mem::replace(&mut source.reader, Box::new(io::empty()));
        let is_sheet = is_zip(&sample);
        let text = if is_sheet {
            sheet_text(&mut source, sample, reader, options)?
        } else {
            refuse_other_formats(&source, &sample)?;
            plain_text(sample, reader, options)
        };
        let buffer = ReadBuffer::new(text.reader);
        let records = if is_sheet {
            Records::of_sheet(buffer)
        } else {
            Records::new(buffer)
        };
        let mut records = records.map_err(|error| source.failed(0, error))?;
        let options = ReadOptions {
            delimiter: is_sheet.then_some(b',').or(options.delimiter),
            ..options.clone()
        };
        let header = Header::read(&source, &mut records, &options)?;
        let style = TableStyle {
            encoding: text.encoding,
            bom: text.bom,
            delimiter: records.delimiter(),
            line_end: records.line_end(),
        };
        Ok(Self {
            source,
            records,
            header,
            style,
            corpid,
            lines: 0,
            valid: 0,
            unusual_ids: UnusualIds::default(),
            origins: BTreeMap::new(),
            first_invalid: None,
            give_up: false,
            ended: false,
        })
    }

    /// Returns the next line. After an error, and after the end, there are no more.
    ///
    /// # Errors
    ///
    /// [`IntakeError::Read`] or [`IntakeError::Broken`].
    #[expect(clippy::should_implement_trait, reason = "an Iterator cannot lend")]
    pub fn next(&mut self) -> Result<InputLine<'_>, IntakeError> {
        let Some((breaks, error)) = self.next_record()? else {
            return Ok(InputLine::End);
        };
        self.lines += 1;
        if let Some((origin, line)) = self.header.origin(&self.records) {
            self.origins.entry(origin).or_default().push(line);
        }
        let validated = match error {
            Some(error) => Err(error),
            None => validate::row(&self.records, &self.header, self.corpid.as_deref()),
        };
        match validated {
            Ok(row) => {
                self.valid += 1;
                if validate::is_unusual(&row) {
                    self.unusual_ids.rows += 1;
                    let line = self.records.line();
                    self.unusual_ids.first_line.get_or_insert(line);
                }
                Ok(InputLine::Row(row))
            }
            Err(error) => {
                self.give_up = breaks > 0 && spans_lines(&self.records, &self.header);
                let error = row_error(&self.source.name, &self.records, &self.header, &error);
                self.first_invalid.get_or_insert_with(|| error.describe());
                Ok(InputLine::Invalid(error))
            }
        }
    }

    /// Returns the physical line of the row or error returned last; the header is line 1.
    pub const fn line(&self) -> u64 {
        self.records.line()
    }

    /// Returns the number of lines read so far, invalid ones included.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns how many of them are invalid.
    pub(crate) const fn invalid(&self) -> u64 {
        self.lines - self.valid
    }

    /// Returns the name of the source in messages and in the rejects file.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.source.name
    }

    /// Whether it is a rejects file of idferry.
    pub(crate) const fn is_rejects(&self) -> bool {
        self.header.is_rejects
    }

    /// Returns where the lines of a rejects file were before, as far as it was read.
    pub(crate) const fn origins(&self) -> &BTreeMap<RejectOrigin, Vec<u64>> {
        &self.origins
    }

    /// Returns how the source is written.
    pub(crate) const fn style(&self) -> TableStyle {
        self.style
    }

    pub(super) const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) const fn records(&self) -> &Records {
        &self.records
    }

    /// Whether the line read last is the first of several that are read again one by one.
    pub(super) const fn is_given_up(&self) -> bool {
        self.give_up
    }

    /// Returns the rows with ids of unusual length so far.
    pub(crate) const fn unusual_ids(&self) -> UnusualIds {
        self.unusual_ids
    }

    /// At the end of the source, checks that at least one line was valid.
    ///
    /// # Errors
    ///
    /// [`IntakeError::OnlyHeader`] or [`IntakeError::NoValidLine`].
    pub(crate) fn ensure_any_row(&self) -> Result<(), IntakeError> {
        let name = self.source.name.to_string();
        match (&self.first_invalid, self.valid) {
            (_, 1..) => Ok(()),
            (None, 0) => Err(IntakeError::OnlyHeader { name }),
            (Some(first), 0) => Err(IntakeError::NoValidLine {
                name,
                lines: self.lines,
                first: first.clone(),
            }),
        }
    }

    /// Goes to the next record that is not blank. Returns its line breaks, and what is wrong with
    /// it apart from its ids; `None` at the end.
    fn next_record(&mut self) -> Result<Option<(u64, Option<FieldError>)>, IntakeError> {
        if std::mem::take(&mut self.give_up) {
            self.records.give_up();
        }
        while !self.ended {
            let record = self.records.next().map_err(|reason| {
                self.ended = true;
                self.source.failed(self.lines, reason)
            })?;
            match record {
                NextRecord::Whole { .. } if validate::is_blank_record(&self.records) => {}
                NextRecord::Whole { breaks, nul } => {
                    return Ok(Some((breaks, nul.then_some(FieldError::NUL))));
                }
                NextRecord::Damaged { field, reason } => {
                    let error = FieldError {
                        column: Some(field),
                        reason,
                    };
                    return Ok(Some((0, Some(error))));
                }
                NextRecord::End => self.ended = true,
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for RowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowReader({} line {})", self.source.name, self.line())
    }
}

/// The text of a source as UTF-8, and how it was written.
pub(super) struct SourceText {
    pub(super) reader: Box<dyn Read + Send>,
    encoding: Encoding,
    bom: bool,
}

pub(super) fn plain_text(
    sample: Vec<u8>,
    rest: Box<dyn Read + Send>,
    options: &ReadOptions,
) -> SourceText {
    let encoding = options
        .encoding
        .unwrap_or_else(|| Encoding::detect(&sample));
    SourceText {
        bom: encoding.has_bom(&sample),
        reader: decode(encoding, sample, rest),
        encoding,
    }
}

/// The text of a sheet, which is named beside its workbook from here on. Excel reads UTF-8 by its
/// byte order mark.
pub(super) fn sheet_text(
    source: &mut Source,
    sample: Vec<u8>,
    rest: Box<dyn Read + Send>,
    options: &ReadOptions,
) -> Result<SourceText, IntakeError> {
    let bytes = Cursor::new(sample).chain(rest);
    let sheet = read_sheet(&source.name, bytes, options.sheet.as_deref())?;
    source.name = format!("{} [{}]", source.name, sheet.name).into();
    Ok(SourceText {
        reader: Box::new(sheet.csv),
        encoding: Encoding::Utf8,
        bom: true,
    })
}

fn check_corpid(corpid: Option<&str>) -> Result<(), IntakeError> {
    let Some(corpid) = corpid else { return Ok(()) };
    let reason = match parse_corpid(corpid) {
        Ok(trimmed) if trimmed == corpid => return Ok(()),
        Ok(_) => RejectReason::Character(' '),
        Err(reason) => reason,
    };
    Err(IntakeError::BadCorpid {
        corpid: corpid.to_owned(),
        reason: format!("it {reason}"),
    })
}

/// Refuses an empty source, and formats that are often taken for CSV.
pub(super) fn refuse_other_formats(source: &Source, sample: &[u8]) -> Result<(), IntakeError> {
    let name = source.name.to_string();
    let kind = match sample {
        [] => return Err(IntakeError::EmptyFile { name }),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "an Excel workbook that is old (.xls) or has a password",
        [b'P', b'A', b'R', b'1', ..] => "a Parquet file",
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => "an SQLite database",
        _ => return Ok(()),
    };
    Err(IntakeError::NotText { name, kind })
}

/// Whether a line break of an invalid record is in an id or before one: then a stray quote joined
/// several lines to one record.
fn spans_lines(records: &Records, header: &Header) -> bool {
    [header.unionid, header.openid].into_iter().any(|column| {
        let field = records.field(column);
        field.is_none_or(|field| field.contains(&b'\n') || field.contains(&b'\r'))
    })
}

fn row_error(
    source: &Arc<str>,
    records: &Records,
    header: &Header,
    error: &FieldError,
) -> RowError {
    let column = match error.column {
        None => String::new(),
        Some(column) if records.is_sheet() => {
            format!(
                "{} (column {})",
                header.name(column),
                column_letters(column)
            )
        }
        Some(column) => header.name(column).to_owned(),
    };
    let text = |column: usize| {
        let field = header.unescaped(records.field(column).unwrap_or_default());
        beginning(field).replace("\"\"", "\"")
    };
    let ids = [Some(header.unionid), Some(header.openid), header.corpid];
    let mut fields: Vec<_> = ids.map(|id| id.map(text).unwrap_or_default()).into();
    let others = (0..records.fields().min(FIELDS_KEPT)).filter(|column| header.is_other(*column));
    fields.extend(others.map(text));
    if records.fields() == 0 {
        let line = records.first_line();
        fields.push(beginning(line.strip_suffix(b"\r").unwrap_or(line)));
    }
    RowError {
        source: Arc::clone(source),
        line: records.line(),
        column,
        reason: error.reason,
        fields,
    }
}

/// Returns the first characters of `field` and decodes no more than them.
fn beginning(field: &[u8]) -> String {
    let bytes = &field[..field.len().min(4 * CHARS_KEPT)];
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(CHARS_KEPT).collect()
}
