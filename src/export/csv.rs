//! The results file as CSV.
//!
//! One line per link, in order of first appearance and, within a subject, by corpid and
//! external_userid. A subject without a link has one line. An id that a spreadsheet would run as a
//! formula has a `'` before it.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};

use super::{error::ExportError, filter::Filter};
use crate::{
    clock::Timestamp,
    intake::{RESULTS_COLUMNS, escaped},
    store::{Reader, SubjectRecord},
};

const BUFFER: usize = 128 * 1024;

/// Writes every subject that `filter` selects. Returns the number of lines, the header not counted.
///
/// # Errors
///
/// [`ExportError::ClosedPipe`], [`ExportError::Full`] or [`ExportError::Write`] for `out`,
/// [`ExportError::Store`] for the job file.
pub fn write_csv(reader: &Reader, out: impl Write, filter: &Filter) -> Result<u64, ExportError> {
    let mut table = ResultTable::begin(out)?;
    reader.for_each_subject(|subject| {
        if filter.selects(subject) {
            table.subject(subject)?;
        }
        Ok::<(), ExportError>(())
    })?;
    table.csv.flush()?;
    Ok(table.lines)
}

/// Returns the settings of a CSV writer whose lines end in LF.
pub(super) fn lf_writer() -> WriterBuilder {
    let mut builder = WriterBuilder::new();
    builder.terminator(Terminator::Any(b'\n'));
    builder
}

struct ResultTable<W: Write> {
    csv: Writer<W>,
    lines: u64,
    errcode: Vec<u8>,
    resolved_at: TimestampText,
}

impl<W: Write> ResultTable<W> {
    fn begin(out: W) -> Result<Self, ExportError> {
        let mut csv = lf_writer().buffer_capacity(BUFFER).from_writer(out);
        csv.write_record(RESULTS_COLUMNS)?;
        Ok(Self {
            csv,
            lines: 0,
            errcode: Vec::new(),
            resolved_at: TimestampText::default(),
        })
    }

    fn subject(&mut self, subject: &SubjectRecord) -> Result<(), ExportError> {
        self.errcode.clear();
        if let Some(errcode) = subject.errcode {
            write!(self.errcode, "{errcode}")?;
        }
        if subject.links.is_empty() {
            return self.line(subject, subject.corpid.as_deref().unwrap_or_default(), "");
        }
        for link in &subject.links {
            self.line(subject, &link.corpid, &link.external_userid)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        subject: &SubjectRecord,
        corpid: &str,
        external_userid: &str,
    ) -> Result<(), ExportError> {
        let pending_id = "";
        let csv = &mut self.csv;
        csv.write_field(&*escaped(&subject.unionid))?;
        csv.write_field(&*escaped(&subject.openid))?;
        csv.write_field(&*escaped(corpid))?;
        csv.write_field(&*escaped(external_userid))?;
        csv.write_field(&*escaped(pending_id))?;
        csv.write_field(subject.state.as_str())?;
        csv.write_field(&self.errcode)?;
        csv.write_field(self.resolved_at.of(subject.at))?;
        csv.write_record(None::<&[u8]>)?;
        self.lines += 1;
        Ok(())
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

/// The text of the timestamp that was formatted last: hundreds of subjects in a row were answered
/// in the same second.
#[derive(Default)]
struct TimestampText {
    at: Option<Timestamp>,
    text: String,
}

impl TimestampText {
    /// Returns `at` in RFC 3339; empty for `None`.
    fn of(&mut self, at: Option<Timestamp>) -> &str {
        if at != self.at {
            self.at = at;
            self.text = at.map(Timestamp::rfc3339).unwrap_or_default();
        }
        &self.text
    }
}

#[cfg(test)]
mod tests;
