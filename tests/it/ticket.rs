//! The one ticket a corp ever gets.

use std::time::Duration;

use idferry::{
    gate::HoldReason,
    model::State,
    runner::event::StopReason,
    secret::Secret,
    sim::{Forced, Remote},
    wecom::wire,
};

use crate::{
    ear::Back,
    world::{DAY, HOUR, World, secs},
};

const TIGHT: &str = "basic.minute=600,business.hour=50,business.day=100,business.month=120";

fn ticketed(world: &World) -> usize {
    world.heap().lookups().filter(|call| call.ticketed).count()
}

#[test]
fn with_a_ticket_the_business_windows_do_not_bind() {
    let mut world = World::new(1_000).limits(TIGHT).ticket();
    let told = world.run();
    assert!(told.finished());
    assert!(told.took < secs(300), "{:?}", told.took);
    assert_eq!(ticketed(&world), 1_000);
    assert_eq!(told.lookups().windows["business.month"].peak, 0);
    assert_eq!(told.lookups().windows["basic.minute"].peak, 600);
}

#[test]
fn it_is_applied_for_once_and_kept_over_every_death() {
    let mut world = World::new(300).limits(TIGHT).ticket().dying_every(1);
    let told = world.run();
    assert!(told.finished());
    assert!(told.kills > 50, "{}", told.kills);
    assert_eq!(told.stats.ticket_applications, 1);
    assert_eq!(ticketed(&world), world.heap().lookups().count());
}

#[test]
fn it_is_applied_for_once_wherever_the_process_dies() {
    // Every 10 ms of the time in which token and ticket are fetched, and a while after.
    for death in (0..500).step_by(10) {
        let mut world = World::new(30)
            .limits(TIGHT)
            .ticket()
            .on_quota_exit()
            .dying_after_millis([death]);
        let told = world.run();
        assert!(told.stats.ticket_applications <= 1);
        assert!(told.finished());
        assert_eq!(world.heap().of(wire::APPLY_MASS_CALL_TICKET), 1);
    }
}

#[test]
fn a_ticket_serves_later_runs_too() {
    let mut world = World::new(300).limits(TIGHT).ticket().stopping_after(100);
    world.run();
    world.rests(DAY);
    world.play.ticket = false;
    let told = world.run();
    assert!(told.finished());
    assert_eq!(ticketed(&world), 300);
    assert_eq!(told.stats.ticket_applications, 1);
}

#[test]
fn it_is_laid_down_an_hour_before_its_seven_days_end() {
    let mut world = World::new(120)
        .limits("none,basic.hour=1,business.hour=1,business.day=100,business.month=100")
        .ticket()
        .play(|play| play.remote.limits = idferry::model::Limits::none());
    world.subjects = 200;
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.times("ticket dead"), 0, "laid down, not found dead");
    let start = world.play.start;
    let heap = world.heap();
    let last = heap.lookups().filter(|call| call.ticketed).last().unwrap();
    let first = heap.lookups().find(|call| !call.ticketed).unwrap();
    assert!(last.sent < start.plus(7 * DAY - HOUR + secs(1)));
    assert!(last.sent > start.plus(7 * DAY - 3 * HOUR));
    assert!(first.sent >= start.plus(7 * DAY - HOUR));
}

/// Puts a ticket in custody that the remote never gave out.
fn forged(subjects: u64) -> World {
    let mut world = World::new(subjects).limits(TIGHT);
    let now = world.now();
    let store = world.store();
    store.record_application(now).unwrap();
    let ticket = Secret::new("forged-0123456789-0123456789".to_owned());
    store.save_ticket(&ticket, now.plus(7 * DAY)).unwrap();
    drop(store);
    world
}

#[test]
fn a_ticket_that_does_not_work_is_found_out_and_buried_and_nobody_is_harmed() {
    let mut world = forged(80).on_quota_exit();
    let told = world.run();
    assert_eq!(told.times("ticket dead"), 1);
    match &told.report.ending {
        StopReason::Quota(waiting) => assert!(matches!(waiting.reason, HoldReason::Window(_))),
        other => panic!("business windows apply: {other:?}"),
    }
    // Only those that were in the air together were refused, and each was asked again.
    assert!(ticketed(&world) <= 64, "{}", ticketed(&world));
    assert_eq!(told.of(State::Parked), 0);
    // They count in the business windows as well: the remote may have thought so.
    let answered = told.of(State::Linked) + told.of(State::Unlinked);
    assert_eq!(answered as usize + ticketed(&world), 50);

    // It stays dead in the next run, and is not applied for again.
    let sent = ticketed(&world);
    world.play.ticket = true;
    world.rests(HOUR + secs(60));
    world.run();
    assert_eq!(ticketed(&world), sent);
    assert_eq!(world.heap().of(wire::APPLY_MASS_CALL_TICKET), 0);
}

