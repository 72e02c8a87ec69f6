//! Files that idferry itself writes, told by how they begin: a glob such as `*.csv` names them
//! too.

use std::{
    borrow::Cow,
    io::{self, Read},
    path::Path,
};

use super::{
    encoding::{Encoding, decode},
    input::{Input, Source, read_up_to},
};

/// The columns of a results file, in their order.
pub const RESULTS_COLUMNS: [&str; 8] = [
    "unionid",
    "openid",
    "corpid",
    "external_userid",
    "pending_id",
    "state",
    "errcode",
    "resolved_at",
];

/// The column after these in a file of changes.
pub(crate) const CHANGE_COLUMN: &str = "change";

/// The columns that follow those of an input with which the results were joined; one that the input
/// has too begins with `idferry_`.
pub(crate) const JOINED_COLUMNS: [&str; 6] = [
    "corpid",
    "external_userid",
    "pending_id",
    "state",
    "errcode",
    "resolved_at",
];

/// The first columns of a rejects file, in their order; the other fields of the lines follow.
pub(crate) const REJECTS_COLUMNS: [&str; 7] = [
    "source", "line", "column", "reason", "unionid", "openid", "corpid",
];

/// More bytes than the header line of most tables has.
const HEADER_BYTES: u64 = 64 * 1024;

/// What a file is that idferry wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnFile {
    /// Answers; never an input.
    Results,
    /// Lines that could not be subjects; an input once they are mended.
    Rejects,
    /// The list of exported files.
    Manifest,
    /// What a job came to, as a page.
    Report,
    /// Log lines; never an input.
    Log,
}

/// How a manifest begins.
const MANIFEST: &[u8] = b"{\n  \"idferry\": ";
/// How a report begins, and how its title does.
const REPORT: [&str; 2] = ["<!DOCTYPE html>", "<title>idferry · "];

impl OwnFile {
    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Results => "results file",
            Self::Rejects => "rejects file",
            Self::Log => "log",
            Self::Manifest => "manifest",
            Self::Report => "report",
        }
    }

    /// Returns what the file at `path` is by its header; `None` if it is no such file, or cannot be
    /// read.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let input = Input::Path(path.to_owned());
        if input.is_stream() {
            return None;
        }
        let mut source = Source::open(&input).ok()?;
        let head = read_up_to(&mut source.reader, HEADER_BYTES).ok()?;
        let mut text = Vec::new();
        let mut decoded = decode(Encoding::detect(&head), head, Box::new(io::empty()));
        decoded.read_to_end(&mut text).ok()?;
        if text.starts_with(MANIFEST) {
            return Some(Self::Manifest);
        }
        let [begin, title] = REPORT;
        if text.starts_with(begin.as_bytes()) && String::from_utf8_lossy(&text).contains(title) {
            return Some(Self::Report);
        }
        let line = text.split(|byte| *byte == b'\n').next()?;
        Self::of_line(line).map(|(own, _)| own)
    }

    /// Returns what a file with this header line is, and its delimiter.
    pub(super) fn of_line(line: &[u8]) -> Option<(Self, u8)> {
        let text = std::str::from_utf8(line).ok()?;
        let text = text.trim_start_matches('\u{feff}').trim_end_matches('\r');
        if is_json_line(text) {
            return Some((Self::Results, b','));
        }
        if is_log_line(text) {
            return Some((Self::Log, b','));
        }
        [',', ';', '\t', '|'].into_iter().find_map(|delimiter| {
            let names: Vec<_> = text.split(delimiter).collect();
            Some((Self::with_header(&names)?, delimiter as u8))
        })
    }

    /// Returns what a file with these columns is.
    fn with_header(names: &[impl AsRef<str>]) -> Option<Self> {
        let begins_with = |columns: &[&str]| {
            names.len() >= columns.len()
                && columns
                    .iter()
                    .zip(names)
                    .all(|(ours, name)| name.as_ref() == *ours)
        };
        let more = names.get(RESULTS_COLUMNS.len()..).unwrap_or_default();
        match more {
            [] if begins_with(&RESULTS_COLUMNS) => Some(Self::Results),
            [change] if change.as_ref() == CHANGE_COLUMN && begins_with(&RESULTS_COLUMNS) => {
                Some(Self::Results)
            }
            _ if is_joined(names) => Some(Self::Results),
            _ if begins_with(&REJECTS_COLUMNS) => Some(Self::Rejects),
            _ => None,
        }
    }
}

/// Whether a table with these columns is an input with which results were joined.
fn is_joined(names: &[impl AsRef<str>]) -> bool {
    let before = names.len().checked_sub(JOINED_COLUMNS.len());
    let Some(ours) = before.and_then(|before| names.get(before..)) else {
        return false;
    };
    JOINED_COLUMNS.iter().zip(ours).all(|(column, name)| {
        let name = name.as_ref();
        name.strip_prefix("idferry_").unwrap_or(name) == *column
    })
}

