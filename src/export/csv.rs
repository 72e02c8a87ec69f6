//! The results file.
//!
//! One line per link, in order of first appearance and, within a subject, by corpid and
//! external_userid. A subject without a link has one line.

use std::io::{self, Write};

use csv::{Terminator, Writer, WriterBuilder};

use super::ExportError;
use crate::{
    clock::Timestamp,
    model::State,
    store::{Answer, Reader},
};

/// The columns, in their order.
pub const COLUMNS: [&str; 8] = [
    "unionid",
    "openid",
    "corpid",
    "external_userid",
    "pending_id",
    "state",
    "errcode",
    "resolved_at",
];

const BUFFER: usize = 128 * 1024;

/// Which subjects are written.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those in one of these states; all of them if it is empty.
    pub states: Vec<State>,
}

impl Filter {
    fn lets_through(&self, answer: &Answer) -> bool {
        self.states.is_empty() || self.states.contains(&answer.state)
    }
}

/// Writes every subject that `filter` lets through; answers how many lines, the header not
/// counted.
///
/// # Errors
///
/// [`ExportError::ClosedPipe`], [`ExportError::Full`], what else `out` says, or what the state
/// file says.
pub fn write_csv(reader: &Reader, out: impl Write, filter: &Filter) -> Result<u64, ExportError> {
    let mut table = Table::begin(out)?;
    reader.answers(|answer| {
        if filter.lets_through(answer) {
            table.subject(answer)?;
        }
        Ok::<(), ExportError>(())
    })?;
    table.csv.flush()?;
    Ok(table.lines)
}

/// Writes every line that could not be a subject: `source,line,column,reason`, and then the line as
/// it was; answers how many.
///
/// # Errors
///
/// As for [`write_csv`].
pub fn write_rejects(reader: &Reader, out: impl Write) -> Result<u64, ExportError> {
    // Lines have the fields they have.
    let mut csv = WriterBuilder::new()
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .from_writer(out);
    csv.write_record(["source", "line", "column", "reason", "fields"])?;
    let mut lines = 0;
    reader.rejects(|reject| {
        let line = reject.line.to_string();
        let own = [&*reject.source, &line, &reject.column, &reject.reason];
        let fields = reject.fields.iter().map(String::as_str);
        csv.write_record(own.into_iter().chain(fields))?;
        lines += 1;
        Ok::<(), ExportError>(())
    })?;
    csv.flush()?;
    Ok(lines)
}

struct Table<W: Write> {
    csv: Writer<W>,
    lines: u64,
    errcode: Vec<u8>,
    resolved_at: Stamp,
}

impl<W: Write> Table<W> {
    fn begin(out: W) -> Result<Self, ExportError> {
        let mut csv = WriterBuilder::new()
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(BUFFER)
            .from_writer(out);
        csv.write_record(COLUMNS)?;
        Ok(Self {
            csv,
            lines: 0,
            errcode: Vec::new(),
            resolved_at: Stamp::default(),
        })
    }

    fn subject(&mut self, answer: &Answer) -> Result<(), ExportError> {
        self.errcode.clear();
        if let Some(errcode) = answer.errcode {
            write!(self.errcode, "{errcode}")?;
        }
        if answer.links.is_empty() {
            return self.line(answer, answer.corpid.as_deref().unwrap_or_default(), "");
        }
        for link in &answer.links {
            self.line(answer, &link.corpid, &link.external_userid)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        answer: &Answer,
        corpid: &str,
        external_userid: &str,
    ) -> Result<(), ExportError> {
        let pending_id = "";
        let csv = &mut self.csv;
        csv.write_field(&answer.unionid)?;
        csv.write_field(&answer.openid)?;
        csv.write_field(corpid)?;
        csv.write_field(external_userid)?;
        csv.write_field(pending_id)?;
        csv.write_field(answer.state.as_str())?;
        csv.write_field(&self.errcode)?;
        csv.write_field(self.resolved_at.of(answer.at))?;
        csv.write_record(None::<&[u8]>)?;
        self.lines += 1;
        Ok(())
    }
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            // Our own rows are of one length, so nothing else is to be expected.
            kind => Self::Write(io::Error::other(format!("{kind:?}"))),
        }
    }
}

/// The last time that was spelled out. Subjects are asked in the order in which they are written,
/// so that hundreds in a row were answered in the same second.
#[derive(Default)]
struct Stamp {
    at: Option<Timestamp>,
    text: String,
}

impl Stamp {
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
