//! `--contract`: an input that shrank or is broken is refused before it costs a call.

use super::test_dir::{TestDir, fans, gzip, ids};

#[test]
fn contract_compares_with_what_the_last_import_was_then() {
    let dir = TestDir::with_fans(20);
    dir.write(
        "rules",
        "new >= 0.5 x last\nrejected <= 1 x last\nrejected < 40 %\n",
    );
    let run = |input: &str| dir.idferry(&format!("run {input} --budget 0 --contract rules"));
    run("fans.csv").exits(75);
    // 10 new, after 20 of the same name; 2 lines that cannot be subjects.
    dir.write("fans.csv", fans(0..30) + "bad,\nworse,\n");
    dir.idferry("run fans.csv --budget 0").exits(75);
    // Lines that are mended one after the other are no input that shrank.
    let (unionid, openid) = ids(40);
    let rejects = dir.read("fans.rejects.csv");
    dir.write(
        "fans.rejects.csv",
        rejects.replace("bad,,", &format!("{unionid},{openid},")),
    );
    run("fans.rejects.csv").exits(75);
    // 5 new of 10, and 2 invalid lines again.
    dir.write("fans.csv", fans(0..35) + "bad,\nworse,\n");
    run("fans.csv").exits(75);
    dir.write("fans.csv", fans(0..37) + "bad,\n");
    run("fans.csv")
        .exits(2)
        .says("2 new, 40.0 % of the 5 of fans.csv");
}

#[test]
fn input_that_does_not_meet_the_contract_is_refused_whole() {
    let dir = TestDir::with_fans(20);
    dir.write("rules", "rows >= 0.8 x last\nrejected < 10 %\n");
    let run = |more: &str| dir.idferry(&format!("run fans.csv --budget 0 {more}"));
    run("--contract rules").exits(75);
    let counts = || {
        let plan = dir.idferry("plan --json").exits(0).json();
        ["lines", "rejected", "subjects", "calls"].map(|count| plan[count].clone())
    };
    let before = counts();

    dir.write("fans.csv", fans(5..20) + "bad,\nbad,\n");
    run("--contract rules")
        .exits(2)
        .says("'rejected < 10 %' is not met: 2 rejected, 11.8 % of 17 rows")
        .says("Nothing of it was kept and nothing was sent; correct the file, or the rule in --contract or [contract]");
    dir.write("fans.csv", fans(5..20));
    dir.write("idferry.toml", "[contract]\nrows = \">= 0.8 x last\"\n");
    run("")
        .exits(2)
        .says("15 rows, 75.0 % of the 20 of fans.csv");
    let whole = gzip(&fans(0..5_000));
    dir.write("fans.csv.gz", &whole[..whole.len() / 2]);
    dir.idferry("run fans.csv.gz --budget 0")
        .exits(2)
        .says("does not meet the contract");
    assert_eq!(counts(), before);
    assert!(!dir.names().contains(&"fans.rejects.csv".to_owned()));

    dir.write("idferry.toml", "[contract]\nrows = \">= a lot\"\n");
    run("")
        .exits(2)
        .says("[contract] in the configuration file: 'rows >= a lot' is no rule");
}
