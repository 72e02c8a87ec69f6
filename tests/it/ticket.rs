//! The one ticket a corp ever gets.

use std::time::Duration;

use idferry::{
    job::{Steering, TicketPolicy},
    ledger::Tickets,
    model::State,
    quota::HoldReason,
    runner::event::StopReason,
    secret::Secret,
    sim::{Fault, Forced, SimulatedRemote},
    store::Wish,
    wecom::wire,
};

use crate::scenario::{DAY, HOUR, RecordedCall, Reply, RunResult, Scenario, contains_secret, secs};

const TIGHT: &str = "basic.minute=600,business.hour=50,business.day=100,business.month=120";

#[test]
fn with_a_ticket_the_business_windows_do_not_bind() {
    let mut scenario = Scenario::new(1_000).limits(TIGHT).stored_ticket();
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.took < secs(300), "{:?}", result.took);
    assert_eq!(scenario.sent_with_ticket(), 1_000);
    assert_eq!(result.lookups().windows["business.month"].peak, 0);
    assert_eq!(result.lookups().windows["basic.minute"].peak, 600);
}

#[test]
fn it_is_applied_for_once_and_kept_over_every_kill() {
    let mut scenario = Scenario::new(300).limits(TIGHT).ticket().kill_every(1);
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.kills > 50, "{}", result.kills);
    assert!(result.took < secs(600), "{:?}", result.took);
    assert_eq!(result.stats.ticket_applications, 1);
    assert!(scenario.sent() - scenario.sent_with_ticket() <= 50);
}

#[test]
fn it_is_applied_for_once_wherever_the_process_is_killed() {
    // Every 40 ms of the time in which the ticket is applied for, and some before and after.
    let mut spent = 0;
    for millis in (1800..3600).step_by(40) {
        let mut scenario = Scenario::new(110)
            .limits(TIGHT)
            .ticket()
            .on_quota_exit()
            .kill_after_millis([millis]);
        let result = scenario.run();
        assert!(result.stats.ticket_applications <= 1);
        assert_eq!(scenario.call_log().of(wire::APPLY_MASS_CALL_TICKET), 1);
        // Killed before the reply came: without it, and told so.
        let is_spent = told_spent(&result);
        assert_eq!(is_spent, scenario.sent_with_ticket() == 0);
        assert_eq!(result.finished(), !is_spent);
        spent += u32::from(is_spent);
    }
    assert!((1..30).contains(&spent), "{spent}");
}

#[test]
fn a_ticket_serves_later_runs_too() {
    let mut scenario = Scenario::new(300)
        .limits(TIGHT)
        .ticket()
        .stopping_after(100);
    scenario.run();
    scenario.idle(DAY);
    scenario.setup.ticket = TicketPolicy::Stored;
    let result = scenario.run();
    assert!(result.finished());
    assert!(scenario.sent_with_ticket() >= 250);
    assert_eq!(result.stats.ticket_applications, 1);
}

#[test]
fn it_is_laid_down_an_hour_before_its_seven_days_end() {
    let mut scenario = Scenario::new(120)
        .limits("none,basic.hour=1,business.hour=1,business.day=100,business.month=100")
        .configure(|setup| setup.remote.limits = idferry::model::Limits::none())
        .stored_ticket();
    scenario.subjects = 200;
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("ticket dead"), 0, "laid down, not found dead");
    let start = scenario.setup.start;
    let call_log = scenario.call_log();
    let last = call_log.lookups().filter(|call| call.with_ticket).last();
    let last = last.unwrap();
    let first = call_log.lookups().find(|call| !call.with_ticket).unwrap();
    assert!(last.sent < start.plus(7 * DAY - HOUR + secs(1)));
    assert!(last.sent > start.plus(7 * DAY - 3 * HOUR));
    assert!(first.sent >= start.plus(7 * DAY - HOUR));
}

/// Stores a ticket that the remote did not issue.
fn forged(subjects: u64) -> Scenario {
    let mut scenario = Scenario::new(subjects).limits(TIGHT);
    let now = scenario.now();
    drop(scenario.store());
    scenario.start();
    let corp = scenario.sim().corp_id().to_owned();
    let ledger = scenario.ledger();
    let ticket = Secret::new("forged-0123456789-0123456789".to_owned());
    let tickets = Tickets::of(&ledger, &corp);
    tickets.import(&ticket, now, 7 * DAY).unwrap();
    scenario
}

