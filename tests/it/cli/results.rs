//! Results that would be the same are left where they lie.

use std::os::unix::fs::MetadataExt;

use idferry::sim::Simulator;

use super::desk::{Desk, fans, prompt, simulator};

const RESULTS: &str = "fans.links.csv";

/// A finished run of 30, and which file its results are.
fn finished() -> (Desk, Simulator, u64) {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(30);
    desk.idferry("run fans.csv").at(&simulator).done().exits(0);
    let file = file(&desk);
    (desk, simulator, file)
}

/// Results are renamed into their place, so each that is written is another file.
fn file(desk: &Desk) -> u64 {
    std::fs::metadata(desk.path(RESULTS)).unwrap().ino()
}

#[test]
fn a_run_that_changes_nothing_leaves_them_alone() {
    let (desk, simulator, first) = finished();
    let lines = desk.read(RESULTS).lines().count() - 1;
    desk.idferry("run fans.csv")
        .at(&simulator)
        .done()
        .exits(0)
        .says(&format!("{RESULTS} ({lines} lines"));
    assert_eq!(file(&desk), first);
}

#[test]
fn what_somebody_else_has_touched_is_written_again() {
    let (desk, simulator, first) = finished();
    let whole = desk.read(RESULTS);
    desk.write(RESULTS, whole.replace("linked", "LINKED"));
    assert_eq!(file(&desk), first, "touched in place");
    desk.idferry("run fans.csv").at(&simulator).done().exits(0);
    assert_eq!(desk.read(RESULTS), whole);
    std::fs::remove_file(desk.path(RESULTS)).unwrap();
    desk.idferry("run fans.csv").at(&simulator).done().exits(0);
    assert_eq!(desk.read(RESULTS), whole);
}

#[test]
fn whatever_was_learned_is_written() {
    let (desk, simulator, first) = finished();
    let idferry = |line: &str| desk.idferry(line).at(&simulator).done().exits(0);
    // Nothing of this input is new, and its results go elsewhere.
    desk.write("some.csv", fans(10..20));
    idferry("run some.csv --output other.csv");
    idferry("run fans.csv");
    assert_eq!(file(&desk), first);
    // One more subject, asked or not.
    desk.write("more.csv", fans(29..31));
    desk.idferry("run more.csv --budget 0 --output fans.links.csv")
        .at(&simulator)
        .done()
        .exits(75);
    let queued = file(&desk);
    assert_ne!(queued, first);
    assert!(desk.read(RESULTS).contains("queued"));
    idferry("run fans.csv");
    let asked = file(&desk);
    assert_ne!(asked, queued);
    // And one that is asked a second time.
    idferry("retry --outcome unlinked");
    idferry("run fans.csv");
    assert_ne!(file(&desk), asked);
}
