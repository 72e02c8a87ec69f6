//! The results beside the lines of an input: every column and every row of it, in their order, and
//! the columns of the results behind them.
//!
//! The input is read twice. The first time its rows are looked up, all at once (see
//! `SubjectLookup`); the second time each is written with what was found. Nothing that grows with
//! the input is kept in memory.

use std::{collections::HashMap, io::Write, path::Path};

use super::{
    error::ExportError,
    line::{ResultLine, TimestampText, lines_of},
    manifest::ExportedFile,
    publish::{Publication, Target},
};
use crate::{
    intake::{
        Encoding, Input, InputLine, JOINED_COLUMNS, OriginalLine, ReadOptions, RowReader,
        TableStyle, encode, escaped,
    },
    model::Row,
    store::{Reader, SubjectMatches, SubjectRecord},
};

/// Rows whose subjects are in memory at once.
const ROWS_AT_ONCE: u64 = 32 << 10;

/// An input to be joined.
pub(crate) struct JoinedInput<'a> {
    pub(crate) input: &'a Input,
    /// How it is read.
    pub(crate) options: &'a ReadOptions,
    /// The encoding of what is written; `None` for that of the input.
    pub(crate) encoding: Option<Encoding>,
}

/// What a join has come to.
pub(crate) struct JoinStats {
    /// Rows of the input, invalid ones included.
    pub(crate) rows: u64,
    /// Rows that are subjects of the job.
    pub(crate) found: u64,
}

/// Writes the lines of the input with the results of its rows to `target`: one line per link, one
/// for a row without. Rows that are no subjects of the job, and those that cannot be any, have
/// empty results. Temporary files are made in `folder`.
pub(crate) fn publish_joined(
    reader: &Reader,
    join: &JoinedInput<'_>,
    folder: &Path,
    target: &Target,
    hashed: bool,
) -> Result<(ExportedFile, JoinStats), ExportError> {
    let (matches, width) = look_up(reader, join, folder)?;
    let mut rows = RowReader::open(join.input, join.options)?;
    let style = rows.style();
    let style = join
        .encoding
        .map_or(style, |encoding| style.in_encoding(encoding));
    let mut table = JoinedTable::begin(target.open(hashed)?, style, width, &rows)?;
    let mut found = FoundSubjects::new(reader, matches);
    let mut stats = JoinStats { rows: 0, found: 0 };
    loop {
        let subject = match rows.next()? {
            InputLine::Row(row) => found.of_next(&row)?,
            InputLine::Invalid(_) => None,
            InputLine::End => break,
        };
        stats.rows += 1;
        stats.found += u64::from(subject.is_some());
        table.row(&rows.original(), subject)?;
    }
    let file = ExportedFile {
        target: target.clone(),
        corpid: None,
        lines: table.lines,
        written: table.out.publish()?,
    };
    Ok((file, stats))
}

/// Reads the input to its end. Returns the matches of its rows, and the most fields that a line has.
fn look_up(
    reader: &Reader,
    join: &JoinedInput<'_>,
    folder: &Path,
) -> Result<(SubjectMatches, usize), ExportError> {
    let mut rows = RowReader::open(join.input, join.options)?;
    let mut lookup = reader.look_up(folder);
    let mut width = fields_of(&rows);
    loop {
        match rows.next()? {
            InputLine::Row(row) => lookup.add(&row)?,
            InputLine::Invalid(_) => {}
            InputLine::End => break,
        }
        width = width.max(fields_of(&rows));
    }
    rows.ensure_any_row()?;
    Ok((lookup.finish()?, width))
}

fn fields_of(rows: &RowReader) -> usize {
    match rows.original() {
        OriginalLine::Fields { count, .. } => count,
        OriginalLine::Damaged(_) => 1,
    }
}

/// The subjects of the rows, read in the order of their ids for many rows at once.
struct FoundSubjects<'r> {
    reader: &'r Reader<'r>,
    matches: SubjectMatches,
    /// The number of the next row, and of the first one whose matches were not read.
    next: u64,
    end: u64,
    records: Vec<SubjectRecord>,
    /// Indices of records, by row.
    of_row: HashMap<u64, Vec<usize>>,
}

impl<'r> FoundSubjects<'r> {
    fn new(reader: &'r Reader<'r>, matches: SubjectMatches) -> Self {
        Self {
            reader,
            matches,
            next: 0,
            end: 0,
            records: Vec::new(),
            of_row: HashMap::new(),
        }
    }

    /// Returns the subject of the next row, which is `row`.
    fn of_next(&mut self, row: &Row<'_>) -> Result<Option<&SubjectRecord>, ExportError> {
        if self.next == self.end {
            self.end += ROWS_AT_ONCE;
            self.read()?;
        }
        let indices = self.of_row.get(&self.next).map_or(&[][..], Vec::as_slice);
        self.next += 1;
        let mut records = indices.iter().filter_map(|index| self.records.get(*index));
        // A match is one of hashes.
        Ok(records.find(|record| {
            record.unionid == row.unionid
                && record.openid == row.openid
                && record.corpid.as_deref() == row.corpid
        }))
    }

