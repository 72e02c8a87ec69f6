//! Ctrl-C and SIGTERM.

use rustix::process::Signal;

use super::{
    desk::{Desk, lookups, prompt, simulator, unhurried},
    server::{Reply, Server},
};

#[test]
fn an_interrupt_drains_and_the_same_command_goes_on() {
    drains_and_goes_on(Signal::INT);
}

#[test]
fn a_termination_drains_and_the_same_command_goes_on() {
    drains_and_goes_on(Signal::TERM);
}

fn drains_and_goes_on(signal: Signal) {
    const SUBJECTS: u64 = 300;
    let simulator = simulator(unhurried());
    let desk = Desk::with_fans(SUBJECTS as usize);
    let command = "run fans.csv --ticket none --concurrency 4";
    let mut run = desk.idferry(command).at(&simulator).start();
    run.until("thirty calls", || lookups(&simulator).calls >= 30);
    run.signal(signal);
    run.done()
        .exits(130)
        .says("stopping: no new calls")
        .says("Interrupted: every answer is saved")
        .says("the same command goes on\n    idferry run fans.csv --ticket none --concurrency 4\n");
    // Every call that was answered is in the results: nothing in the air was dropped.
    let answered = lookups(&simulator).answered;
    assert!((30..SUBJECTS).contains(&answered), "{answered}");
    let left = SUBJECTS - answered;
    let results = desk.read("fans.links.csv");
    let queued = results.lines().filter(|line| line.ends_with(",queued,,"));
    assert_eq!(queued.count() as u64, left);

    desk.idferry(command).at(&simulator).done().exits(0);
    assert_eq!(lookups(&simulator).calls, SUBJECTS);
    assert!(!desk.read("fans.links.csv").contains("queued"));
}

#[test]
fn a_second_interrupt_leaves_at_once_and_loses_nothing_committed() {
    let answered = r#"{"errcode":0,"errmsg":"ok","external_userid_info":[]}"#;
    let server = Server::with_token("token", move |request| {
        let number = request.field("unionid")[6..].parse::<u32>().unwrap();
        match number {
            0..5 => Reply::Json(answered.to_owned()),
            _ => Reply::Hang,
        }
    });
    let desk = Desk::with_fans(20);
    let mut run = desk
        .idferry("run fans.csv --ticket none")
        .asking(server.base_url())
        .start();
    run.until("five answers on disk", || {
        let status = desk.idferry("status --json").done();
        status.out.contains(r#""unlinked":5"#)
    });
    run.signal(Signal::INT);
    run.says("once more to leave at once");
    run.signal(Signal::INT);
    run.done().exits(130);
    let export = desk.idferry("export --state unlinked -o -").done().exits(0);
    assert_eq!(export.out.lines().count(), 1 + 5);

    let simulator = simulator(prompt());
    desk.idferry("run fans.csv --ticket none")
        .env("WECOM_BASE_URL", simulator.base_url())
        .with_credentials_of(&simulator)
        .done()
        .exits(8);
    assert_eq!(lookups(&simulator).calls, 0);
}

#[test]
fn a_wait_for_the_quota_is_left_at_once() {
    let simulator = simulator(prompt());
    let desk = Desk::with_fans(20);
    let mut run = desk
        .idferry("run fans.csv --ticket none --quota business.hour=5 --margin 0")
        .at(&simulator)
        .start();
    run.says("waiting: business.hour is used up, goes on at ");
    run.signal(Signal::INT);
    run.done().exits(130).says("15 subjects left");
    assert_eq!(lookups(&simulator).calls, 5);
}
