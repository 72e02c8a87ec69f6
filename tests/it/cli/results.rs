//! Results that would be the same are left where they lie.

use std::os::unix::fs::MetadataExt;

use idferry::sim::Simulator;

use super::test_dir::{TestDir, fans};

const RESULTS: &str = "fans.links.csv";

/// A finished run of 30, and which file its results are.
fn finished() -> (TestDir, Simulator, u64) {
    let (dir, simulator) = TestDir::with_simulator(30);
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    let file = file(&dir);
    (dir, simulator, file)
}

/// Results are renamed into their place, so each that is written is another file.
fn file(dir: &TestDir) -> u64 {
    std::fs::metadata(dir.path(RESULTS)).unwrap().ino()
}

#[test]
fn a_run_that_changes_nothing_leaves_them_alone() {
    let (dir, simulator, first) = finished();
    let lines = dir.read(RESULTS).lines().count() - 1;
    dir.idferry("run fans.csv")
        .at(&simulator)
        .exits(0)
        .says(&format!("{RESULTS} ({lines} lines"));
    assert_eq!(file(&dir), first);
}

#[test]
fn results_that_were_changed_are_written_again() {
    let (dir, simulator, first) = finished();
    let whole = dir.read(RESULTS);
    dir.write(RESULTS, whole.replace("linked", "LINKED"));
    assert_eq!(file(&dir), first, "touched in place");
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    assert_eq!(dir.read(RESULTS), whole);
    std::fs::remove_file(dir.path(RESULTS)).unwrap();
    dir.idferry("run fans.csv").at(&simulator).exits(0);
    assert_eq!(dir.read(RESULTS), whole);
}

#[test]
fn whatever_was_learned_is_written() {
    let (dir, simulator, first) = finished();
    let idferry = |line: &str| dir.idferry(line).at(&simulator).exits(0);
    // Nothing of this input is new, and its results go elsewhere.
    dir.write("some.csv", fans(10..20));
    idferry("run some.csv --output other.csv");
    idferry("run fans.csv");
    assert_eq!(file(&dir), first);
    // One more subject, asked or not.
    dir.write("more.csv", fans(29..31));
    dir.idferry("run more.csv --budget 0 --output fans.links.csv")
        .at(&simulator)
        .exits(75);
    let queued = file(&dir);
    assert_ne!(queued, first);
    assert!(dir.read(RESULTS).contains("queued"));
    idferry("run fans.csv");
    let asked = file(&dir);
    assert_ne!(asked, queued);
    // And one that is asked a second time.
    idferry("retry --outcome unlinked --yes");
    idferry("run fans.csv");
    assert_ne!(file(&dir), asked);
}
