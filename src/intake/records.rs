//! Cutting a source into records, with line numbers, and continuing after damage.
//!
//! After an unclosed quote, or a field or record too long to be one, reading continues with the
//! second line of the record, so that a stray quote costs one line and not the rest of the file.
//! Bytes that were scanned before are then read line by line: a record that begins among them
//! cannot span lines, so that no byte is scanned more than twice.

use std::io;

use super::{
    buffer::ReadBuffer,
    csv::{ByteRange, Cut, Dialect, RECORD_MAX},
    reject::RejectReason,
};

/// What comes next in a source.
pub(super) enum NextRecord {
    /// A record, which is the current one now.
    Whole {
        /// Line breaks inside quotes.
        breaks: u64,
        nul: bool,
    },
    /// A record that cannot be cut into fields. The first line of it is the current one now.
    Damaged {
        /// The index of the field in which that was noticed.
        field: usize,
        reason: RejectReason,
    },
    End,
}

/// What is to be consumed before the next record.
enum Unconsumed {
    Nothing,
    Record {
        length: usize,
        breaks: u64,
    },
    /// The first line of a record that was given up.
    FirstLine,
    /// The rest of a line, some of which is consumed.
    RestOfLine,
}

pub(super) struct Records {
    buffer: ReadBuffer,
    dialect: Dialect,
    ranges: Vec<ByteRange>,
    unconsumed: Unconsumed,
    line: u64,
    /// Up to this offset in the source, records end with their line.
    scanned_to: u64,
}

/// Ends a row of a sheet: no cell has it, as it cannot be in XML. A row is one line then, whatever line
/// breaks are in its cells.
pub(super) const ROW_END: u8 = 0x1e;

impl Records {
    /// Detects how lines end, and reads the first line that is not empty.
    pub(super) fn new(mut buffer: ReadBuffer) -> io::Result<Self> {
        fill_line(&mut buffer, b'\n')?;
        let has = |eol: &u8| buffer.bytes().contains(eol);
        let eol = if has(&b'\r') && !has(&b'\n') {
            b'\r'
        } else {
            b'\n'
        };
        Self::begin(buffer, eol)
    }

    /// Reads the first row of a sheet that is not empty. Its rows end with [`ROW_END`].
    pub(super) fn of_sheet(buffer: ReadBuffer) -> io::Result<Self> {
        Self::begin(buffer, ROW_END)
    }

