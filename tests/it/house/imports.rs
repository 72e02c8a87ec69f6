//! Who imports what, read off the `use` lines and the paths in the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::sources::Line;

/// Every `crate::` path that is imported, braces spelt out, with the line where it begins.
pub(super) fn crate_imports(lines: &[Line]) -> Vec<(&Line, String)> {
    let mut imports = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(tree) = use_tree(&lines[at..]) {
            for path in spelt_out("", &tree) {
                if let Some(path) = path.strip_prefix("crate::") {
                    imports.push((line, path.to_owned()));
                }
            }
        } else {
            imports.extend(inline_paths(&line.text, "crate::").map(|path| (line, path)));
        }
    }
    imports
}

/// `before` and what follows it up to the end of the path, wherever it stands in `text`.
fn inline_paths<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = String> + 't {
    text.split(before).skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c));
        rest[..end.unwrap_or(rest.len())].to_owned()
    })
}

/// What a `use` item imports, as one line; `None` if the first of `lines` does not begin one.
fn use_tree(lines: &[Line]) -> Option<String> {
    let first = lines.first()?;
    let (_, rest) = first.text.split_once("use ")?;
    let before = first.text.strip_suffix(rest)?;
    if !matches!(
        before,
        "use " | "pub use " | "pub(crate) use " | "pub(super) use "
    ) {
        return None;
    }
    let mut tree = rest.to_owned();
    for more in &lines[1..] {
        if tree.ends_with(';') {
            break;
        }
        tree.push_str(&more.text);
    }
    Some(tree.trim_end_matches(';').to_owned())
}

/// `a::{b, c::{d}}` as `a::b` and `a::c::d`.
pub(super) fn spelt_out(before: &str, tree: &str) -> Vec<String> {
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

/// The files of the program by module path, and what the `mod.rs` files re-export.
pub(super) struct Files {
    by_module: BTreeMap<Vec<String>, PathBuf>,
    /// (module, name) and the path that it is re-exported from.
    reexports: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl Files {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut files = Self {
            by_module: BTreeMap::new(),
            reexports: BTreeMap::new(),
        };
        for line in lines {
            files
                .by_module
                .insert(module_of(&line.file), line.file.clone());
        }
        for (at, line) in lines.iter().enumerate() {
            let Some(tree) = use_tree(&lines[at..]).filter(|_| line.text.starts_with("pub")) else {
                continue;
            };
            let module = module_of(&line.file);
            for path in spelt_out("", &tree) {
                let absolute = files.absolute(&module, &path);
                if let Some(name) = absolute.last().cloned() {
                    files.reexports.insert((module.clone(), name), absolute);
                }
            }
        }
        files
    }

    /// `path`, as imported in `module`, from the crate's root on; empty for other crates.
    fn absolute(&self, module: &[String], path: &str) -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or_default();
        let mut parts: Vec<String> = path
            .split("::")
            .map(|part| part.trim().to_owned())
            .collect();
        let mut from = module.to_vec();
        match parts.first().map(String::as_str) {
            Some("crate") => from.clear(),
            Some("self") => {}
            Some("super") => {
                while parts.first().is_some_and(|part| part == "super") {
                    from.pop();
                    parts.remove(0);
                }
                from.extend(parts);
                return from;
            }
            Some(child) => {
                let mut inside = module.to_vec();
                inside.push(child.to_owned());
                if !self.by_module.contains_key(&inside) {
                    return Vec::new();
                }
                from.extend(parts);
                return from;
            }
            None => return Vec::new(),
        }
        from.extend(parts.into_iter().skip(1));
        from
    }

    /// The file that defines what `path` names, re-exports followed.
    fn defining(&self, path: &[String]) -> Option<&PathBuf> {
        let mut path = path.to_vec();
        for _ in 0..4 {
            let depth = (1..=path.len())
                .rev()
                .find(|depth| self.by_module.contains_key(&path[..*depth]))?;
            let module = path[..depth].to_vec();
            let name = path.get(depth).cloned().unwrap_or_default();
            match self.reexports.get(&(module.clone(), name)) {
                Some(next) => path.clone_from(next),
                None => return self.by_module.get(&module),
            }
        }
        None
    }

    /// Whether the file has modules of its own below it.
    fn is_parent(&self, file: &Path) -> bool {
        let module = module_of(file);
        let inside =
            |other: &&Vec<String>| other.len() > module.len() && other.starts_with(&module);
        self.by_module.keys().any(|other| inside(&other))
    }

    /// Which files each file imports from, inside its own top-level module. A file with modules
    /// below it is the whole that they are parts of, and not counted; what it re-exports counts as
    /// the file that defines it.
    pub(super) fn inner_imports(&self, lines: &[Line]) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
        let mut imports: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            let module = module_of(&line.file);
            let mut paths: Vec<Vec<String>> = Vec::new();
            if let Some(tree) = use_tree(&lines[at..]) {
                let spelt = spelt_out("", &tree);
                paths.extend(spelt.iter().map(|path| self.absolute(&module, path)));
            } else {
                let inline = inline_paths(&line.text, "super::");
                paths.extend(inline.map(|path| self.absolute(&module, &format!("super::{path}"))));
            }
            for path in paths {
                if path.first() != module.first() {
                    continue;
                }
                if let Some(file) = self.defining(&path)
                    && *file != line.file
                    && !self.is_parent(file)
                    && !self.is_parent(&line.file)
                {
                    imports
                        .entry(line.file.clone())
                        .or_default()
                        .insert(file.clone());
                }
            }
        }
        imports
    }
}

/// `store/import/mod.rs` is `store::import`.
fn module_of(file: &Path) -> Vec<String> {
    let parts = file.with_extension("");
    let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
    parts.filter(|part| part != "mod").collect()
}

/// Groups of files each of which reaches the others, one line a group.
pub(super) fn circles(imports: &BTreeMap<PathBuf, BTreeSet<PathBuf>>) -> Vec<String> {
    let mut circles = BTreeSet::new();
    for file in imports.keys() {
        let mut group: Vec<_> = reached(imports, file)
            .into_iter()
            .filter(|other| reached(imports, other).contains(file))
            .collect();
        group.sort();
        if !group.is_empty() {
            let names = group.iter().map(|file| file.display().to_string());
            circles.insert(names.collect::<Vec<_>>().join(" ↔ "));
        }
    }
    circles.into_iter().collect()
}

fn reached(imports: &BTreeMap<PathBuf, BTreeSet<PathBuf>>, from: &Path) -> BTreeSet<PathBuf> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(file) = open.pop() {
        for next in imports.get(&file).into_iter().flatten() {
            if reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}
