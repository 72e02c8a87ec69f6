//! The rejects file: `source,line,column,reason`, and then the original fields of the line.

use std::io::Write;

use super::csv::lf_writer;
use super::error::ExportError;
use crate::store::Reader;

/// Writes every line that cannot be a subject. Returns their number.
pub(super) fn write_rejects(reader: &Reader, out: impl Write) -> Result<u64, ExportError> {
    // Lines differ in the number of their fields.
    let mut csv = lf_writer().flexible(true).from_writer(out);
    csv.write_record(["source", "line", "column", "reason", "fields"])?;
    let mut lines = 0;
    reader.for_each_reject(|reject| {
        let line = reject.line.to_string();
        let about = [&*reject.source, &line, &reject.column, &reject.reason];
        let fields = reject.fields.iter().map(String::as_str);
        csv.write_record(about.into_iter().chain(fields))?;
        lines += 1;
        Ok::<(), ExportError>(())
    })?;
    csv.flush()?;
    Ok(lines)
}