#[test]
fn a_ticket_that_expired_unseen_is_found_out_too() {
    // The state file believes it to be younger than it is.
    let mut world = World::new(60).limits(TIGHT).ticket().stopping_after(10);
    world.run();
    world.rests(8 * DAY);
    let now = world.now();
    let db = rusqlite::Connection::open(world.state()).unwrap();
    db.execute("UPDATE tickets SET applied_at = ?1", [now.as_millis()])
        .unwrap();
    drop(db);
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.times("ticket dead"), 1);
    assert_eq!(told.of(State::Parked), 0);
}

#[test]
fn a_dead_ticket_is_found_out_even_when_the_process_dies_all_the_time() {
    let mut world = forged(45).dying_every(1);
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Parked), 0);
    assert!(world.reader().ticket_expires().unwrap().is_none());
}

/// The first subjects of a world, as the results name them.
pub(crate) fn unionids(subjects: u64, first: usize) -> Vec<String> {
    let mut world = World::new(subjects);
    drop(world.store());
    let mut unionids = Vec::new();
    let each = |answer: &idferry::store::Answer| {
        unionids.push(answer.unionid.clone());
        Ok::<(), idferry::store::StoreError>(())
    };
    world.reader().answers(each).unwrap();
    unionids.truncate(first);
    unionids
}

fn force(remote: &mut Remote, unionids: &[String], errcode: i64) {
    for unionid in unionids {
        remote.force(unionid, Some(errcode));
    }
}

#[test]
fn a_code_nobody_knows_that_is_the_subject_s_own_parks_it_and_leaves_the_ticket_alive() {
    let odd = unionids(300, 3);
    let odds = odd.clone();
    let mut world = World::new(300)
        .limits(TIGHT)
        .ticket()
        .remote(move |remote| force(remote, &odds, 123_456));
    let told = world.run();
    assert!(told.finished());
    assert_eq!(told.of(State::Parked), 3);
    assert_eq!(told.times("ticket dead"), 0);
    let heap = world.heap();
    for unionid in odd {
        let asked: Vec<_> = heap
            .lookups()
            .filter(|call| call.who.starts_with(&unionid))
            .map(|call| (call.ticketed, call.back))
            .collect();
        let code = Back::Errcode(123_456);
        assert_eq!(
            asked,
            [(true, code), (false, code)],
            "once with, once without"
        );
    }
    assert_eq!(heap.lookups().filter(|call| !call.ticketed).count(), 3);
}

#[test]
fn a_suspicion_does_not_wait_for_a_business_window_while_the_ticket_works() {
    let odd = unionids(200, 60)[59..].to_vec();
    let mut world = World::new(200).limits(TIGHT).stopping_after(50);
    // The hour is used up without a ticket; then there is one.
    world.run();
    world.play.ticket = true;
    force(&mut world.sim(), &odd, 123_456);
    let told = world.run();
    assert!(told.finished());
    assert!(told.took < secs(600), "{:?}", told.took);
    assert_eq!(told.times("ticket dead"), 0);
}

#[test]
fn a_suspect_that_must_be_asked_again_is_given_the_same_pause_as_others() {
    let mut paused = Duration::ZERO;
    for seed in 0..5 {
        let mut world = World::new(100)
            .seed(seed)
            .ticket()
            .latency_millis(20, 20)
            .concurrency(1)
            .remote(|remote| {
                let unknown = Forced::Errcode(123_456);
                remote.script([unknown, Forced::Errcode(-1), Forced::Errcode(45_033)]);
            });
        let told = world.run();
        assert!(told.finished());
        assert_eq!(told.of(State::Parked), 0);
        assert_eq!(told.times("ticket dead"), 1, "{:?}", told.events);
        let heap = world.heap();
        let who = &heap.lookups().next().unwrap().who;
        let asked: Vec<_> = heap.lookups().filter(|call| call.who == *who).collect();
        assert_eq!(asked.len(), 4);
        assert_eq!(
            asked[3].sent,
            heap.lookups().nth(3).unwrap().sent,
            "others wait"
        );
        let pause = asked[3].sent.since(asked[2].landed.unwrap());
        assert!(pause >= Duration::from_millis(200), "{pause:?}");
        paused += asked[2].sent.since(asked[1].landed.unwrap());
    }
    // Full jitter, up to a second each.
    assert!(paused > secs(1), "{paused:?}");
}

#[test]
fn the_ticket_lies_in_the_state_file_and_no_other_secret_does() {
    let mut world = World::new(300).ticket();
    drop(world.store());
    // A reader beside it keeps the write-ahead log from being cleared away.
    let reader = world.reader();
    reader.tally().unwrap();
    world.run();
    let read = |name: &str| std::fs::read(world.folder().join(name)).unwrap();
    let (db, log) = (read("idferry.db"), read("idferry.db-wal"));
    assert!(!log.is_empty());
    let ticket = world.heap().tickets.first().unwrap().clone();
    assert!(crate::invariants::holds(&db, &ticket) || crate::invariants::holds(&log, &ticket));
    // That neither holds a token or the corp secret, every run checks; here both are there.
    assert!(!world.heap().secrets.is_empty());
    drop(reader);
}
