//! The rules of the house, read off the sources: imports run downwards, facts stand once,
//! functions and structs stay small.

mod imports;
mod measures;
mod sources;

use imports::{Files, circles, crate_imports, spelt_out};
use sources::{Line, functions, lines, sources, structs, types};

/// Who may import whom. A name with `::` is one thing of that room and nothing else of it.
const MAY: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("format", &["clock"]),
    ("intake", &["model"]),
    ("quota", &["model", "clock", "format"]),
    ("store", &["model", "clock", "secret", "quota"]),
    ("ledger", &["model", "clock", "secret", "quota", "store"]),
    ("gate", &["model", "clock", "quota"]),
    (
        "wecom",
        &["model", "clock", "secret", "quota::CallKind", "quota::Paid"],
    ),
    (
        "runner",
        &[
            "model", "clock", "quota", "gate", "store", "ledger", "wecom",
        ],
    ),
    ("plan", &["model", "clock", "format", "quota"]),
    ("export", &["model", "clock", "intake", "store"]),
    (
        "sim",
        &[
            "model",
            "clock",
            "wecom::endpoint",
            "wecom::transport",
            "wecom::wire",
        ],
    ),
    (
        "job",
        &[
            "model", "clock", "secret", "intake", "quota", "gate", "store", "ledger", "wecom",
            "runner", "plan", "export", "sim",
        ],
    ),
    (
        "report",
        &["model", "clock", "format", "quota", "runner::event", "job"],
    ),
    // The values that settings become.
    ("config", &["secret", "job"]),
];

/// A crate, and the files that may name it.
const ROOMS: &[(&str, &[&str])] = &[
    ("rusqlite", &["store/", "ledger/"]),
    ("governor", &["gate/pacer"]),
    ("reqwest", &["wecom/transport"]),
    ("csv", &["intake/", "export/csv", "export/join/tests"]),
    ("encoding_rs", &["intake/", "export/join/tests"]),
    ("encoding_rs_io", &["intake/"]),
    (
        "flate2",
        &[
            "intake/",
            "export/compress",
            "wecom/lenient",
            "sim/odd_reply",
        ],
    ),
    ("zstd", &["intake/", "export/compress"]),
    ("indicatif", &["report/bar"]),
    (
        "percent_encoding",
        &["wecom/query", "sim/call", "store/sqlite_file"],
    ),
    ("unicode_width", &["report/style"]),
    ("axum", &["sim/server", "report/listen"]),
    ("prometheus_client", &["report/listen"]),
    ("clap", &["cli/"]),
    ("calamine", &["intake/xlsx"]),
    ("ring", &["export/sha256"]),
    ("toml", &["config"]),
    ("zeroize", &["secret"]),
];

fn is_allowed(module: &str, path: &str) -> bool {
    let mut parts = path.split("::");
    let (other, thing) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if other == module || matches!(module, "cli" | "main" | "lib") {
        return true;
    }
    let Some((_, may)) = MAY.iter().find(|(name, _)| *name == module) else {
        return false;
    };
    let named = format!("{other}::{thing}");
    may.iter().any(|may| *may == other || *may == named)
}

#[test]
fn imports_run_downwards() {
    let lines = lines();
    let imports = crate_imports(&lines);
    assert!(imports.len() > 100, "{} imports", imports.len());
    let offending: Vec<_> = imports
        .iter()
        .filter(|(line, path)| !is_allowed(&line.module(), path))
        .map(|(line, path)| format!("{}\n    imports {path}", line.place()))
        .collect();
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn table_of_imports_forbids_something() {
    assert!(is_allowed("runner", "gate::Gate"));
    assert!(is_allowed("store", "quota::Permit"));
    assert!(!is_allowed("store", "gate::Gate"));
    assert!(!is_allowed("quota", "gate::Gate"));
    assert!(!is_allowed("sim", "quota::SlidingWindow"));
    assert!(!is_allowed("sim", "wecom::errcode"));
    assert!(!is_allowed("wecom", "quota::Permit"));
    assert!(!is_allowed("model", "clock::Timestamp"));
    assert!(!is_allowed("report", "runner::Runner"));
    assert!(!is_allowed("job", "cli::Cli"));
    assert_eq!(
        spelt_out("", "{a::{b, c::{d, e}}, f::g as h}"),
        ["a::b", "a::c::d", "a::c::e", "f::g as h"]
    );
}

#[test]
fn only_the_command_line_imports_the_configuration() {
    let lines = lines();
    let offending = crate_imports(&lines).into_iter().filter(|(line, path)| {
        let top = path.split("::").next().unwrap_or_default();
        let inside = matches!(line.module().as_str(), "cli" | "main" | "lib");
        (top == "config" && !inside && line.module() != "config") || (top == "cli" && !inside)
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
        assert!(
            seen > 0 || known,
            "no file uses {name}: does this test see any?"
        );
    }
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| (source.file, source.text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn only_the_clock_asks_the_system_for_the_time() {
    let lines = lines();
    let clocks = ["SystemTime::now", "std::time::Instant", "clock_gettime"];
    let asks = |line: &&Line| clocks.iter().any(|clock| line.text.contains(clock));
    let offending = lines.iter().filter(|line| line.module() != "clock");
    let offending = offending.filter(|line| asks(line) || line.text.contains("thread::sleep"));
    let offending: Vec<_> = offending.map(Line::place).collect();
    assert!(offending.is_empty(), "\n{}", offending.join("\n"));
}

#[test]
fn no_circle_inside_any_module() {
    let lines = lines();
    let imports = Files::of(&lines).inner_imports(&lines);
    assert!(imports.len() > 50, "{} files import", imports.len());
    let circles = circles(&imports);
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// Names that two modules may both use, because it is the right word in each.
const SHARED_NAMES: &[&str] = &["Args"];

#[test]
fn no_type_name_is_defined_twice() {
    let types = types(&lines());
    let double = |name: &str| types.get(name).is_some_and(|places| places.len() > 1);
    let new: Vec<_> = types
        .iter()
        .filter(|(name, _)| double(name) && !SHARED_NAMES.contains(&name.as_str()))
        .map(|(name, places)| format!("{name}:\n    {}", places.join("\n    ")))
        .collect();
    assert!(new.is_empty(), "\n{}", new.join("\n"));
    assert!(SHARED_NAMES.len() <= 6);
    for name in SHARED_NAMES {
        assert!(double(name), "{name} is defined once: take it off the list");
    }
}

#[test]
fn no_function_is_longer_than_fifty_lines() {
    let long: Vec<_> = functions(&lines())
        .into_iter()
        .filter(|function| function.size > 50)
        .map(|function| format!("{} lines: {}", function.size, function.place))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn no_struct_has_more_than_fifteen_fields_without_a_reason() {
    let structs = structs(&lines());
    let wide: Vec<_> = structs
        .iter()
        .filter(|item| item.size > 15 && !item.excused)
        .map(|item| format!("{} fields: {}", item.size, item.place))
        .collect();
    assert!(wide.is_empty(), "\n{}", wide.join("\n"));
    let runner = structs.iter().find(|item| item.name == "Runner").unwrap();
    assert!(runner.size <= 14, "Runner has {} fields", runner.size);
}
