//! Why a source cannot be read. An invalid line is not among these: it is a
//! [`RowError`](super::reject::RowError).

use std::io;

use thiserror::Error;

/// Why a source could not be read, and what to do next.
#[derive(Debug, Error)]
#[expect(
    missing_docs,
    reason = "each message says what happened and what its fields are"
)]
pub enum IntakeError {
    #[error(
        "{name} has no column 'external_userid'; its columns are {found}. Name the column so, and \
         corpid and chat_id where they are known"
    )]
    NoContacts { name: String, found: String },
    #[error("cannot open {name}: {reason}. Check the path and its permissions")]
    Open { name: String, reason: io::Error },
    #[error("{name} is a directory; give the files in it, for example {name}/*.csv")]
    Directory { name: String },
    #[error(
        "cannot read {name} to its end: {reason}. The {lines} lines before that are kept; run the same command again"
    )]
    Read {
        name: String,
        lines: u64,
        reason: io::Error,
    },
    #[error(
        "{name} is damaged or cut off: its {compression} data cannot be unpacked ({reason}). The {lines} lines before that are kept; copy the file again and run the same command"
    )]
    Broken {
        name: String,
        compression: &'static str,
        lines: u64,
        reason: io::Error,
    },
    #[error("{name} is {kind}, not CSV; save it as \"CSV UTF-8\" and give that file")]
    NotText { name: String, kind: &'static str },
    #[error(
        "{name} cannot be read as an Excel workbook: {reason}. Open it in Excel and save it again, or save the sheet as \"CSV UTF-8\" and give that file"
    )]
    Workbook { name: String, reason: String },
    #[error("{name} has no sheet '{wanted}'; its sheets are {found}: name one with --sheet")]
    NoSheet {
        name: String,
        wanted: String,
        found: String,
    },
    #[error("{name} is a {what} of idferry, not an input")]
    OwnFile { name: String, what: &'static str },
    #[error("{name} is empty; it needs a header line such as unionid,openid and rows below it")]
    EmptyFile { name: String },
    #[error("{name} has a header but no rows below it; check the export that made it")]
    OnlyHeader { name: String },
    #[error(
        "the first line of {name} looks like data, not like a header; put the line unionid,openid above it"
    )]
    NoHeader { name: String },
    #[error("the header of {name} (line {line}) cannot be read: it {reason}. Is this a CSV file?")]
    BadHeader {
        name: String,
        line: u64,
        reason: String,
    },
    #[error(
        "{name} has no column {missing}; the columns found are {found}. Say which they are, for example --columns {example}{hint}"
    )]
    MissingColumns {
        name: String,
        missing: String,
        found: String,
        example: String,
        hint: &'static str,
    },
    #[error(
        "{name} has {times} columns named '{column}'; rename all but one, or point --columns at another"
    )]
    RepeatedColumn {
        name: String,
        column: String,
        times: usize,
    },
    #[error(
        "none of the {lines} lines of {name} can be a subject; the first reason: {first}. Check the columns and the encoding (--columns, --encoding)"
    )]
    NoValidLine {
        name: String,
        lines: u64,
        first: String,
    },
    #[error("--corpid '{corpid}' cannot be a corpid: {reason}")]
    BadCorpid { corpid: String, reason: String },
    #[error(
        "{name} cannot be read: no thread can be started ({reason}). Raise the limit of processes (ulimit -u) and run the same command"
    )]
    NoThread { name: String, reason: io::Error },
}