#[test]
fn dead_ticket_is_found_and_harms_no_subject() {
    let mut scenario = forged(80).on_quota_exit();
    let result = scenario.run();
    assert_eq!(result.times("ticket dead"), 1);
    match &result.report.reason {
        StopReason::Quota(waiting) => assert!(matches!(waiting.reason, HoldReason::Window(_))),
        other => panic!("business windows apply: {other:?}"),
    }
    // Only calls in flight together were refused, and each was repeated.
    assert!(
        scenario.sent_with_ticket() <= 64,
        "{}",
        scenario.sent_with_ticket()
    );
    assert_eq!(result.of(State::Parked), 0);
    // They count in the business windows as well: the remote may have thought so.
    let answered = result.of(State::Linked) + result.of(State::Unlinked);
    assert_eq!(answered as usize + scenario.sent_with_ticket(), 50);

    // It stays dead in the next run, and is not applied for again.
    let sent = scenario.sent_with_ticket();
    scenario.setup.ticket = TicketPolicy::Apply;
    scenario.idle(HOUR + secs(60));
    scenario.run();
    assert_eq!(scenario.sent_with_ticket(), sent);
    assert_eq!(scenario.call_log().of(wire::APPLY_MASS_CALL_TICKET), 0);
}

#[test]
fn a_ticket_that_expired_unseen_is_found_out_too() {
    // By the job file it is younger than it is.
    let mut scenario = Scenario::new(60)
        .limits(TIGHT)
        .stopping_after(10)
        .stored_ticket();
    scenario.run();
    scenario.idle(8 * DAY);
    let now = scenario.now();
    let db = rusqlite::Connection::open(scenario.ledger().path()).unwrap();
    db.execute("UPDATE tickets SET obtained_at = ?1", [now.as_millis()])
        .unwrap();
    drop(db);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("ticket dead"), 1);
    assert_eq!(result.of(State::Parked), 0);
}

#[test]
fn dead_ticket_is_found_in_spite_of_kills() {
    let mut scenario = forged(45).kill_every(1);
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 0);
    let corp = scenario.sim().corp_id().to_owned();
    let tickets = scenario.ledger();
    assert!(Tickets::of(&tickets, &corp).expires_at().unwrap().is_none());
}

/// The first subjects of a scenario, as the results name them.
pub(crate) fn unionids(subjects: u64, first: usize) -> Vec<String> {
    let mut scenario = Scenario::new(subjects);
    drop(scenario.store());
    let mut unionids = Vec::new();
    let each = |answer: &idferry::store::SubjectRecord| {
        unionids.push(answer.unionid.clone());
        Ok::<(), idferry::store::StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
    unionids.truncate(first);
    unionids
}

fn force(remote: &mut SimulatedRemote, unionids: &[String], errcode: i64) {
    for unionid in unionids {
        remote.force(unionid, Some(errcode));
    }
}

#[test]
fn unknown_code_parks_subject_and_keeps_ticket() {
    let odd = unionids(300, 3);
    let odds = odd.clone();
    let mut scenario = Scenario::new(300)
        .limits(TIGHT)
        .remote(move |remote| force(remote, &odds, 123_456))
        .stored_ticket();
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.of(State::Parked), 3);
    assert_eq!(result.times("ticket dead"), 0);
    let call_log = scenario.call_log();
    for unionid in odd {
        let asked = call_log.lookups();
        let asked = asked.filter(|call| call.subject.starts_with(&unionid));
        let asked: Vec<_> = asked.map(|call| (call.with_ticket, call.reply)).collect();
        let code = Reply::Errcode(123_456);
        assert_eq!(asked, [(true, code), (false, code)]);
    }
    let without = call_log.lookups().filter(|call| !call.with_ticket);
    assert_eq!(without.count(), 3);
}

#[test]
fn ticket_trial_does_not_wait_for_a_business_window() {
    let odd = unionids(200, 60)[59..].to_vec();
    let mut scenario = Scenario::new(200).limits(TIGHT).stopping_after(50);
    // The hour is used up without a ticket; then there is one.
    scenario.run();
    scenario = scenario.stored_ticket();
    force(&mut scenario.sim(), &odd, 123_456);
    let result = scenario.run();
    assert!(result.finished());
    assert!(result.took < secs(600), "{:?}", result.took);
    assert_eq!(result.times("ticket dead"), 0);
}

