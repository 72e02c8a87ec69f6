//! The sources of the program as text: files, lines, functions, structs.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// One source file below `src`, tests left out.
pub(super) struct Source {
    /// Its path below `src`, such as `store/import/mod.rs`.
    pub(super) file: PathBuf,
    pub(super) text: String,
}

/// A line of a source file that is part of the program.
pub(super) struct Line {
    pub(super) file: PathBuf,
    pub(super) number: usize,
    /// Without indentation.
    pub(super) text: String,
    indent: usize,
}

impl Line {
    /// The top-level module that it belongs to.
    pub(super) fn module(&self) -> String {
        top_module(&self.file)
    }

    pub(super) fn place(&self) -> String {
        format!("src/{}:{}: {}", self.file.display(), self.number, self.text)
    }
}

pub(super) fn top_module(file: &Path) -> String {
    let first = file.components().next().unwrap();
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// The checkout to look at; `IDFERRY_HOUSE` names another one, to compare two commits.
pub(super) fn root() -> PathBuf {
    env::var_os("IDFERRY_HOUSE").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// Every Rust file below `folder`, sorted.
pub(super) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

pub(super) fn is_test(file: &Path) -> bool {
    let named = |part: &std::ffi::OsStr| part == "tests" || part == "tests.rs";
    let properties = |part: &std::ffi::OsStr| part == "properties" || part == "properties.rs";
    file.iter().any(|part| named(part) || properties(part))
}

/// Every source file below `src`, tests left out.
pub(super) fn sources() -> Vec<Source> {
    let root = root().join("src");
    let files = rust_files(&root);
    let sources: Vec<_> = files
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            file: path.strip_prefix(&root).unwrap().to_owned(),
        })
        .filter(|source| !is_test(&source.file))
        .collect();
    assert!(sources.len() > 50, "{} files", sources.len());
    sources
}

/// The lines of the program: no comments, no blanks, and nothing of a module behind
/// `#[cfg(test)]`.
pub(super) fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for Source { file, text } in sources() {
        let (mut hidden, mut cfg_test) = (false, false);
        for (number, text) in (1..).zip(text.lines()) {
            let bare = text.trim();
            if bare == "#[cfg(test)]" {
                cfg_test = true;
            } else if cfg_test && bare.starts_with("mod ") && bare.ends_with('{') {
                (hidden, cfg_test) = (true, false);
            } else if !bare.starts_with("#[") {
                cfg_test = false;
            }
            if !hidden && !bare.is_empty() && !bare.starts_with("//") {
                lines.push(Line {
                    file: file.clone(),
                    number,
                    text: bare.to_owned(),
                    indent: text.len() - text.trim_start().len(),
                });
            }
            hidden &= text != "}";
        }
    }
    lines
}

/// A function or struct: where it stands, its name, and how much there is of it.
pub(super) struct Item {
    pub(super) place: String,
    pub(super) name: String,
    /// Lines of a function, fields of a struct.
    pub(super) size: usize,
    /// Whether a comment within or before it says `fields:`, the reason why they are many.
    pub(super) excused: bool,
}

/// Every function, with the number of lines between its braces.
pub(super) fn functions(lines: &[Line]) -> Vec<Item> {
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = item_name(&line.text, "fn ") else {
            continue;
        };
        if let Some((begin, end)) = body_of(&lines[at..]) {
            functions.push(Item {
                place: line.place(),
                name,
                size: (end - begin).saturating_sub(1),
                excused: false,
            });
        }
    }
    functions
}

/// Every struct with named fields, with their number.
pub(super) fn structs(lines: &[Line]) -> Vec<Item> {
    let texts: BTreeMap<_, _> = sources().into_iter().map(|s| (s.file, s.text)).collect();
    let mut structs = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = item_name(&line.text, "struct ").filter(|_| line.text.ends_with('{'))
        else {
            continue;
        };
        let Some((_, end)) = body_of(&lines[at..]) else {
            continue;
        };
        let inside = lines[at + 1..].iter().take_while(|line| line.number < end);
        let fields = inside.filter(|field| {
            field.indent == line.indent + 4
                && !field.text.starts_with('#')
                && field.text.contains(": ")
        });
        let around = texts[&line.file]
            .lines()
            .take(end)
            .skip(line.number.saturating_sub(12));
        structs.push(Item {
            place: line.place(),
            name,
            size: fields.count(),
            excused: around.into_iter().any(|text| text.contains("fields:")),
        });
    }
    structs
}

/// Every type that is defined: its name, and where.
pub(super) fn types(lines: &[Line]) -> BTreeMap<String, Vec<String>> {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let kinds = ["struct ", "enum ", "trait "];
        if let Some(name) = kinds.iter().find_map(|kind| item_name(&line.text, kind)) {
            types.entry(name).or_default().push(line.place());
        }
    }
    types
}

/// `pub(crate) const fn name<T>(…` is `name` for `"fn "`.
fn item_name(text: &str, keyword: &str) -> Option<String> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("pub") {
        let after = after.trim_start();
        let closed = after
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'));
        rest = closed.map_or(after, |(_, after)| after.trim_start());
    }
    for word in ["const ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.strip_prefix(keyword)?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let name = &rest[..end.unwrap_or(rest.len())];
    (!name.is_empty()).then(|| name.to_owned())
}

/// The numbers of the lines that open and close the item that begins with the first of `lines`:
/// formatted code closes it at its own indentation. `None` for a declaration without a body.
fn body_of(lines: &[Line]) -> Option<(usize, usize)> {
    let first = lines.first()?;
    if first.text.ends_with('}') {
        return Some((first.number, first.number));
    }
    let same_file = lines.iter().take_while(|line| line.file == first.file);
    let mut begin = None;
    for line in same_file {
        if let Some(begin) = begin
            && line.indent <= first.indent
            && line.text.starts_with('}')
        {
            return Some((begin, line.number));
        }
        if begin.is_none() && line.indent <= first.indent + 4 {
            if line.text.ends_with(';') {
                return None;
            }
            begin = line.text.ends_with('{').then_some(line.number);
        }
    }
    None
}
