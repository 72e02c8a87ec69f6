//! The formats of results. Adding one takes a file beside `csv.rs` and the lines of it in this one.

use std::{fmt, io::Write, str::FromStr};

use super::csv::CsvLines;
use super::{error::ExportError, jsonl::JsonLines, line::ResultLine, publish::Target};

/// The format of a results file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One line per link.
    Csv,
    /// One JSON object per link.
    Jsonl,
}

impl Format {
    /// All formats, the default one first.
    pub(crate) const ALL: [Self; 2] = [Self::Csv, Self::Jsonl];

    /// Returns its name in flags, which is the suffix of its files too.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
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

    /// Returns a writer of lines in this format, which writes about `buffer` bytes at once.
    pub(super) fn lines<W: Write>(
        self,
        out: W,
        buffer: usize,
    ) -> Result<FormattedLines<W>, ExportError> {
        Ok(match self {
            Self::Csv => FormattedLines::Csv(CsvLines::begin(out, buffer)?.into()),
            Self::Jsonl => FormattedLines::Jsonl(JsonLines::new(out, buffer)),
        })
    }
}

/// Writes lines of the results in a format.
pub(super) enum FormattedLines<W: Write> {
    Csv(Box<CsvLines<W>>),
    Jsonl(JsonLines<W>),
}

impl<W: Write> FormattedLines<W> {
    pub(super) fn line(&mut self, line: &ResultLine<'_>) -> Result<(), ExportError> {
        match self {
            Self::Csv(csv) => csv.line(line),
            Self::Jsonl(jsonl) => jsonl.line(line),
        }
    }

    /// Returns the writer, after the last line.
    pub(super) fn finish(self) -> Result<W, ExportError> {
        match self {
            Self::Csv(csv) => csv.finish(),
            Self::Jsonl(jsonl) => jsonl.finish(),
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