#[test]
fn subject_on_trial_backs_off_like_others() {
    let mut paused = Duration::ZERO;
    for seed in 0..5 {
        let mut scenario = Scenario::new(100)
            .seed(seed)
            .latency_millis(20, 20)
            .concurrency(1)
            .remote(|remote| {
                let unknown = Forced::Errcode(123_456);
                remote.script([unknown, Forced::Errcode(-1), Forced::Errcode(45_033)]);
            })
            .stored_ticket();
        let result = scenario.run();
        assert!(result.finished());
        assert_eq!(result.of(State::Parked), 0);
        assert_eq!(result.times("ticket dead"), 0, "{:?}", result.events);
        let call_log = scenario.call_log();
        let who = &call_log.lookups().next().unwrap().subject;
        let asked = call_log.lookups().filter(|call| call.subject == *who);
        let asked: Vec<_> = asked.collect();
        assert_eq!(asked.len(), 4);
        let fourth = call_log.lookups().nth(3).unwrap().sent;
        assert_eq!(asked[3].sent, fourth, "others wait");
        let pause = asked[3].sent.since(asked[2].completed.unwrap());
        assert!(pause >= Duration::from_millis(200), "{pause:?}");
        paused += asked[2].sent.since(asked[1].completed.unwrap());
    }
    // Full jitter, up to a second each.
    assert!(paused > secs(1), "{paused:?}");
}

#[test]
fn ticket_lies_in_the_ledger_and_no_other_secret_does() {
    let mut scenario = Scenario::new(300).limits(TIGHT).ticket();
    scenario.run();
    let ledger = std::fs::read(scenario.ledger().path()).unwrap();
    let ticket = scenario.call_log().tickets.first().unwrap().clone();
    assert!(contains_secret(&ledger, &ticket));
    // That neither holds a token or the corp secret, every run checks; here both are there.
    assert!(!scenario.call_log().tokens.is_empty());
}

fn told_spent(result: &RunResult) -> bool {
    let mut events = result.events.iter();
    events.any(|event| event.starts_with("ticket spent"))
}

/// A scenario that needs the ticket and, in the first second, lookups that are answered.
fn needy() -> Scenario {
    Scenario::new(300).limits(TIGHT).ticket().on_quota_exit()
}

#[test]
fn application_waits_for_twenty_answers_and_for_work_that_needs_it() {
    let mut scenario = needy();
    let result = scenario.run();
    assert!(result.finished());
    let call_log = scenario.call_log();
    let mut calls = call_log.calls.iter();
    let applied = calls.find(|call| call.path == wire::APPLY_MASS_CALL_TICKET);
    let applied = applied.unwrap().sent;
    let before = |call: &&RecordedCall| call.completed.is_some_and(|at| at <= applied);
    assert!(call_log.lookups().filter(before).count() >= 20);
    for fits in [
        Scenario::new(90).limits(TIGHT).ticket(),
        needy().configure(|setup| setup.options.budget = Some(40)),
    ] {
        let mut scenario = fits;
        let result = scenario.run();
        assert_eq!(result.times("ticket not needed"), 1, "{:?}", result.events);
        assert_eq!(result.stats.ticket_applications, 0);
    }
}

#[test]
fn refused_or_unanswered_application_lets_the_run_go_on() {
    for (forced, said) in [
        (Forced::Errcode(48_002), "ticket refused 48002"),
        (Forced::Errcode(-1), "ticket refused -1"),
        (Forced::Errcode(2_800_009), "ticket refused 2800009"),
        (Forced::Fault(Fault::Hang), "ticket unanswered"),
        (Forced::Status(502), "ticket unreadable"),
    ] {
        let mut scenario = needy().remote(move |remote| remote.script_application(forced));
        let result = scenario.run();
        assert_eq!(result.times(said), 1, "{:?}", result.events);
        assert!(matches!(result.report.reason, StopReason::Quota(_)));
        // Never again, and told so.
        scenario.idle(DAY + HOUR);
        let result = scenario.run();
        assert!(told_spent(&result), "{:?}", result.events);
        assert_eq!(scenario.call_log().of(wire::APPLY_MASS_CALL_TICKET), 1);
        assert_eq!(scenario.sent_with_ticket(), 0);
    }
}

