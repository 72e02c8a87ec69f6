//! The header line: its delimiter, and which columns hold the ids.

use super::{
    csv::{ByteRange, Cut, Dialect},
    error::IntakeError,
    id::looks_like_id,
    input::Source,
    options::{Columns, ReadOptions},
    own_file::{self, OwnFile, REJECTS_COLUMNS},
    records::{NextRecord, Records},
    reject::RejectReason,
};
use crate::model::RejectOrigin;

/// The delimiters that are detected; the first is taken if a header has none of them.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Most column names in a message, and most characters of each.
const NAMES_SHOWN: usize = 20;
const NAME_SHOWN: usize = 40;

/// The names of the columns, and the indices of the needed ones.
pub(super) struct Header {
    names: Vec<String>,
    pub(super) unionid: usize,
    pub(super) openid: usize,
    pub(super) corpid: Option<usize>,
    /// Whether ids may have the `'` before them that idferry puts before what a spreadsheet would
    /// run.
    pub(super) is_rejects: bool,
}

impl Header {
    /// Reads the header of `records` and sets their delimiter.
    pub(super) fn read(
        source: &Source,
        records: &mut Records,
        options: &ReadOptions,
    ) -> Result<Self, IntakeError> {
        let name = &*source.name;
        let own = OwnFile::of_line(records.first_line());
        let rejects = match own {
            Some((own @ (OwnFile::Results | OwnFile::Log), _)) => {
                let (name, what) = (name.to_owned(), own.name());
                return Err(IntakeError::OwnFile { name, what });
            }
            Some((OwnFile::Rejects, delimiter)) => Some(rejects_options(delimiter, options)),
            Some((OwnFile::Manifest | OwnFile::Report, _)) | None => None,
        };
        let options = rejects.as_ref().unwrap_or(options);
        let detect = || best_delimiter(records.first_line(), options);
        let delimiter = options.delimiter.unwrap_or_else(detect);
        records.set_delimiter(delimiter);
        match records.next().map_err(|error| source.failed(0, error))? {
            NextRecord::Whole { nul: false, .. } => Ok(Self {
                is_rejects: rejects.is_some(),
                ..Self::locate(name, names_of(records), options)?
            }),
            NextRecord::Whole { .. } => Err(bad_header(name, records, RejectReason::Nul)),
            NextRecord::Damaged { reason, .. } => Err(bad_header(name, records, reason)),
            NextRecord::End => Err(IntakeError::EmptyFile {
                name: name.to_owned(),
            }),
        }
    }

    /// Returns the name of a column as it is in the source; empty if there is no such column.
    pub(super) fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", |name| name.trim())
    }

    /// Whether there is a column of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|column| normalized(column) == name)
    }

    /// Returns an id as it was before idferry wrote it to a rejects file.
    pub(super) fn unescaped<'f>(&self, field: &'f [u8]) -> &'f [u8] {
        if self.is_rejects {
            own_file::unescaped(field)
        } else {
            field
        }
    }

    /// Returns where the current record of a rejects file was before, and on which line.
    pub(super) fn origin(&self, records: &Records) -> Option<(RejectOrigin, u64)> {
        if !self.is_rejects {
            return None;
        }
        let text = |column| {
            let field = self.unescaped(records.field(column)?);
            Some(std::str::from_utf8(field).ok()?.replace("\"\"", "\""))
        };
        let origin = RejectOrigin {
            source: text(0)?,
            column: text(2)?,
            reason: text(3)?,
        };
        Some((origin, text(1)?.trim().parse().ok()?))
    }

    /// Returns whether a column is neither that of an id nor one that idferry added.
    pub(super) fn is_other(&self, column: usize) -> bool {
        let ids = [Some(self.unionid), Some(self.openid), self.corpid];
        let is_ours = self.is_rejects && column < REJECTS_COLUMNS.len();
        !is_ours && !ids.contains(&Some(column))
    }

    fn locate(
        source: &str,
        names: Vec<String>,
        options: &ReadOptions,
    ) -> Result<Self, IntakeError> {
        let [unionid, openid, corpid] = wanted(options).map(|wanted| find(source, &names, &wanted));
        let (unionid, openid, corpid) = (unionid?, openid?, corpid?);
        let corpid_missing = corpid.is_none() && options.columns.corpid.is_some();
        match (unionid, openid) {
            (Some(unionid), Some(openid)) if !corpid_missing => Ok(Self {
                names,
                unionid,
                openid,
                corpid,
                is_rejects: false,
            }),
            _ if names.iter().any(|name| looks_like_id(name)) => Err(IntakeError::NoHeader {
                name: source.to_owned(),
            }),
            _ => Err(missing(source, &names, options)),
        }
    }
}

/// How a rejects file is read: its columns are known, whatever those of the other inputs are.
fn rejects_options(delimiter: u8, options: &ReadOptions) -> ReadOptions {
    ReadOptions {
        columns: Columns::default(),
        delimiter: Some(delimiter),
        ..options.clone()
    }
}

struct WantedColumn<'a> {
    /// `unionid`, `openid` or `corpid`.
    field: &'static str,
    name: &'a str,
}

impl WantedColumn<'_> {
    fn quoted(&self) -> String {
        if self.name == self.field {
            format!("'{}'", self.name)
        } else {
            format!("'{}' (for {})", self.name, self.field)
        }
    }
}

