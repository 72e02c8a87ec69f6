//! The measures of the code, printed:
//!
//! ```text
//! cargo test --test it house::measures -- --nocapture
//! IDFERRY_HOUSE=/path/to/another/checkout cargo test --test it house::measures -- --nocapture
//! ```

use std::{fs, path::Path};

use super::{
    imports::{Files, circles},
    sources::{Item, functions, lines, root, rust_files, sources, structs, types},
};

/// The value below which `percent` of the sorted `sizes` are.
fn percentile(sizes: &[usize], percent: usize) -> usize {
    sizes.get(sizes.len() * percent / 100).copied().unwrap_or(0)
}

fn lines_below(folder: &Path) -> usize {
    let files = rust_files(folder);
    let count = |file: &std::path::PathBuf| fs::read_to_string(file).unwrap().lines().count();
    files.iter().map(count).sum()
}

/// All lines of benches, Python and shell included.
fn lines_of_benches(folder: &Path) -> usize {
    let mut lines = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines += lines_of_benches(&path);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            lines += fs::read_to_string(path).map_or(0, |text| text.lines().count());
        }
    }
    lines
}

/// Files of `src` in which at least five of the names of `enum Stop…` variants follow `name::`.
fn files_matching(name: &str, least: usize) -> Vec<String> {
    let prefix = format!("{name}::");
    let matching = sources().into_iter().filter_map(|source| {
        let mut variants: Vec<_> = source
            .text
            .lines()
            .filter(|line| line.contains("=>"))
            .flat_map(|line| line.split(&prefix).skip(1))
            .map(|rest| {
                rest.split(|c: char| !c.is_alphanumeric())
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        variants.sort();
        variants.dedup();
        (variants.len() >= least).then(|| source.file.display().to_string())
    });
    matching.collect()
}

#[test]
fn measures() {
    let lines = lines();
    let mut sizes: Vec<_> = functions(&lines)
        .iter()
        .map(|function| function.size)
        .collect();
    sizes.sort_unstable();
    let structs = structs(&lines);
    let fields = |item: &Item| item.size;
    let runner = structs
        .iter()
        .find(|item| item.name == "Runner")
        .map(fields);
    let wide = structs
        .iter()
        .filter(|item| item.size > 15 && !item.excused);
    let types = types(&lines);
    let double: Vec<_> = types
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .collect();
    let circles = circles(&Files::of(&lines).inner_imports(&lines));
    let (root, stop) = (root(), ["StopReason", "Ending"]);
    let stops: Vec<_> = stop
        .iter()
        .flat_map(|name| files_matching(name, 5))
        .collect();
    let all = ["src", "tests"].map(|folder| lines_below(&root.join(folder)));
    let all = all.iter().sum::<usize>() + lines_of_benches(&root.join("benches"));
    println!(
        "functions of src                      {}\n\
         length, median / p90 / longest        {} / {} / {}\n\
         fields of Runner                      {}\n\
         structs over 15 fields without why    {}\n\
         type names defined twice in src       {} {:?}\n\
         circles inside modules                {} {circles:?}\n\
         exhaustive matches on the stop reason {} {stops:?}\n\
         lines of src, tests and benches       {all}\n\
         lines of code of src                  {}",
        sizes.len(),
        percentile(&sizes, 50),
        percentile(&sizes, 90),
        sizes.last().unwrap(),
        runner.unwrap(),
        wide.count(),
        double.len(),
        double.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        circles.len(),
        stops.len(),
        lines.len(),
    );
}