#[test]
fn odd_reply_brings_the_ticket_and_an_unreadable_one_is_kept() {
    let odd = r#"{"errcode":"0","errmsg":null,"data":{"mass_call_ticket":"{}"}}"#;
    let mut scenario = needy().remote(move |remote| remote.answer_application(odd));
    assert!(scenario.run().finished());
    assert!(scenario.sent_with_ticket() > 0);

    let cut = r#"{"errcode":0,"ticket_of_another_name":"{}"}"#;
    let mut scenario = needy().remote(move |remote| remote.answer_application(cut));
    let result = scenario.run();
    assert_eq!(result.times("ticket unreadable"), 1);
    let corp = scenario.sim().corp_id().to_owned();
    let ledger = scenario.ledger();
    let (status, body) = Tickets::of(&ledger, &corp).unread_reply().unwrap().unwrap();
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(body.expose()).contains("ticket_of_another_name"));
}

#[test]
fn application_is_recorded_once_and_for_ever() {
    let mut scenario = needy();
    scenario.start();
    let corp = scenario.sim().corp_id().to_owned();
    let ledger = scenario.ledger();
    let tickets = Tickets::of(&ledger, &corp);
    assert!(tickets.record_application(scenario.now()).unwrap());
    assert!(!tickets.record_application(scenario.now()).unwrap(), "once");
}

#[test]
fn listed_code_on_calls_with_a_ticket_rejects_nobody() {
    for errcode in [40_058, 40_063, 48_002, 60_011, 2_000_002] {
        let mut scenario = Scenario::new(150)
            .limits(TIGHT)
            .after(secs(2), move |remote, _| {
                remote.refuse_ticket(Some(errcode))
            })
            .on_quota_exit()
            .stored_ticket();
        let result = scenario.run();
        assert_eq!(
            result.times("ticket dead"),
            1,
            "{errcode}: {:?}",
            result.events
        );
        assert_eq!(result.of(State::Rejected) + result.of(State::Parked), 0);
        assert!(matches!(
            result.report.reason,
            StopReason::Quota(_) | StopReason::Finished
        ));
    }
}

#[test]
fn passing_code_costs_a_subject_a_call_and_not_the_ticket() {
    for errcode in [2_000_002, 40_058, 48_002] {
        let mut scenario = Scenario::new(300)
            .limits(TIGHT)
            .remote(move |remote| {
                remote.script([Forced::Pass, Forced::Pass, Forced::Errcode(errcode)]);
            })
            .stored_ticket();
        let result = scenario.run();
        assert!(result.finished(), "{:?}", result.report.reason);
        assert_eq!(result.times("ticket dead"), 0);
        assert_eq!(result.of(State::Rejected) + result.of(State::Parked), 0);
        let without = scenario.sent() - scenario.sent_with_ticket();
        assert_eq!((without, scenario.sent()), (1, 301));
    }
}

#[test]
fn ticket_that_the_remote_ignores_costs_two_refusals() {
    let mut scenario = Scenario::new(80)
        .limits(TIGHT)
        .concurrency(1)
        .on_quota_exit()
        // The remote's limit is crossed here, as if others called too.
        .configure(|setup| setup.remote.other_traffic = 1e-9)
        .remote(|remote| remote.ignore_ticket(true))
        .stored_ticket();
    let result = scenario.run();
    assert_eq!(result.times("ticket dead"), 1, "{:?}", result.events);
    assert!(result.lookups().refused_45009 <= 2);
    assert!(matches!(result.report.reason, StopReason::Quota(_)));
    // What was sent with it counts in the business windows from here on.
    let used = scenario.account();
    assert!(used.snapshot.ticket_in_doubt);
}

