//! Store to files: what was found out, written out whole or not at all.
//!
//! An export is a function of the state file: made twice, it is the same bytes. Files appear
//! under their names only when they are complete ([`Publication`]).

mod csv;
mod error;
mod publish;

pub use csv::{COLUMNS, Filter, write_csv, write_rejects};
pub use error::ExportError;
pub use publish::{Publication, Target};

use crate::store::Reader;

/// Writes the results to `target` and publishes them; answers how many lines, the header not
/// counted.
///
/// # Errors
///
/// Those of [`Target::open`], [`write_csv`] and [`Publication::publish`]; a file that stood at
/// `target` before is then untouched.
pub fn publish_csv(reader: &Reader, target: &Target, filter: &Filter) -> Result<u64, ExportError> {
    let mut publication = target.open()?;
    let lines = write_csv(reader, &mut publication, filter)?;
    publication.publish()?;
    Ok(lines)
}

/// Writes the lines that could not be subjects to `target` and publishes them; answers how many.
/// Without any, nothing is written and what stood there stays.
///
/// # Errors
///
/// As for [`publish_csv`].
pub fn publish_rejects(reader: &Reader, target: &Target) -> Result<u64, ExportError> {
    let sources = reader.sources()?;
    if sources.iter().all(|source| source.rejected == 0) {
        return Ok(0);
    }
    let mut publication = target.open()?;
    let lines = write_rejects(reader, &mut publication)?;
    if lines > 0 {
        publication.publish()?;
    }
    Ok(lines)
}