    fn read(&mut self) -> Result<(), ExportError> {
        let matches = self.matches.before(self.end)?;
        let mut ids: Vec<i64> = matches.iter().map(|(_, subject)| *subject).collect();
        ids.sort_unstable();
        ids.dedup();
        self.records = self.reader.subjects(&ids)?;
        self.of_row.clear();
        for (row, subject) in matches {
            // An id has no record if its subject was deleted since.
            let found = self
                .records
                .binary_search_by_key(&subject, |record| record.id.0);
            if let Ok(index) = found {
                self.of_row.entry(row).or_default().push(index);
            }
        }
        Ok(())
    }
}

/// The lines of an input with more columns.
struct JoinedTable {
    out: Publication,
    style: TableStyle,
    /// The columns before those of the results.
    width: usize,
    /// Lines written, the header not counted.
    lines: u64,
    resolved_at: TimestampText,
    /// The line being written, and its bytes.
    text: Vec<u8>,
    bytes: Vec<u8>,
}

impl JoinedTable {
    /// Writes the header. Columns that only some lines have are called `other_1` and so on, and one of
    /// ours whose name the input has already `idferry_` and its name.
    fn begin(
        out: Publication,
        style: TableStyle,
        width: usize,
        rows: &RowReader,
    ) -> Result<Self, ExportError> {
        let mut table = Self {
            out,
            style,
            width,
            lines: 0,
            resolved_at: TimestampText::default(),
            text: Vec::new(),
            bytes: Vec::new(),
        };
        if style.bom {
            table.text.extend_from_slice("\u{feff}".as_bytes());
        }
        let header = rows.original();
        if let OriginalLine::Fields { text, count } = header {
            table.text.extend_from_slice(text);
            for number in 1..=width.saturating_sub(count) {
                table.cell(&format!("other_{number}"));
            }
        }
        for name in JOINED_COLUMNS {
            if rows.has_column(name) {
                table.cell(&format!("idferry_{name}"));
            } else {
                table.cell(name);
            }
        }
        table.end_line()?;
        Ok(table)
    }

    /// Writes a line for each link of `subject`, or one if there are none.
    fn row(
        &mut self,
        original: &OriginalLine<'_>,
        subject: Option<&SubjectRecord>,
    ) -> Result<(), ExportError> {
        let Some(subject) = subject else {
            self.original(original);
            self.delimiters(JOINED_COLUMNS.len());
            self.lines += 1;
            return self.end_line();
        };
        lines_of(subject, |line| {
            self.original(original);
            self.results(line);
            self.lines += 1;
            self.end_line()
        })
    }

    fn original(&mut self, original: &OriginalLine<'_>) {
        let fields = match original {
            OriginalLine::Fields { text, count } => {
                self.text.extend_from_slice(text);
                *count
            }
            // It would damage the lines after it too: the whole of it is one cell.
            OriginalLine::Damaged(line) => {
                push_cell(&mut self.text, &String::from_utf8_lossy(line), None);
                1
            }
        };
        self.delimiters(self.width.saturating_sub(fields));
    }

    fn results(&mut self, line: &ResultLine<'_>) {
        for id in [line.corpid, line.external_userid, line.pending_id] {
            self.cell(&escaped(id));
        }
        self.cell(line.state.as_str());
        let errcode = line.errcode.map(|errcode| errcode.to_string());
        self.cell(&errcode.unwrap_or_default());
        let resolved_at = self.resolved_at.of(line.at);
        self.text.push(self.style.delimiter);
        self.text.extend_from_slice(resolved_at.as_bytes());
    }

    /// Appends a delimiter and a cell.
    fn cell(&mut self, cell: &str) {
        self.text.push(self.style.delimiter);
        push_cell(&mut self.text, cell, Some(self.style.delimiter));
    }

    fn delimiters(&mut self, count: usize) {
        let length = self.text.len() + count;
        self.text.resize(length, self.style.delimiter);
    }

    fn end_line(&mut self) -> Result<(), ExportError> {
        self.text.extend_from_slice(self.style.line_end.as_bytes());
        self.bytes.clear();
        encode(self.style.encoding, &self.text, &mut self.bytes);
        self.text.clear();
        self.out.write_all(&self.bytes)?;
        Ok(())
    }
}

/// Appends a cell, in quotes if it needs them or no delimiter is given.
fn push_cell(line: &mut Vec<u8>, cell: &str, delimiter: Option<u8>) {
    let is_sign = |byte: u8| Some(byte) == delimiter || matches!(byte, b'"' | b'\n' | b'\r');
    if delimiter.is_some() && !cell.bytes().any(is_sign) {
        line.extend_from_slice(cell.as_bytes());
        return;
    }
    line.push(b'"');
    line.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
    line.push(b'"');
}

#[cfg(test)]
mod tests;