#[test]
fn postponed_ticket_is_taken_up_when_it_is_stored_elsewhere() {
    let mut scenario = Scenario::new(200).limits(TIGHT);
    drop(scenario.store());
    scenario.start();
    scenario.setup.ticket = TicketPolicy::Postpone;
    let corp = scenario.sim().corp_id().to_owned();
    let text = Secret::new(scenario.sim().issue_ticket());
    let ledger = scenario.ledger();
    let now = scenario.now();
    let mut scenario = scenario.after(secs(600), move |_, _| {
        let tickets = Tickets::of(&ledger, &corp);
        tickets.import(&text, now, 7 * DAY).unwrap();
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("ticket found"), 1);
    assert!(result.took < secs(700), "{:?}", result.took);
    assert_eq!(result.stats.ticket_applications, 0);
}

/// The first application, of about second 20, meets a token that has ended; the next is due a minute later.
fn with_a_second_application() -> Scenario {
    Scenario::new(300)
        .limits("basic.minute=60,business.hour=1000,business.day=100")
        .ticket()
        .configure(|setup| setup.is_steered = true)
        .remote(|remote| remote.script_application(Forced::Errcode(40_014)))
}

/// When the applications were sent, in seconds since `start`.
fn applied_at(scenario: &Scenario) -> Vec<u64> {
    let start = scenario.setup.start;
    let call_log = scenario.call_log();
    let calls = call_log.calls.iter();
    let applied = calls.filter(|call| call.path == wire::APPLY_MASS_CALL_TICKET);
    applied
        .map(|call| call.sent.since(start).as_secs())
        .collect()
}

#[test]
fn nothing_is_applied_for_while_the_service_fails_or_the_job_is_paused() {
    let failing = with_a_second_application()
        .after(secs(45), |remote, _| {
            remote.force_all(Some(Forced::RetryAfter(503, 5)))
        })
        .after(secs(600), |remote, _| remote.force_all(None));
    let paused = with_a_second_application();
    let job = paused.state();
    let resumed = job.clone();
    let paused = paused
        .after(secs(45), move |_, _| {
            Steering::open(&job).unwrap().ask(Wish::Pause).unwrap();
        })
        .after(secs(600), move |_, _| {
            let steering = Steering::open(&resumed).unwrap();
            steering.withdraw(&["pause"]).unwrap();
        });
    for mut scenario in [failing, paused] {
        let result = scenario.run();
        assert!(result.finished());
        let applied = applied_at(&scenario);
        assert!(
            applied[0] < 45 && applied[1] >= 600,
            "{applied:?} {:?}",
            result.events
        );
        assert_eq!(result.stats.ticket_applications, 1);
    }
}

#[test]
fn full_basic_window_does_not_prove_that_lookups_are_answered() {
    let mut scenario = Scenario::new(300).limits("basic.minute=600,basic.hour=30,business.day=100");
    scenario.setup.options.budget = Some(30);
    scenario.run();
    scenario.setup.options.budget = None;
    scenario = scenario.ticket();
    scenario.sim().force_all(Some(Forced::Errcode(48_002)));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Refused(_)));
    assert_eq!(scenario.call_log().of(wire::APPLY_MASS_CALL_TICKET), 0);
}

#[test]
fn ticket_of_an_application_under_way_elsewhere_is_taken_up() {
    let mut scenario = Scenario::new(200).limits(TIGHT).ticket();
    drop(scenario.store());
    scenario.start();
    let corp = scenario.sim().corp_id().to_owned();
    let text = Secret::new(scenario.sim().issue_ticket());
    let (ledger, now) = (scenario.ledger(), scenario.now());
    assert!(Tickets::of(&ledger, &corp).record_application(now).unwrap());
    let mut scenario = scenario.after(secs(8), move |_, _| {
        let tickets = Tickets::of(&ledger, &corp);
        let reply = Secret::new(b"{}".to_vec());
        tickets.keep_reply(200, &reply).unwrap();
        tickets.save(&text, now.plus(7 * DAY)).unwrap();
    });
    let result = scenario.run();
    assert!(result.finished());
    assert_eq!(result.times("ticket found"), 1, "{:?}", result.events);
    assert!(result.took < secs(60), "{:?}", result.took);
}

#[test]
fn calls_with_a_ticket_that_ended_on_trial_count_in_the_business_windows() {
    let mut scenario = Scenario::new(300).limits(TIGHT).stopping_after(50);
    scenario.run();
    let start = scenario.now();
    let corp = scenario.sim().corp_id().to_owned();
    let text = Secret::new(scenario.sim().issue_ticket());
    let obtained = start.minus(7 * DAY - HOUR - secs(10));
    let ledger = scenario.ledger();
    let tickets = Tickets::of(&ledger, &corp);
    tickets.import(&text, obtained, 7 * DAY).unwrap();
    // The hour is full, so that the trial cannot end before the ticket does.
    let mut scenario = scenario.after(secs(4), |remote, _| remote.refuse_ticket(Some(2_000_002)));
    scenario.setup.options.deadline = Some(start.plus(5 * HOUR));
    let result = scenario.run();
    assert!(matches!(result.report.reason, StopReason::Time));
    assert_eq!(result.times("ticket dead"), 0);
    assert!(scenario.sent_with_ticket() > 10);
    // All of them may have been counted in the day, which has a hundred.
    assert_eq!(scenario.sent(), 100);
}