    fn begin(buffer: ReadBuffer, eol: u8) -> io::Result<Self> {
        let mut records = Self {
            buffer,
            dialect: Dialect::new(b',', eol),
            ranges: Vec::new(),
            unconsumed: Unconsumed::Nothing,
            line: 1,
            scanned_to: 0,
        };
        records.skip_blank()?;
        fill_line(&mut records.buffer, eol)?;
        Ok(records)
    }

    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.dialect = Dialect::new(delimiter, self.dialect.eol);
    }

    pub(super) const fn is_sheet(&self) -> bool {
        self.dialect.eol == ROW_END
    }

    /// Returns the physical line on which the current record begins, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    pub(super) const fn fields(&self) -> usize {
        self.ranges.len()
    }

    /// Returns a field of the current record, doubled quotes unchanged.
    pub(super) fn field(&self, index: usize) -> Option<&[u8]> {
        let range = self.ranges.get(index)?;
        self.buffer.bytes().get(range.start..range.end)
    }

    /// Returns the current record as it is, without its line end.
    pub(super) fn text(&self) -> &[u8] {
        let record = self.whole();
        let record = record.strip_suffix(&[self.dialect.eol]).unwrap_or(record);
        record.strip_suffix(b"\r").unwrap_or(record)
    }

    /// Returns how the line of the current record ends, or would end if it were not the last one.
    pub(super) fn line_end(&self) -> &'static str {
        match self.dialect.eol {
            b'\r' => "\r",
            _ if self.whole().ends_with(b"\r\n") => "\r\n",
            _ => "\n",
        }
    }

    pub(super) const fn delimiter(&self) -> u8 {
        self.dialect.delimiter
    }

    fn whole(&self) -> &[u8] {
        let length = match self.unconsumed {
            Unconsumed::Record { length, .. } => length,
            _ => 0,
        };
        self.buffer.bytes().get(..length).unwrap_or_default()
    }

    /// Returns the first line of the current record, as far as it is in memory.
    pub(super) fn first_line(&self) -> &[u8] {
        let bytes = self.buffer.bytes();
        &bytes[..self.find_eol().unwrap_or(bytes.len())]
    }

    /// Gives the current record up: the next one begins on its second line.
    pub(super) fn give_up(&mut self) {
        if let Unconsumed::Record { length, .. } = self.unconsumed {
            self.scanned_to = self.buffer.offset() + length as u64;
            self.unconsumed = Unconsumed::FirstLine;
        }
    }

    /// Goes to the next record; empty lines are not records.
    pub(super) fn next(&mut self) -> io::Result<NextRecord> {
        self.consume()?;
        self.skip_blank()?;
        if self.buffer.bytes().is_empty() {
            return Ok(NextRecord::End);
        }
        loop {
            match self.cut() {
                Cut::Incomplete => self.buffer.fill()?,
                Cut::Whole {
                    length,
                    breaks,
                    nul,
                } => {
                    self.unconsumed = Unconsumed::Record { length, breaks };
                    return Ok(NextRecord::Whole { breaks, nul });
                }
                Cut::Damaged {
                    field,
                    reason,
                    scanned,
                } => {
                    self.ranges.clear();
                    let scanned_to = self.buffer.offset() + scanned as u64;
                    self.scanned_to = self.scanned_to.max(scanned_to);
                    self.unconsumed = Unconsumed::FirstLine;
                    return Ok(NextRecord::Damaged { field, reason });
                }
            }
        }
    }

    fn cut(&mut self) -> Cut {
        let bytes = self.buffer.bytes();
        let by_line = self.buffer.offset() < self.scanned_to;
        let ranges = &mut self.ranges;
        let cut = match by_line.then(|| find(bytes, self.dialect.eol)).flatten() {
            // With its line end, so that lengths are counted alike.
            Some(end) => self.dialect.cut(&bytes[..=end], true, ranges),
            None => self.dialect.cut(bytes, self.buffer.eof(), ranges),
        };
        match cut {
            Cut::Whole { length, .. } if length > RECORD_MAX => self.too_long(length),
            Cut::Incomplete if bytes.len() > RECORD_MAX => self.too_long(bytes.len()),
            cut => cut,
        }
    }

    fn too_long(&self, scanned: usize) -> Cut {
        Cut::Damaged {
            field: self.ranges.len(),
            reason: RejectReason::LongRecord,
            scanned,
        }
    }

    fn find_eol(&self) -> Option<usize> {
        find(self.buffer.bytes(), self.dialect.eol)
    }

    /// Consumes what the last record left.
    fn consume(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.unconsumed, Unconsumed::Nothing) {
            Unconsumed::Nothing => {}
            Unconsumed::Record { length, breaks } => {
                let last = self.buffer.bytes().get(length.wrapping_sub(1));
                let ended = last == Some(&self.dialect.eol);
                self.line += breaks + u64::from(ended);
                self.buffer.consume(length);
            }
            Unconsumed::FirstLine | Unconsumed::RestOfLine => self.skip_line()?,
        }
        Ok(())
    }

    /// Consumes up to and including the next line end, in bounded memory.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = self.find_eol() {
                self.buffer.consume(end + 1);
                self.line += 1;
                return Ok(());
            }
            self.buffer.consume(usize::MAX);
            if self.buffer.eof() {
                return Ok(());
            }
            // If reading fails here, half a line must not be taken for a whole one.
            self.unconsumed = Unconsumed::RestOfLine;
            self.buffer.fill()?;
            self.unconsumed = Unconsumed::Nothing;
        }
    }

    fn skip_blank(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.buffer.bytes();
            let blank = bytes
                .iter()
                .take_while(|byte| matches!(**byte, b'\n' | b'\r') || **byte == self.dialect.eol);
            let (count, lines) = blank.fold((0, 0), |(count, lines), byte| {
                (count + 1, lines + u64::from(*byte == self.dialect.eol))
            });
            let has_record = count < bytes.len();
            self.buffer.consume(count);
            self.line += lines;
            if has_record || self.buffer.eof() {
                return Ok(());
            }
            self.buffer.fill()?;
        }
    }
}

fn find(bytes: &[u8], eol: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == eol)
}

/// Reads until a line end is in the buffer, or more bytes than a record may have.
fn fill_line(buffer: &mut ReadBuffer, eol: u8) -> io::Result<()> {
    while !buffer.eof() && buffer.bytes().len() <= RECORD_MAX && !buffer.bytes().contains(&eol) {
        buffer.fill()?;
    }
    Ok(())
}
