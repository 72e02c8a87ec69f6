//! Why a source cannot be read. An invalid line is not among these: it is a
//! [`RowError`](super::reject::RowError).

use std::io;

use thiserror::Error;

/// Why a source could not be read, and what to do next.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be opened.
    #[error("cannot open {name}: {reason}. Check the path and its permissions")]
    Open {
        /// The name of the source.
        name: String,
        /// The system's error.
        reason: io::Error,
    },
    /// It is a directory.
    #[error("{name} is a directory; give the files in it, for example {name}/*.csv")]
    Directory {
        /// The name of the source.
        name: String,
    },
    /// Reading failed before the end.
    #[error(
        "cannot read {name} to its end: {reason}. The {lines} lines before that are kept; run the same command again"
    )]
    Read {
        /// The name of the source.
        name: String,
        /// Lines read before that.
        lines: u64,
        /// The system's error.
        reason: io::Error,
    },
    /// The compressed data are incomplete or damaged.
    #[error(
        "{name} is damaged or cut off: its {compression} data cannot be unpacked ({reason}). The {lines} lines before that are kept; copy the file again and run the same command"
    )]
    Broken {
        /// The name of the source.
        name: String,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Lines read before that.
        lines: u64,
        /// The decoder's error.
        reason: io::Error,
    },
    /// It is a workbook, an archive or a database.
    #[error("{name} is {kind}, not CSV; save it as \"CSV UTF-8\" and give that file")]
    NotText {
        /// The name of the source.
        name: String,
        /// What it seems to be.
        kind: &'static str,
    },
    /// It is what a run wrote.
    #[error("{name} is a results file of idferry, not an input")]
    OwnResults {
        /// The name of the source.
        name: String,
    },
    /// It has no content.
    #[error("{name} is empty; it needs a header line such as unionid,openid and rows below it")]
    EmptyFile {
        /// The name of the source.
        name: String,
    },
    /// It has a header and no lines below it.
    #[error("{name} has a header but no rows below it; check the export that made it")]
    OnlyHeader {
        /// The name of the source.
        name: String,
    },
    /// Its first line has ids instead of column names.
    #[error(
        "the first line of {name} looks like data, not like a header; put the line unionid,openid above it"
    )]
    NoHeader {
        /// The name of the source.
        name: String,
    },
    /// Its first line cannot be cut into column names.
    #[error("the header of {name} (line {line}) cannot be read: it {reason}. Is this a CSV file?")]
    BadHeader {
        /// The name of the source.
        name: String,
        /// The line of the header.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A needed column is missing.
    #[error(
        "{name} has no column {missing}; the columns found are {found}. Say which they are, for example --columns {example}{hint}"
    )]
    MissingColumns {
        /// The name of the source.
        name: String,
        /// The columns that are missing, quoted.
        missing: String,
        /// The columns of the header, quoted.
        found: String,
        /// A value for `--columns` from the names found.
        example: String,
        /// A further sentence, or empty.
        hint: &'static str,
    },
    /// A needed column occurs more than once.
    #[error(
        "{name} has {times} columns named '{column}'; rename all but one, or point --columns at another"
    )]
    RepeatedColumn {
        /// The name of the source.
        name: String,
        /// Its name.
        column: String,
        /// How often it occurs.
        times: usize,
    },
    /// No line can be a subject.
    #[error(
        "none of the {lines} lines of {name} can be a subject; the first reason: {first}. Check the columns and the encoding (--columns, --encoding)"
    )]
    NoValidLine {
        /// The name of the source.
        name: String,
        /// Lines read.
        lines: u64,
        /// Line, column and reason of the first one.
        first: String,
    },
    /// The value of `--corpid` cannot be a corpid.
    #[error("--corpid '{corpid}' cannot be a corpid: {reason}")]
    BadCorpid {
        /// The value.
        corpid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The thread that reads could not be started.
    #[error(
        "{name} cannot be read: no thread can be started ({reason}). Raise the limit of processes (ulimit -u) and run the same command"
    )]
    NoThread {
        /// The name of the source.
        name: String,
        /// The system's error.
        reason: io::Error,
    },
}
