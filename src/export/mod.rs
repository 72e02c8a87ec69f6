//! Results and rejects, from the job file to files.
//!
//! An export is a function of the job file: exporting twice gives the same bytes. A file appears
//! under its name only when it is complete (`Publication`). Adding a `Format` takes a file
//! beside `csv.rs` and the lines of it in this one.

mod compress;
mod csv;
mod error;
mod filter;
mod part;
mod publish;
mod rejects;

use std::{fmt, io::Write, str::FromStr};

pub use csv::write_csv;
pub use error::ExportError;
pub use filter::Filter;
pub(crate) use part::folder_of;
pub(crate) use publish::{Target, file_mark};

use self::rejects::write_rejects;
use crate::store::Reader;

/// The format of a results file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One line per link.
    Csv,
}

impl Format {
    /// All formats, the default one first.
    pub(crate) const ALL: [Self; 1] = [Self::Csv];

    /// Returns its name in flags, which is the suffix of its files too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
        }
    }

    /// Returns the format of files with this suffix, in any case and without a dot.
    fn from_suffix(suffix: &str) -> Option<Self> {
        let mut formats = Self::ALL.into_iter();
        formats.find(|format| format.name().eq_ignore_ascii_case(suffix))
    }

    /// Returns the format that the suffix of a target tells; the default one if it tells none.
    pub(crate) fn of(target: &Target) -> Self {
        let suffix = target.suffix().and_then(Self::from_suffix);
        suffix.unwrap_or(Self::ALL[0])
    }

    /// Writes the results. Returns the number of lines or rows, a header not counted.
    fn write(self, reader: &Reader, out: impl Write, filter: &Filter) -> Result<u64, ExportError> {
        match self {
            Self::Csv => write_csv(reader, out, filter),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::from_suffix(name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{name}' is no format of results: {names}")
        })
    }
}

/// Writes the results to `target`. Returns the number of lines or rows, a header not counted. After
/// an error a file that was there before is unchanged.
pub(crate) fn publish_results(
    reader: &Reader,
    target: &Target,
    format: Format,
    filter: &Filter,
) -> Result<u64, ExportError> {
    let mut publication = target.open()?;
    let lines = format.write(reader, &mut publication, filter)?;
    publication.publish()?;
    Ok(lines)
}

/// Writes the lines that cannot be subjects to `target` and returns their number. If there are none,
/// a file that was there before is unchanged.
pub(crate) fn publish_rejects(reader: &Reader, target: &Target) -> Result<u64, ExportError> {
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