fn wanted(options: &ReadOptions) -> [WantedColumn<'_>; 3] {
    let columns = &options.columns;
    [
        ("unionid", &columns.unionid),
        ("openid", &columns.openid),
        ("corpid", &columns.corpid),
    ]
    .map(|(field, name)| WantedColumn {
        field,
        name: name.as_deref().unwrap_or(field),
    })
}

/// Returns a name without what is ignored in comparisons: case, spaces, quotes and invisible
/// characters.
pub(super) fn normalized(name: &str) -> String {
    let counts = |letter: &char| {
        !letter.is_whitespace() && !matches!(letter, '\u{feff}' | '\u{200b}' | '"' | '“' | '”')
    };
    name.chars()
        .filter(counts)
        .flat_map(char::to_lowercase)
        .collect()
}

fn find(
    source: &str,
    names: &[String],
    wanted: &WantedColumn<'_>,
) -> Result<Option<usize>, IntakeError> {
    let name = normalized(wanted.name);
    let mut found = (0..names.len()).filter(|index| normalized(&names[*index]) == name);
    let first = found.next();
    match found.count() {
        0 => Ok(first),
        more => Err(IntakeError::RepeatedColumn {
            name: source.to_owned(),
            column: wanted.name.to_owned(),
            times: more + 1,
        }),
    }
}

/// Returns the delimiter that finds most of the needed columns; among equals, most columns.
fn best_delimiter(line: &[u8], options: &ReadOptions) -> u8 {
    let wanted = wanted(options).map(|wanted| normalized(wanted.name));
    let score = |delimiter: &u8| {
        let mut ranges = Vec::new();
        // Only one line is cut, therefore the line end does not matter.
        let cut = Dialect::new(*delimiter, b'\n').cut(line, true, &mut ranges);
        let name =
            |range: &ByteRange| normalized(&String::from_utf8_lossy(&line[range.start..range.end]));
        let found = ranges.iter().filter(|range| wanted.contains(&name(range)));
        (
            matches!(cut, Cut::Whole { .. }),
            found.count(),
            ranges.len(),
        )
    };
    // `max_by_key` returns the last among equals, therefore the order is reversed.
    let best = DELIMITERS.iter().rev().max_by_key(|sign| score(sign));
    best.copied().unwrap_or(b',')
}

pub(super) fn names_of(records: &Records) -> Vec<String> {
    (0..records.fields())
        .filter_map(|column| records.field(column))
        .map(|name| String::from_utf8_lossy(name).replace("\"\"", "\""))
        .collect()
}

fn bad_header(source: &str, records: &Records, reason: RejectReason) -> IntakeError {
    IntakeError::BadHeader {
        name: source.to_owned(),
        line: records.line(),
        reason: reason.to_string(),
    }
}

fn missing(source: &str, names: &[String], options: &ReadOptions) -> IntakeError {
    let is_there = |wanted: &WantedColumn<'_>| {
        let mut names = names.iter().map(|name| normalized(name));
        names.any(|name| name == normalized(wanted.name))
    };
    let (there, missing): (Vec<_>, Vec<_>) = wanted(options)
        .into_iter()
        .filter(|wanted| wanted.field != "corpid" || options.columns.corpid.is_some())
        .partition(is_there);
    let known: Vec<_> = there.iter().map(|wanted| normalized(wanted.name)).collect();
    let mut unused: Vec<_> = names.iter().map(|name| name.trim()).collect();
    unused.retain(|name| !name.is_empty() && !known.contains(&normalized(name)));
    // `--columns` replaces all names, therefore the example repeats those that were right.
    let kept = there.iter().filter(|wanted| wanted.name != wanted.field);
    let kept = kept.map(|wanted| format!("{}={}", wanted.field, wanted.name));
    let likely = missing
        .iter()
        .map(|wanted| likely(wanted.field, &mut unused));
    let garbled = names.iter().any(|name| name.contains('\u{fffd}'));
    IntakeError::MissingColumns {
        name: source.to_owned(),
        missing: joined(missing.iter().map(WantedColumn::quoted), " and no column "),
        found: shown(names),
        example: joined(kept.chain(likely), ","),
        hint: if garbled { GARBLED } else { "" },
    }
}

const GARBLED: &str = ". Some names are garbled: is the encoding right (--encoding)?";

fn joined(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

/// Returns a pair for `--columns`: a field and the name that most likely is its column's, which is
/// removed from `unused`.
fn likely(field: &str, unused: &mut Vec<&str>) -> String {
    let root = field.trim_end_matches("id");
    let alike = unused
        .iter()
        .position(|name| normalized(name).contains(root));
    let name = alike.map_or("NAME", |index| unused.remove(index));
    format!("{field}={name}")
}

/// Returns the names as a quoted list, shortened if it is long.
pub(super) fn shown(names: &[String]) -> String {
    let name = |name: &String| {
        let name: String = name.trim().chars().take(NAME_SHOWN).collect();
        format!("'{name}'")
    };
    let list: Vec<_> = names.iter().take(NAMES_SHOWN).map(name).collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    match more {
        0 => list.join(", "),
        _ => format!("{} and {more} more", list.join(", ")),
    }
}
