//! Lines that are no subjects: told at every run, counted once, never lost.

use std::io::Write;

use super::desk::{Desk, fans, lookups, prompt, simulator};

fn with_bad_lines(numbers: std::ops::Range<usize>, bad: &str) -> String {
    fans(numbers) + &format!("{bad},\n")
}

#[test]
fn a_later_input_that_fails_costs_no_reject_of_an_earlier_one() {
    let desk = Desk::new();
    desk.write("a.csv", with_bad_lines(0..5, "lonely-a"));
    desk.write("b.csv", with_bad_lines(5..9, "lonely-b"));
    desk.write("bad.csv", "name,age\nx,1\n");
    desk.idferry("run a.csv bad.csv --budget 0")
        .done()
        .exits(2)
        .says("bad.csv has no column");
    let told = desk.read("a.rejects.csv");
    assert!(
        told.contains("\na.csv,7,unionid,has 8 characters; ids have 16 to 64,lonely-a,\n"),
        "{told}"
    );
    desk.idferry("run a.csv b.csv --budget 0").done().exits(75);
    let both = desk.read("a.rejects.csv");
    assert!(both.starts_with(&told), "{both}");
    assert!(
        both.contains("\nb.csv,6,unionid,has 8 characters; ids have 16 to 64,lonely-b,\n"),
        "{both}"
    );
    assert_eq!(desk.mode("a.rejects.csv"), 0o600);

    // The state file knows them, whatever became of the file.
    std::fs::remove_file(desk.path("a.rejects.csv")).unwrap();
    desk.idferry("run --budget 0").done().exits(75);
    assert_eq!(desk.read("a.rejects.csv"), both);
    desk.idferry("run a.csv b.csv --budget 0").done().exits(75);
    assert_eq!(desk.read("a.rejects.csv"), both);
}

#[test]
fn a_second_run_says_why_it_is_no_success() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    desk.write("a.csv", with_bad_lines(0..5, "lonely"));
    for _ in 0..2 {
        desk.idferry("run a.csv")
            .at(&simulator)
            .done()
            .exits(3)
            .says("Finished, but 1 input line invalid. (exit 3)")
            .says("rejects   a.rejects.csv (1 invalid line)");
    }
    assert_eq!(lookups(&simulator).calls, 5);
}

#[test]
fn a_source_that_broke_off_and_is_read_again_counts_once() {
    let desk = Desk::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let bad = "unionid,openid\nlonely,\n".to_owned();
    let rows = fans(0..5_000).replace("unionid,openid\n", &bad);
    gzip.write_all(rows.as_bytes()).unwrap();
    let whole = gzip.finish().unwrap();
    desk.write("fans.csv.gz", &whole[..whole.len() / 2]);
    let mut torn = String::new();
    for _ in 0..2 {
        desk.idferry("run fans.csv.gz --budget 0").done().exits(2);
        torn = desk.read("fans.rejects.csv");
        assert_eq!(torn.matches("lonely").count(), 1, "{torn}");
    }
    desk.write("fans.csv.gz", &whole);
    desk.idferry("run fans.csv.gz --budget 0")
        .done()
        .exits(75)
        .says("rejects   fans.rejects.csv (1 invalid line)");
    assert_eq!(desk.read("fans.rejects.csv"), torn);
    let plan = desk.idferry("plan --json").done().exits(0).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["lines"], 5_001, "{plan}");
    assert_eq!(plan["rejected"], 1);
    assert_eq!(plan["subjects"], 5_000);
}

#[test]
fn a_place_where_they_cannot_be_is_told_before_anything_is_sent() {
    let simulator = simulator(prompt());
    let desk = Desk::new();
    desk.write("a.csv", with_bad_lines(0..5, "lonely"));
    desk.idferry("run a.csv --rejects nowhere/a.csv")
        .at(&simulator)
        .done()
        .exits(2)
        .says("cannot write the rejects to nowhere/a.csv")
        .says("--rejects");
    assert_eq!(lookups(&simulator).calls, 0);
    // They wait in the state file.
    desk.idferry("run a.csv").at(&simulator).done().exits(3);
    assert!(desk.read("a.rejects.csv").contains("lonely"));
}
