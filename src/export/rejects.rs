//! The rejects file: `source,line,column,reason`, then the fields of the line: its ids by their
//! names, so that it can be mended and given back, and the others as `other_1`, `other_2` and so on.
//! All rows have the same length.

use std::io::Write;

use super::csv::lf_writer;
use super::error::ExportError;
use crate::{
    intake::{REJECTS_COLUMNS, escaped},
    store::{Reader, Reject},
};

/// Fields of a line that have columns with names: unionid, openid and corpid.
const IDS: usize = 3;

/// Writes every line that cannot be a subject. Returns their number.
pub(super) fn write_rejects(reader: &Reader, out: impl Write) -> Result<u64, ExportError> {
    let mut csv = lf_writer().from_writer(out);
    let width = widest(reader)?;
    let others = (1..=width.saturating_sub(IDS)).map(|number| format!("other_{number}"));
    let header = REJECTS_COLUMNS.map(str::to_owned);
    csv.write_record(header.into_iter().chain(others))?;
    let mut lines = 0;
    reader.for_each_reject(|reject| {
        let line = reject.line.to_string();
        let about = [&*reject.source, &line, &reject.column, &reject.reason];
        let fields = reject.fields.iter().map(String::as_str);
        let padded = fields.chain(std::iter::repeat("")).take(width);
        csv.write_record(
            about
                .into_iter()
                .chain(padded)
                .map(|cell| escaped(cell).into_owned()),
        )?;
        lines += 1;
        Ok::<(), ExportError>(())
    })?;
    csv.flush()?;
    Ok(lines)
}

/// The number of fields of the longest line, at least that of the ids.
fn widest(reader: &Reader) -> Result<usize, ExportError> {
    let mut width = IDS;
    reader.for_each_reject(|reject: &Reject| {
        width = width.max(reject.fields.len());
        Ok::<(), ExportError>(())
    })?;
    Ok(width)
}
