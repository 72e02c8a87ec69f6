//! The rules of the house (DESIGN.md, "Who may import whom"), read off the sources.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Who may import whom. A name with `::` is one thing of that room and nothing else of it.
const MAY: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("format", &["clock"]),
    ("gate", &["model", "clock"]),
    ("intake", &["model"]),
    ("store", &["model", "clock", "secret", "gate"]),
    ("wecom", &["model", "clock", "secret", "gate::Paid"]),
    ("plan", &["model", "clock", "format", "gate"]),
    (
        "sim",
        &["model", "clock", "wecom::transport", "wecom::wire"],
    ),
    ("export", &["model", "clock", "store"]),
    ("runner", &["model", "clock", "gate", "store", "wecom"]),
    (
        "job",
        &[
            "model", "clock", "secret", "intake", "gate", "store", "wecom", "runner", "plan",
            "export", "sim",
        ],
    ),
    (
        "report",
        &["model", "clock", "format", "runner::event", "job"],
    ),
    // The values that settings become.
    ("config", &["secret", "job"]),
];

/// What `store` takes of the gate: values that are paid for or kept, never the gate itself.
const STORE_OF_GATE: &[&str] = &[
    "Permit",
    "Paid",
    "PaidCalls",
    "SlidingWindow",
    "Lockout",
    "LockoutLevel",
    "QuotaWindow",
    "LedgerSnapshot",
    "SlotUpdate",
    "InFlight",
    "CallKind",
];

/// A crate, and the files that may name it.
const ROOMS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store/"]),
    ("governor", &["gate/pacer"]),
    ("reqwest", &["wecom/transport"]),
    ("csv", &["intake/", "export/csv"]),
    ("encoding_rs", &["intake/"]),
    ("encoding_rs_io", &["intake/"]),
    ("flate2", &["intake/"]),
    ("zstd", &["intake/"]),
    ("indicatif", &["report/bar"]),
    ("percent_encoding", &["wecom/query", "sim/call"]),
    ("unicode_width", &["report/style"]),
    ("axum", &["sim/server", "report/listen"]),
    ("clap", &["cli/"]),
    ("toml", &["config"]),
    ("zeroize", &["secret"]),
];

/// A line of a source file that is part of the program.
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

impl Line {
    fn room(&self) -> String {
        let first = self.file.components().next().unwrap();
        let name = first.as_os_str().to_string_lossy();
        name.trim_end_matches(".rs").to_owned()
    }

    fn place(&self) -> String {
        format!("src/{}:{}: {}", self.file.display(), self.number, self.text)
    }
}

/// Every source file below `src`, tests left out.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap_or_default();
            if stem == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    assert!(files.len() > 50, "{} files", files.len());
    files
}

/// The lines of the program: no comments, and nothing of a module behind `#[cfg(test)]`.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (file, text) in sources() {
        let mut hidden = false;
        let mut ahead = false;
        for (number, text) in (1..).zip(text.lines()) {
            let bare = text.trim();
            if bare == "#[cfg(test)]" {
                ahead = true;
            } else if ahead && bare.starts_with("mod ") && bare.ends_with('{') {
                (hidden, ahead) = (true, false);
            } else if !bare.starts_with("#[") {
                ahead = false;
            }
            if !hidden && !bare.starts_with("//") {
                let (file, text) = (file.clone(), bare.to_owned());
                lines.push(Line { file, number, text });
            }
            hidden &= text != "}";
        }
    }
    lines
}

