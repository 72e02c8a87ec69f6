//! A state file that another process holds.

use idferry::sim::{Fault, Forced};

use super::test_dir::{TestDir, fans, lookups, prompt, simulator};

#[test]
fn second_writer_learns_the_holder_and_readers_get_in() {
    let simulator = simulator(prompt());
    let answered = std::iter::repeat_n(Forced::Pass, 5);
    let hung = std::iter::repeat_n(Forced::Fault(Fault::Hang), 100);
    simulator.with(|remote| remote.script(answered.chain(hung)));
    let dir = TestDir::with_fans(20);
    let command = "run fans.csv --ticket none";
    let mut run = dir.idferry(command).at(&simulator).start();
    run.until("a hung call", || lookups(&simulator).calls > 5);
    run.until("five answers on disk", || {
        let status = dir.idferry("status").output();
        status.out.contains("queued              15")
    });

    let pid = format!("pid {}, since 20", run.pid());
    let second = dir.idferry(command).at(&simulator).output();
    second
        .exits(9)
        .says(&pid)
        .says("another process holds the state file idferry.db");
    dir.idferry("retry --outcome linked")
        .output()
        .exits(9)
        .says(&pid);
    dir.write("more.csv", fans(20..30));
    dir.idferry("run more.csv --budget 0").output().exits(9);

    let status = dir.idferry("status").output().exits(0).out;
    assert!(status.contains(&format!("Running: pid {}, since", run.pid())));
    let status = dir.idferry("status --json").output().exits(0).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["running"], true);
    assert_eq!(status["run"]["pid"], run.pid());
    let export = dir.idferry("export -o -").output().exits(0).out;
    assert_eq!(export.matches(",queued,,").count(), 15);

    run.kill().was_killed();
    let status = dir.idferry("status").output().exits(0).out;
    assert!(status.contains("Broke off: the run of "), "{status}");
    // The lock has died with its holder.
    dir.idferry("retry --outcome linked").output().exits(0);
}
