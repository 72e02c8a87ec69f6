//! The date is set and the machine is suspended; the remote's windows count as before.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use crate::scenario::{HOUR, RunResult, Scenario, secs};

const LIMITS: &str = "basic.minute=6,business.hour=40,business.day=100";

/// Jumps of the wall clock in milliseconds, each five minutes after the one before.
fn jumping(jumps: &'static [i64]) -> Scenario {
    let mut scenario = Scenario::new(150).limits(LIMITS).skewed();
    for (place, jump) in (1..).zip(jumps) {
        scenario = scenario.after(secs(300 * place), move |_, skew| {
            skew.wall.fetch_add(*jump, Relaxed);
        });
    }
    scenario
}

/// No window was exceeded (every run checks that), and no time was lost.
fn has_no_effect(result: &RunResult) {
    assert!(result.finished());
    let quiet = Scenario::new(150).limits(LIMITS).run();
    assert!(result.report.took <= quiet.report.took + secs(120));
    assert!(quiet.report.took <= result.report.took + secs(120));
}

const H: i64 = 3_600_000;

#[test]
fn a_date_set_forward_frees_no_quota() {
    has_no_effect(&jumping(&[2 * H, 24 * H, 31 * 24 * H]).run());
}

#[test]
fn a_date_set_back_neither_frees_quota_nor_holds_it() {
    has_no_effect(&jumping(&[-2 * H, -24 * H, -400 * 24 * H]).run());
}

#[test]
fn a_date_set_to_and_fro_changes_nothing() {
    has_no_effect(&jumping(&[H, -2 * H, 40 * H, -80 * H, 60_000, -1]).run());
}

#[test]
fn a_date_set_while_no_process_runs_frees_no_quota() {
    for jump in [26 * H, -26 * H] {
        let mut scenario = Scenario::new(150).limits(LIMITS).skewed();
        for place in 1..20 {
            scenario = scenario.after(secs(400 * place), move |_, skew| {
                skew.wall.fetch_add(jump / 20, Relaxed);
            });
        }
        let lives = std::iter::repeat_n(250_000, 60);
        let result = scenario.kill_after_millis(lives).run();
        assert!(result.kills > 50);
        assert!(result.finished());
    }
}

#[test]
fn suspended_time_counts() {
    let scenario = Scenario::new(150).limits(LIMITS).skewed();
    let mut scenario = scenario.after(secs(600), |_, skew| {
        skew.suspended.fetch_add(3 * H, Relaxed);
    });
    let result = scenario.run();
    assert!(result.finished());
    let quiet = Scenario::new(150).limits(LIMITS).run();
    // Two of the waits fall into the three hours of suspension.
    let took = result.report.took;
    assert!(took < quiet.report.took + 3 * HOUR, "{took:?}");
}

#[test]
fn ticket_that_ends_during_a_suspension_is_not_used() {
    let mut scenario = Scenario::new(400)
        .limits("basic.minute=10")
        .skewed()
        .after(secs(600), |_, skew| {
            skew.suspended.fetch_add(7 * 24 * H, Relaxed);
        })
        .stored_ticket();
    let result = scenario.run();
    assert!(result.finished());
    let with_ticket = scenario.sent_with_ticket();
    assert!((90..=130).contains(&with_ticket), "{with_ticket}");
    assert_eq!(result.times("ticket dead"), 0);
}

/// A job that has used its hour, on a machine that boots `down` later with its wall clock set wrong.
fn rebooted(down: Duration, wall_millis: i64) -> Scenario {
    let mut scenario = Scenario::new(150)
        .limits("none,business.hour=40")
        .skewed()
        .on_quota_exit();
    assert!(!scenario.run().finished());
    assert_eq!(scenario.sent(), 40);
    scenario.idle(down);
    scenario.reboot(wall_millis);
    scenario
}

/// A hardware clock in local time that is read as UTC.
#[test]
fn clock_eight_hours_ahead_at_boot_opens_nothing_early() {
    let mut scenario = rebooted(secs(600), 8 * H);
    let result = scenario.run();
    assert!(!result.finished());
    assert_eq!(scenario.sent(), 40, "the hour is still full");
    assert_eq!(result.times("clock 28800s ahead: true"), 1, "told once");
    // In the same boot, and after another, the remote's clock opens it.
    scenario.idle(secs(3100));
    scenario.run();
    assert_eq!(scenario.sent(), 80);
    scenario.reboot(-8 * H);
    scenario.idle(HOUR + secs(60));
    scenario.run();
    assert_eq!(scenario.sent(), 120);
}

#[test]
fn clock_a_day_behind_at_boot_holds_nothing_back() {
    let mut scenario = rebooted(2 * HOUR, -24 * H);
    scenario.run();
    assert_eq!(scenario.sent(), 80, "two hours have passed at the remote");
    // Nobody has answered since the last boot.
    scenario.sim().set_down(true);
    scenario.reboot(24 * H);
    let mut scenario = scenario.after(secs(900), |remote, _| remote.set_down(false));
    let result = scenario.run();
    assert!(!result.finished());
    assert_eq!(scenario.sent(), 80);
}

#[test]
fn run_gives_signs_of_life_in_an_outage() {
    let scenario = Scenario::new(300).limits("none,basic.minute=60");
    let scenario = scenario.after(secs(60), |remote, _| remote.set_down(true));
    let path = scenario.folder().join("idferry.ledger.db");
    let seen = std::rc::Rc::new(std::cell::Cell::new(0));
    let noted = std::rc::Rc::clone(&seen);
    let mut scenario = scenario.after(secs(900), move |remote, _| {
        let db = rusqlite::Connection::open(path).unwrap();
        let sql = "SELECT max(seen_at) FROM writers";
        let last: i64 = db.query_row(sql, [], |row| row.get(0)).unwrap();
        noted.set(remote.now().as_millis() - last);
        remote.set_down(false);
    });
    scenario.run();
    assert!((1..=90_000).contains(&seen.get()), "{seen:?}");
}

/// The remote's midnight is at 19:00 of this machine's clock.
#[test]
fn natural_day_ends_by_the_remotes_clock() {
    let mut scenario = Scenario::new(60)
        .starting_at("2026-11-22T12:00")
        .remote_limits("none,business.day=50")
        .our_limits("none,business.day=100".parse().unwrap())
        .configure(|setup| setup.remote.clock_ahead_millis = 5 * H);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("clock 18000s ahead: false"), 1, "told once");
    let (midnight, soon) = (
        crate::scenario::at("2026-11-22T19:00"),
        crate::scenario::at("2026-11-22T19:05"),
    );
    assert!(
        midnight < result.ended && result.ended < soon,
        "{}",
        result.ended
    );
}
