//! One record after the other out of a window, with line numbers, and with a way on after damage.
//!
//! After an unclosed quote (or a field or record too long to be one) reading goes on with the
//! line after the one on which the record started, so that a stray quote costs one line and not
//! the rest of the file. Bytes that were looked at before are then read line by line: a record
//! that begins among them cannot span lines, which keeps the work at two looks per byte.

use std::io;

use super::{
    Reason,
    buffer::Window,
    csv::{Cut, Dialect, RECORD_MAX, Span},
};

/// What the next record is.
pub(super) enum Step {
    /// Its fields can be asked for.
    Record {
        /// Line breaks inside quotes.
        breaks: u64,
        /// Whether it holds a NUL byte.
        nul: bool,
    },
    /// It cannot be cut; the beginning of its first line can be asked for.
    Fault {
        /// The field in which it was noticed.
        field: usize,
        reason: Reason,
    },
    End,
}

/// What is to be consumed before the next record.
enum Pending {
    Nothing,
    Record {
        length: usize,
        breaks: u64,
    },
    /// The first line of a record that was given up.
    FirstLine,
    /// The rest of a line of which some is consumed.
    RestOfLine,
}

pub(super) struct Records {
    window: Window,
    dialect: Dialect,
    spans: Vec<Span>,
    pending: Pending,
    /// The physical line on which the current record starts.
    line: u64,
    /// Up to this offset, records end with their line.
    looked_at: u64,
}

impl Records {
    /// Finds out how lines end, and reads the first line that is not empty.
    pub(super) fn new(mut window: Window) -> io::Result<Self> {
        fill_line(&mut window, b'\n')?;
        let has = |eol: &u8| window.bytes().contains(eol);
        let eol = if has(&b'\r') && !has(&b'\n') {
            b'\r'
        } else {
            b'\n'
        };
        let mut records = Self {
            window,
            dialect: Dialect::new(b',', eol),
            spans: Vec::new(),
            pending: Pending::Nothing,
            line: 1,
            looked_at: 0,
        };
        records.skip_blank()?;
        fill_line(&mut records.window, eol)?;
        Ok(records)
    }

    pub(super) fn set_delimiter(&mut self, delimiter: u8) {
        self.dialect = Dialect::new(delimiter, self.dialect.eol);
    }

    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// The number of fields of the current record.
    pub(super) const fn width(&self) -> usize {
        self.spans.len()
    }

    /// A field of the current record, doubled quotes as they stand.
    pub(super) fn field(&self, index: usize) -> Option<&[u8]> {
        let span = self.spans.get(index)?;
        self.window.bytes().get(span.start..span.end)
    }

    /// The line at which the current record starts, as far as it is in memory.
    pub(super) fn first_line(&self) -> &[u8] {
        let bytes = self.window.bytes();
        &bytes[..self.find_eol().unwrap_or(bytes.len())]
    }

    /// Gives the current record up: the next one starts on its second line.
    pub(super) fn give_up(&mut self) {
        if let Pending::Record { length, .. } = self.pending {
            self.looked_at = self.window.offset() + length as u64;
            self.pending = Pending::FirstLine;
        }
    }

    /// The next record; empty lines are not records.
    pub(super) fn next(&mut self) -> io::Result<Step> {
        self.leave()?;
        self.skip_blank()?;
        if self.window.bytes().is_empty() {
            return Ok(Step::End);
        }
        loop {
            match self.cut() {
                Cut::Short => self.window.fill()?,
                Cut::Whole {
                    length,
                    breaks,
                    nul,
                } => {
                    self.pending = Pending::Record { length, breaks };
                    return Ok(Step::Record { breaks, nul });
                }
                Cut::Bad {
                    field,
                    reason,
                    seen,
                } => {
                    self.spans.clear();
                    self.looked_at = self.looked_at.max(self.window.offset() + seen as u64);
                    self.pending = Pending::FirstLine;
                    return Ok(Step::Fault { field, reason });
                }
            }
        }
    }

    fn cut(&mut self) -> Cut {
        let bytes = self.window.bytes();
        let again = self.window.offset() < self.looked_at;
        let cut = match again.then(|| self.find_eol()).flatten() {
            // With its line end, so that lengths are counted alike.
            Some(end) => self.dialect.cut(&bytes[..=end], true, &mut self.spans),
            None => self.dialect.cut(bytes, self.window.eof(), &mut self.spans),
        };
        match cut {
            Cut::Whole { length, .. } if length > RECORD_MAX => self.too_long(length),
            Cut::Short if bytes.len() > RECORD_MAX => self.too_long(bytes.len()),
            cut => cut,
        }
    }

    fn too_long(&self, seen: usize) -> Cut {
        Cut::Bad {
            field: self.spans.len(),
            reason: Reason::LongRecord,
            seen,
        }
    }

    fn find_eol(&self) -> Option<usize> {
        let eol = self.dialect.eol;
        self.window.bytes().iter().position(|byte| *byte == eol)
    }

    /// Consumes what the last step left.
    fn leave(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Nothing => {}
            Pending::Record { length, breaks } => {
                let ended =
                    self.window.bytes().get(length.wrapping_sub(1)) == Some(&self.dialect.eol);
                self.line += breaks + u64::from(ended);
                self.window.consume(length);
            }
            Pending::FirstLine | Pending::RestOfLine => self.skip_line()?,
        }
        Ok(())
    }

    /// Consumes up to the next line end, however far it is, in bounded memory.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            if let Some(end) = self.find_eol() {
                self.window.consume(end + 1);
                self.line += 1;
                return Ok(());
            }
            self.window.consume(usize::MAX);
            if self.window.eof() {
                return Ok(());
            }
            // A read that fails here must not leave half a line to be taken for a whole one.
            self.pending = Pending::RestOfLine;
            self.window.fill()?;
            self.pending = Pending::Nothing;
        }
    }

    fn skip_blank(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.window.bytes();
            let blank = bytes
                .iter()
                .take_while(|byte| matches!(byte, b'\n' | b'\r'));
            let (count, lines) = blank.fold((0, 0), |(count, lines), byte| {
                (count + 1, lines + u64::from(*byte == self.dialect.eol))
            });
            let more = count < bytes.len();
            self.window.consume(count);
            self.line += lines;
            if more || self.window.eof() {
                return Ok(());
            }
            self.window.fill()?;
        }
    }
}

/// Reads until a line end is in the window, or more than any record may be.
fn fill_line(window: &mut Window, eol: u8) -> io::Result<()> {
    while !window.eof() && window.bytes().len() <= RECORD_MAX && !window.bytes().contains(&eol) {
        window.fill()?;
    }
    Ok(())
}