/// Every `crate::` path that is imported, braces spelt out, with the line where it begins.
fn imports(lines: &[Line]) -> Vec<(&Line, String)> {
    let mut imports = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line
            .text
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let Some(rest) = bare.strip_prefix("use crate::") else {
            // Paths in the middle of the code count as well.
            for rest in line.text.split("crate::").skip(1) {
                let end = rest.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
                imports.push((line, rest[..end.unwrap_or(rest.len())].to_owned()));
            }
            continue;
        };
        let mut tree = rest.to_owned();
        for more in lines[at + 1..]
            .iter()
            .take_while(|more| more.file == line.file)
        {
            if tree.ends_with(';') {
                break;
            }
            tree.push_str(&more.text);
        }
        for path in spelt_out("", tree.trim_end_matches(';')) {
            imports.push((line, path));
        }
    }
    imports
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
fn spelt_out(before: &str, tree: &str) -> Vec<String> {
    let Some(open) = tree.find('{') else {
        return vec![format!("{before}{}", tree.trim())];
    };
    let before = format!("{before}{}", tree[..open].trim());
    let inside = &tree[open + 1..tree.rfind('}').unwrap()];
    let (mut depth, mut start, mut paths) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                paths.extend(spelt_out(&before, &inside[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inside[start..].trim().is_empty() {
        paths.extend(spelt_out(&before, &inside[start..]));
    }
    paths
}

fn is_allowed(room: &str, path: &str) -> bool {
    let mut parts = path.split("::");
    let (other, thing) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if other == room || matches!(room, "cli" | "main" | "lib") {
        return true;
    }
    let Some((_, may)) = MAY.iter().find(|(name, _)| *name == room) else {
        return false;
    };
    let named = format!("{other}::{thing}");
    let allowed = may.iter().any(|may| *may == other || *may == named);
    allowed && (room != "store" || other != "gate" || STORE_OF_GATE.contains(&thing))
}

#[test]
fn nobody_imports_whom_they_may_not() {
    let lines = lines();
    let imports = imports(&lines);
    assert!(imports.len() > 100, "{} imports", imports.len());
    let offending: Vec<_> = imports
        .iter()
        .filter(|(line, path)| !is_allowed(&line.room(), path))
        .map(|(line, path)| format!("{}\n    imports {path}", line.place()))
        .collect();
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn the_table_itself_forbids_something() {
    assert!(is_allowed("runner", "gate::Gate"));
    assert!(is_allowed("store", "gate::Permit"));
    assert!(!is_allowed("store", "gate::Gate"));
    assert!(!is_allowed("sim", "gate::SlidingWindow"));
    assert!(!is_allowed("sim", "wecom::errcode"));
    assert!(!is_allowed("wecom", "gate::Permit"));
    assert!(!is_allowed("model", "clock::Timestamp"));
    assert!(!is_allowed("report", "runner::Runner"));
    assert_eq!(
        spelt_out("", "{a::{b, c::{d, e}}, f::g as h}"),
        ["a::b", "a::c::d", "a::c::e", "f::g as h"]
    );
}

#[test]
fn only_the_command_line_imports_the_configuration_and_nobody_imports_that() {
    let lines = lines();
    let offending = imports(&lines).into_iter().filter(|(line, path)| {
        let top = path.split("::").next().unwrap_or_default();
        let inside = matches!(line.room().as_str(), "cli" | "main" | "lib");
        (top == "config" && !inside && line.room() != "config") || (top == "cli" && !inside)
    });
    let offending: Vec<_> = offending.map(|(line, _)| line.place()).collect();
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn each_foreign_crate_lives_in_one_room() {
    let mut offending = Vec::new();
    let lines = lines();
    for (name, rooms) in ROOMS {
        let path = format!("{name}::");
        let mut seen = 0;
        for line in &lines {
            let Some(at) = line.text.find(&path) else {
                continue;
            };
            let before = line.text[..at].chars().next_back();
            // `csv::` may also be a module of ours: `super::csv::`, `self::csv::`.
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let own = line.text.starts_with("pub use ") && *name == "csv";
            let file = line.file.to_string_lossy().into_owned();
            if own || rooms.iter().any(|room| file.starts_with(room)) {
                seen += 1;
            } else {
                offending.push(line.place());
            }
        }
        let known = matches!(*name, "clap" | "encoding_rs_io" | "zeroize");
        assert!(seen > 0 || known, "nobody uses {name}: is this test blind?");
    }
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn nobody_but_the_clock_asks_the_system_for_the_time() {
    let lines = lines();
    let asks = [
        "SystemTime::now",
        "std::time::Instant",
        "clock_gettime",
        "thread::sleep",
    ];
    let offending: Vec<_> = lines
        .iter()
        .filter(|line| line.room() != "clock")
        .filter(|line| asks.iter().any(|ask| line.text.contains(ask)))
        .map(Line::place)
        .collect();
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}
