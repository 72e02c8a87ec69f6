//! What stops a source from being read at all. A bad line does not: that is a
//! [`RowError`](super::RowError).

use std::io;

use thiserror::Error;

/// A source that could not be read; the text says what to do next.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be opened.
    #[error("cannot open {name}: {reason}. Check the path and its permissions")]
    Open {
        /// The source.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// A directory was given.
    #[error("{name} is a directory; give the files in it, for example {name}/*.csv")]
    Directory {
        /// The source.
        name: String,
    },
    /// Reading failed on the way.
    #[error(
        "cannot read {name} to its end: {reason}. The {lines} lines before that are kept; run the same command again"
    )]
    Read {
        /// The source.
        name: String,
        /// Data lines read well before.
        lines: u64,
        /// What the system said.
        reason: io::Error,
    },
    /// The compressed data are cut off or damaged.
    #[error(
        "{name} is damaged or cut off: its {compression} data cannot be unpacked ({reason}). The {lines} lines before that are kept; copy the file again and run the same command"
    )]
    Broken {
        /// The source.
        name: String,
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// Data lines read well before.
        lines: u64,
        /// What the decoder said.
        reason: io::Error,
    },
    /// A workbook, an archive, a database: not text.
    #[error("{name} is {kind}, not CSV; save it as \"CSV UTF-8\" and give that file")]
    NotText {
        /// The source.
        name: String,
        /// What it looks like.
        kind: &'static str,
    },
    /// Nothing in it.
    #[error("{name} is empty; it needs a header line such as unionid,openid and rows below it")]
    EmptyFile {
        /// The source.
        name: String,
    },
    /// A header and nothing below it.
    #[error("{name} has a header but no rows below it; check the export that made it")]
    OnlyHeader {
        /// The source.
        name: String,
    },
    /// The first line holds ids instead of names.
    #[error(
        "the first line of {name} looks like data, not like a header; put the line unionid,openid above it"
    )]
    NoHeader {
        /// The source.
        name: String,
    },
    /// The first line cannot be cut into names.
    #[error("the header of {name} (line {line}) cannot be read: it {reason}. Is this a CSV file?")]
    BadHeader {
        /// The source.
        name: String,
        /// Where the header starts.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A needed column is not there.
    #[error(
        "{name} has no column {missing}; the columns found are {found}. Say which they are, for example --columns {example}{hint}"
    )]
    MissingColumns {
        /// The source.
        name: String,
        /// The columns looked for, quoted.
        missing: String,
        /// The columns of the header, quoted.
        found: String,
        /// A value for `--columns` made of the names found.
        example: String,
        /// A further sentence, or nothing.
        hint: &'static str,
    },
    /// A needed column is there twice.
    #[error(
        "{name} has {times} columns named '{column}'; rename all but one, or point --columns at another"
    )]
    RepeatedColumn {
        /// The source.
        name: String,
        /// The name that repeats.
        column: String,
        /// How often.
        times: usize,
    },
    /// Every line was bad.
    #[error(
        "none of the {lines} lines of {name} can be a subject; the first reason: {first}. Check the columns and the encoding (--columns, --encoding)"
    )]
    NoGoodLine {
        /// The source.
        name: String,
        /// Data lines read.
        lines: u64,
        /// Line, column and reason of the first.
        first: String,
    },
    /// The corp to look in cannot be one.
    #[error("--corpid '{corpid}' cannot be a corpid: {reason}")]
    BadCorpid {
        /// As it was given.
        corpid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no thread to read on.
    #[error(
        "{name} cannot be read: no thread can be started ({reason}). Raise the limit of processes (ulimit -u) and run the same command"
    )]
    NoThread {
        /// The source.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
}