/// Whether `line` is one of results as JSON Lines.
fn is_json_line(line: &str) -> bool {
    let is_key = |key: &&str| line.contains(&format!("\"{key}\":"));
    line.starts_with("{\"unionid\":") && RESULTS_COLUMNS.iter().all(is_key)
}

/// Whether `line` is one of a log: `2026-11-22T01:07:49.000000Z  INFO …`, or the same as JSON.
fn is_log_line(line: &str) -> bool {
    const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
    let json = line.strip_prefix("{\"timestamp\":\"");
    let level = match json {
        Some(rest) => rest.split_once("\"level\":\"").map(|(_, level)| level),
        None => line.split_once("Z ").map(|(_, level)| level.trim_start()),
    };
    let begins = json.unwrap_or(line).as_bytes();
    let is_date = begins.len() > 10 && begins[4] == b'-' && begins[7] == b'-' && begins[10] == b'T';
    is_date && level.is_some_and(|level| LEVELS.iter().any(|name| level.starts_with(name)))
}

/// Returns `cell` as a spreadsheet shows it and does not run it: with a `'` before what would be a
/// formula. [`unescaped`] is its inverse.
pub(crate) fn escaped(cell: &str) -> Cow<'_, str> {
    if begins_formula(cell.as_bytes()) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// Returns a cell of idferry's files as it was before it was [`escaped`].
pub(super) fn unescaped(cell: &[u8]) -> &[u8] {
    match cell {
        [b'\'', rest @ ..] if begins_formula(rest) => rest,
        _ => cell,
    }
}

/// Whether a spreadsheet would run `cell`; quotes before that count too, so that the escape can be
/// told from them.
fn begins_formula(cell: &[u8]) -> bool {
    let sign = match cell {
        [b'\'', ..] => cell.iter().find(|byte| **byte != b'\''),
        _ => cell.first(),
    };
    matches!(sign, Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(header: &str) -> Option<OwnFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        std::fs::write(&path, header).unwrap();
        OwnFile::at(&path)
    }

    #[test]
    fn header_tells_results_and_rejects() {
        let results = RESULTS_COLUMNS.join(",");
        assert_eq!(told(&format!("{results}\na,b\n")), Some(OwnFile::Results));
        assert_eq!(
            told(&format!("{results},change\r\n")),
            Some(OwnFile::Results)
        );
        // As a spreadsheet saves it again.
        let saved = format!("\u{feff}{}\r\n", RESULTS_COLUMNS.join(";"));
        assert_eq!(told(&saved), Some(OwnFile::Results));
        let joined = "会员,unionid,corpid,openid,idferry_corpid,external_userid,pending_id,state,errcode,resolved_at\r\n";
        assert_eq!(told(joined), Some(OwnFile::Results));
        let rejects = REJECTS_COLUMNS.join(",");
        assert_eq!(told(&rejects), Some(OwnFile::Rejects));
        assert_eq!(
            told(&format!("{rejects},other_1\n")),
            Some(OwnFile::Rejects)
        );
    }

    #[test]
    fn a_log_is_told_by_its_first_line() {
        let text = "2026-11-22T01:07:49.123456Z  INFO to be asked: 5 of 5 subjects\n";
        assert_eq!(told(text), Some(OwnFile::Log));
        let json = r#"{"timestamp":"2026-11-22T01:07:49.1Z","level":"DEBUG","fields":{}}"#;
        assert_eq!(told(json), Some(OwnFile::Log));
        for other in ["2026-11-22T01:07:49Z,unionid", r#"{"timestamp":"x"}"#, "\n"] {
            assert_eq!(told(other), None);
        }
    }

    #[test]
    fn other_columns_are_of_other_files() {
        assert_eq!(told("unionid,openid\n"), None);
        assert_eq!(told(&format!("{},mine\n", RESULTS_COLUMNS.join(","))), None);
        assert_eq!(told(""), None);
        assert_eq!(OwnFile::at(Path::new("src")), None);
        assert_eq!(OwnFile::at(Path::new("/dev/zero")), None);
    }

    #[test]
    fn formula_is_escaped_and_comes_back() {
        for cell in [
            "=1+1", "+86", "-x", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-",
        ] {
            let safe = escaped(cell);
            assert_eq!(safe, format!("'{cell}"));
            assert_eq!(unescaped(safe.as_bytes()), cell.as_bytes());
        }
        for cell in ["", "oAbc-1", "'", "'a", "会员", "a=1"] {
            assert_eq!(escaped(cell), cell);
            assert_eq!(unescaped(cell.as_bytes()), cell.as_bytes());
        }
    }
}
