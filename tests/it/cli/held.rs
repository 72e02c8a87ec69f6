//! A job file that another process holds.

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
        dir.status()["subjects"]["queued"] == 15
    });

    let pid = format!("pid {}, since 20", run.pid());
    let second = dir.idferry(command).at(&simulator).output();
    second
        .exits(9)
        .says(&pid)
        .says("another process holds the job file idferry.db")
        .says("; it has everything answered about ");
    dir.idferry("retry --outcome linked --yes")
        .exits(9)
        .says(&pid);
    dir.write("more.csv", fans(20..30));
    dir.idferry("run more.csv --budget 0").exits(9);

    let running = format!("Running: pid {}, since", run.pid());
    dir.idferry("status").exits(0).prints(&running);
    let status = dir.status();
    assert_eq!(status["running"], true);
    assert_eq!(status["run"]["pid"], run.pid());
    let export = dir.idferry("export -o -").exits(0).out;
    assert_eq!(export.matches(",queued,,").count(), 15);

    run.kill().was_killed();
    let status = dir.idferry("status").exits(0);
    status.prints("Broke off: the run of ");
    // The lock ends with its holder.
    dir.idferry("retry --outcome linked --yes").exits(0);
}
