//! The results as CSV. An id that a spreadsheet would run as a formula has a `'` before it.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};

use super::{
    error::ExportError,
    filter::Filter,
    line::{ResultLine, TimestampText},
};
use crate::{
    intake::{RESULTS_COLUMNS, escaped},
    store::Reader,
};

/// Bytes that are written at once.
pub(super) const BUFFER: usize = 128 * 1024;

/// Writes every line that `filter` selects. Returns their number, the header not counted.
///
/// # Errors
///
/// [`ExportError::ClosedPipe`], [`ExportError::Full`] or [`ExportError::Write`] for `out`,
/// [`ExportError::Store`] for the job file.
pub fn write_csv(reader: &Reader, out: impl Write, filter: &Filter) -> Result<u64, ExportError> {
    let mut table = CsvLines::begin(out, BUFFER)?;
    let lines = filter.for_each_line(reader, |line| table.line(line))?;
    table.csv.flush()?;
    Ok(lines)
}

/// Returns the settings of a CSV writer whose lines end in LF.
pub(super) fn lf_writer() -> WriterBuilder {
    let mut builder = WriterBuilder::new();
    builder.terminator(Terminator::Any(b'\n'));
    builder
}

/// Writes lines of the results as CSV.
pub(super) struct CsvLines<W: Write> {
    csv: Writer<W>,
    errcode: Vec<u8>,
    resolved_at: TimestampText,
}

impl<W: Write> CsvLines<W> {
    /// Writes the header; `buffer` bytes are written at once.
    pub(super) fn begin(out: W, buffer: usize) -> Result<Self, ExportError> {
        let mut csv = lf_writer().buffer_capacity(buffer).from_writer(out);
        csv.write_record(RESULTS_COLUMNS)?;
        Ok(Self {
            csv,
            errcode: Vec::new(),
            resolved_at: TimestampText::default(),
        })
    }

    pub(super) fn line(&mut self, line: &ResultLine<'_>) -> Result<(), ExportError> {
        self.errcode.clear();
        if let Some(errcode) = line.errcode {
            write!(self.errcode, "{errcode}")?;
        }
        let csv = &mut self.csv;
        csv.write_field(&*escaped(line.unionid))?;
        csv.write_field(&*escaped(line.openid))?;
        csv.write_field(&*escaped(line.corpid))?;
        csv.write_field(&*escaped(line.external_userid))?;
        csv.write_field(&*escaped(line.pending_id))?;
        csv.write_field(line.state.as_str())?;
        csv.write_field(&self.errcode)?;
        csv.write_field(self.resolved_at.of(line.at))?;
        csv.write_record(None::<&[u8]>)?;
        Ok(())
    }

    /// Returns the writer, after the last line.
    pub(super) fn finish(self) -> Result<W, ExportError> {
        let inner = self.csv.into_inner();
        Ok(inner.map_err(csv::IntoInnerError::into_error)?)
    }
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            // All records have the same length, therefore no other error is expected.
            kind => Self::Write(io::Error::other(format!("{kind:?}"))),
        }
    }
}

#[cfg(test)]
mod tests;
