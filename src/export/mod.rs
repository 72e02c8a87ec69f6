//! Results and rejects, from the job file to files.
//!
//! An export is a function of the job file: exporting twice gives the same bytes. A file appears
//! under its name only when it is complete (`Publication`).

mod by_corp;
mod compress;
mod csv;
mod error;
mod file_stem;
mod filter;
mod format;
mod join;
mod jsonl;
mod line;
mod manifest;
mod part;
mod partition;
mod publish;
mod rejects;
mod sha256;

pub(crate) use by_corp::{CorpFile, publish_by_corp};
pub use csv::write_csv;
pub use error::ExportError;
pub(crate) use file_stem::file_stem;
pub use filter::Filter;
pub(crate) use format::Format;
pub(crate) use join::{JoinStats, JoinedInput, publish_joined};
pub(crate) use manifest::{ExportedFile, publish_manifest};
pub(crate) use part::folder_of;
pub(crate) use publish::{Target, file_mark};

use std::io::Write;

use self::csv::BUFFER;
use self::rejects::write_rejects;
use crate::store::Reader;

/// Writes the results to `target`. After an error a file that was there before is unchanged. With
/// `hashed` their digest is known afterwards.
pub(crate) fn publish_results(
    reader: &Reader,
    target: &Target,
    format: Format,
    filter: &Filter,
    hashed: bool,
) -> Result<ExportedFile, ExportError> {
    let mut results = format.lines(target.open(hashed)?, BUFFER, filter)?;
    let lines = filter.for_each_line(reader, |line| results.line(line))?;
    Ok(ExportedFile {
        target: target.clone(),
        corpid: filter.corpid.clone(),
        lines,
        written: results.finish()?.publish()?,
    })
}

/// Writes the lines that cannot be subjects to `target` and returns their number. If there are none,
/// a file that was there before is unchanged.
pub(crate) fn publish_rejects(reader: &Reader, target: &Target) -> Result<u64, ExportError> {
    let sources = reader.sources()?;
    if sources.iter().all(|source| source.rejected == 0) {
        return Ok(0);
    }
    let mut publication = target.open(false)?;
    let lines = write_rejects(reader, &mut publication)?;
    if lines > 0 {
        publication.publish()?;
    }
    Ok(lines)
}

/// Writes bytes to `target` and returns how many lie there.
pub(crate) fn publish_bytes(target: &Target, bytes: &[u8]) -> Result<u64, ExportError> {
    let mut publication = target.open(false)?;
    publication.write_all(bytes)?;
    Ok(publication.publish()?.bytes)
}
