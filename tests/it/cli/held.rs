//! A state file that another process holds.

use idferry::sim::{Fault, Forced};

use super::desk::{Desk, fans, lookups, prompt, simulator};

#[test]
fn a_second_writer_is_told_who_holds_the_state_and_readers_are_let_in() {
    let simulator = simulator(prompt());
    let answered = std::iter::repeat_n(Forced::Pass, 5);
    let hung = std::iter::repeat_n(Forced::Fault(Fault::Hang), 100);
    simulator.with(|remote| remote.script(answered.chain(hung)));
    let desk = Desk::with_fans(20);
    let command = "run fans.csv --ticket none";
    let mut run = desk.idferry(command).at(&simulator).start();
    run.until("a hung call", || lookups(&simulator).calls > 5);
    run.until("five answers on disk", || {
        let status = desk.idferry("status").done();
        status.out.contains("queued              15")
    });

    let pid = format!("pid {}, since 20", run.pid());
    let second = desk.idferry(command).at(&simulator).done();
    second
        .exits(9)
        .says(&pid)
        .says("another process holds the state file idferry.db");
    desk.idferry("retry --outcome linked")
        .done()
        .exits(9)
        .says(&pid);
    desk.write("more.csv", fans(20..30));
    desk.idferry("run more.csv --budget 0").done().exits(9);

    let status = desk.idferry("status").done().exits(0).out;
    assert!(status.contains(&format!("Running: pid {}, since", run.pid())));
    let status = desk.idferry("status --json").done().exits(0).out;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["running"], true);
    assert_eq!(status["run"]["pid"], run.pid());
    let export = desk.idferry("export -o -").done().exits(0).out;
    assert_eq!(export.matches(",queued,,").count(), 15);

    run.kill().was_killed();
    let status = desk.idferry("status").done().exits(0).out;
    assert!(status.contains("Broke off: the run of "), "{status}");
    // The lock has died with its holder.
    desk.idferry("retry --outcome linked").done().exits(0);
}
