//! Lines that are no subjects: told at every run, counted once, never lost.

use super::test_dir::{TestDir, fans, gzip, ids, lookups, prompt, simulator};

fn with_bad_lines(numbers: std::ops::Range<usize>, bad: &str) -> String {
    fans(numbers) + &format!("{bad},\n")
}

#[test]
fn a_later_input_that_fails_costs_no_reject_of_an_earlier_one() {
    let dir = TestDir::new();
    dir.write("a.csv", with_bad_lines(0..5, "lonely-a"));
    dir.write("b.csv", with_bad_lines(5..9, "lonely-b"));
    dir.write("bad.csv", "name,age\nx,1\n");
    dir.idferry("run a.csv bad.csv --budget 0")
        .exits(2)
        .says("bad.csv has no column");
    let told = dir.read("a.rejects.csv");
    let reason = "unionid,has 8 characters; ids have 16 to 64";
    let line = format!("\na.csv,7,{reason},lonely-a,,\n");
    assert!(told.contains(&line), "{told}");
    dir.idferry("run a.csv b.csv --budget 0").exits(75);
    let both = dir.read("a.rejects.csv");
    assert!(both.starts_with(&told), "{both}");
    let line = format!("\nb.csv,6,{reason},lonely-b,,\n");
    assert!(both.contains(&line), "{both}");
    assert_eq!(dir.mode("a.rejects.csv"), 0o600);

    // The job file has them, without the rejects file.
    std::fs::remove_file(dir.path("a.rejects.csv")).unwrap();
    dir.idferry("run --budget 0").exits(75);
    assert_eq!(dir.read("a.rejects.csv"), both);
    dir.idferry("run a.csv b.csv --budget 0").exits(75);
    assert_eq!(dir.read("a.rejects.csv"), both);
}

#[test]
fn a_second_run_says_why_it_is_no_success() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    dir.write("a.csv", with_bad_lines(0..5, "lonely"));
    for _ in 0..2 {
        dir.idferry("run a.csv")
            .at(&simulator)
            .exits(3)
            .says("Finished, but 1 input line invalid. (exit 3)")
            .says("rejects   a.rejects.csv (1 invalid line)");
    }
    assert_eq!(lookups(&simulator).calls, 5);
}

#[test]
fn lines_that_were_mended_and_given_back_count_no_more() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    dir.write("a.csv", fans(0..5) + "lonely-a,\nlonely-b,\n");
    let run = |input: &str| dir.idferry(&format!("run {input}")).at(&simulator);
    run("a.csv").exits(3);
    let mend = |bad: &str, number| {
        let (unionid, openid) = ids(number);
        let rejects = dir.read("a.rejects.csv");
        dir.write(
            "a.rejects.csv",
            rejects.replace(&format!("{bad},,"), &format!("{unionid},{openid},")),
        );
    };
    mend("lonely-a", 6);
    let plan = dir.idferry("plan a.rejects.csv --json").exits(0).json();
    assert_eq!(plan["rejected"], 1, "{plan}");
    run("a.rejects.csv").exits(3).says("1 input line invalid");
    mend("lonely-b", 7);
    run("a.rejects.csv").exits(0);
    run("a.csv").exits(0);
    assert_eq!(lookups(&simulator).calls, 7);

    // What is wrong on the same line for another reason is not what was mended.
    dir.write("a.csv", fans(0..5) + &format!("{},\n", ids(8).0));
    run("a.csv").exits(3);
    mend(&ids(8).0, 8);
    let other = dir
        .read("a.rejects.csv")
        .replace("openid,is empty", "unionid,is empty");
    dir.write("a.rejects.csv", other);
    run("a.rejects.csv").exits(3);
}

#[test]
fn a_source_that_broke_off_and_is_read_again_counts_once() {
    let dir = TestDir::new();
    let whole = gzip(&fans(0..5_000).replace("unionid,openid\n", "unionid,openid\nlonely,\n"));
    dir.write("fans.csv.gz", &whole[..whole.len() / 2]);
    let mut torn = String::new();
    for _ in 0..2 {
        dir.idferry("run fans.csv.gz --budget 0").exits(2);
        torn = dir.read("fans.rejects.csv");
        assert_eq!(torn.matches("lonely").count(), 1, "{torn}");
    }
    dir.write("fans.csv.gz", &whole);
    dir.idferry("run fans.csv.gz --budget 0")
        .exits(75)
        .says("rejects   fans.rejects.csv (1 invalid line)");
    assert_eq!(dir.read("fans.rejects.csv"), torn);
    let plan = dir.idferry("plan --json").exits(0).json();
    assert_eq!(plan["lines"], 5_001, "{plan}");
    assert_eq!(plan["rejected"], 1);
    assert_eq!(plan["subjects"], 5_000);
}

#[test]
fn impossible_output_is_reported_before_any_call() {
    let simulator = simulator(prompt());
    let dir = TestDir::new();
    dir.write("a.csv", with_bad_lines(0..5, "lonely"));
    dir.idferry("run a.csv --rejects nowhere/a.csv")
        .at(&simulator)
        .exits(2)
        .says("cannot write the rejects to nowhere/a.csv")
        .says("--rejects");
    assert_eq!(lookups(&simulator).calls, 0);
    dir.idferry("run a.csv").at(&simulator).exits(3);
    assert!(dir.read("a.rejects.csv").contains("lonely"));
}
