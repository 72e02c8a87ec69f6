//! The header line: which delimiter it uses and which columns hold the ids.

use super::{
    IntakeError, ReadOptions, Reason,
    csv::{Cut, Dialect, Span},
    input::Source,
    records::{Records, Step},
    validate,
};

/// In the order of preference when a header has none of them.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// No message lists more names than this, nor longer ones.
const NAMES_SHOWN: usize = 20;
const NAME_SHOWN: usize = 40;

/// The names of the columns, and where the needed ones are.
pub(super) struct Header {
    names: Vec<String>,
    pub(super) unionid: usize,
    pub(super) openid: usize,
    pub(super) corpid: Option<usize>,
}

impl Header {
    /// Consumes the header of `records` and sets the delimiter of all that follows.
    pub(super) fn read(
        source: &Source,
        records: &mut Records,
        options: &ReadOptions,
    ) -> Result<Self, IntakeError> {
        let delimiter = options.delimiter;
        let delimiter = delimiter.unwrap_or_else(|| best_delimiter(records.first_line(), options));
        records.set_delimiter(delimiter);
        let name = &*source.name;
        match records.next().map_err(|error| source.failed(0, error))? {
            Step::Record { nul: false, .. } => Self::locate(name, names_of(records), options),
            Step::Record { .. } => Err(bad_header(name, records, Reason::Nul)),
            Step::Fault { reason, .. } => Err(bad_header(name, records, reason)),
            Step::End => Err(IntakeError::EmptyFile {
                name: name.to_owned(),
            }),
        }
    }

    /// The name of a column as the source writes it; empty behind the last one.
    pub(super) fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("", |name| name.trim())
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
            }),
            _ if names.iter().any(|name| validate::looks_like_id(name)) => {
                Err(IntakeError::NoHeader {
                    name: source.to_owned(),
                })
            }
            _ => Err(missing(source, &names, options)),
        }
    }
}

/// A column we need: our word for it, and what the header calls it.
struct Wanted<'a> {
    ours: &'static str,
    name: &'a str,
}

impl Wanted<'_> {
    fn quoted(&self) -> String {
        if self.name == self.ours {
            format!("'{}'", self.name)
        } else {
            format!("'{}' (for {})", self.name, self.ours)
        }
    }
}

fn wanted(options: &ReadOptions) -> [Wanted<'_>; 3] {
    let columns = &options.columns;
    [
        ("unionid", &columns.unionid),
        ("openid", &columns.openid),
        ("corpid", &columns.corpid),
    ]
    .map(|(ours, theirs)| Wanted {
        ours,
        name: theirs.as_deref().unwrap_or(ours),
    })
}

/// What of a name counts: not its case, spaces, quotes or invisible signs.
fn plain(name: &str) -> String {
    let counts = |letter: &char| {
        !letter.is_whitespace() && !matches!(letter, '\u{feff}' | '\u{200b}' | '"' | '“' | '”')
    };
    name.chars()
        .filter(counts)
        .flat_map(char::to_lowercase)
        .collect()
}

fn find(source: &str, names: &[String], wanted: &Wanted<'_>) -> Result<Option<usize>, IntakeError> {
    let name = plain(wanted.name);
    let mut places = (0..names.len()).filter(|place| plain(&names[*place]) == name);
    let first = places.next();
    match places.count() {
        0 => Ok(first),
        more => Err(IntakeError::RepeatedColumn {
            name: source.to_owned(),
            column: wanted.name.to_owned(),
            times: more + 1,
        }),
    }
}

/// The delimiter that uncovers most needed columns; among equals, most columns.
fn best_delimiter(line: &[u8], options: &ReadOptions) -> u8 {
    let wanted = wanted(options).map(|wanted| plain(wanted.name));
    let score = |delimiter: &u8| {
        let mut spans = Vec::new();
        // The sniffed dialect only cuts the one line, so its line end does not matter.
        let cut = Dialect::new(*delimiter, b'\n').cut(line, true, &mut spans);
        let name = |span: &Span| plain(&String::from_utf8_lossy(&line[span.start..span.end]));
        let found = spans.iter().filter(|span| wanted.contains(&name(span)));
        (matches!(cut, Cut::Whole { .. }), found.count(), spans.len())
    };
    // `max_by_key` takes the last among equals, hence the reversal.
    let best = DELIMITERS.iter().rev().max_by_key(|sign| score(sign));
    best.copied().unwrap_or(b',')
}

fn names_of(records: &Records) -> Vec<String> {
    (0..records.width())
        .filter_map(|column| records.field(column))
        .map(|name| String::from_utf8_lossy(name).replace("\"\"", "\""))
        .collect()
}

fn bad_header(source: &str, records: &Records, reason: Reason) -> IntakeError {
    IntakeError::BadHeader {
        name: source.to_owned(),
        line: records.line(),
        reason: reason.to_string(),
    }
}

fn missing(source: &str, names: &[String], options: &ReadOptions) -> IntakeError {
    let is_there = |wanted: &Wanted<'_>| {
        let mut plains = names.iter().map(|name| plain(name));
        plains.any(|name| name == plain(wanted.name))
    };
    let (there, missing): (Vec<_>, Vec<_>) = wanted(options)
        .into_iter()
        .filter(|wanted| wanted.ours != "corpid" || options.columns.corpid.is_some())
        .partition(is_there);
    let mut unused: Vec<_> = names.iter().map(|name| name.trim()).collect();
    unused.retain(|name| !name.is_empty());
    unused.retain(|name| !there.iter().any(|wanted| plain(name) == plain(wanted.name)));
    // `--columns` replaces, so the names it already got right are said again.
    let kept = there.iter().filter(|wanted| wanted.name != wanted.ours);
    let kept = kept.map(|wanted| format!("{}={}", wanted.ours, wanted.name));
    let likely = missing
        .iter()
        .map(|wanted| likely(wanted.ours, &mut unused));
    let garbled = names.iter().any(|name| name.contains('\u{fffd}'));
    IntakeError::MissingColumns {
        name: source.to_owned(),
        missing: joined(missing.iter().map(Wanted::quoted), " and no column "),
        found: shown(names),
        example: joined(kept.chain(likely), ","),
        hint: if garbled { GARBLED } else { "" },
    }
}

const GARBLED: &str = ". Some names are garbled: is the encoding right (--encoding)?";

fn joined(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

/// A pair for `--columns`: `ours` and the unused name it most likely stands under, which is
/// used up by that.
fn likely(ours: &str, unused: &mut Vec<&str>) -> String {
    let root = ours.trim_end_matches("id");
    let alike = unused.iter().position(|name| plain(name).contains(root));
    let name = alike.map_or("NAME", |place| unused.remove(place));
    format!("{ours}={name}")
}

fn shown(names: &[String]) -> String {
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
