//! A scripted run, as each reporter tells it.

use std::{cell::RefCell, io, rc::Rc};

use super::*;
use crate::{
    clock::Timestamp,
    model::{Limits, State, Tally, WindowKind},
    quota::{Account, CallKind, Trouble},
    wecom::transport::{Failure, NoConnection},
};

/// What was written, for looking at afterwards.
#[derive(Clone, Default)]
pub(super) struct Recorded(Rc<RefCell<Vec<u8>>>);

impl Recorded {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl Write for Recorded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-22T{time}+08:00")).unwrap()
}

pub(super) fn tally(queued: u64, linked: u64, unlinked: u64) -> Tally {
    let mut tally = Tally::default();
    tally.set(State::Queued, queued);
    tally.set(State::Linked, linked);
    tally.set(State::Unlinked, unlinked);
    tally
}

/// A hundred thousand subjects, of which so many are answered by as many calls.
pub(super) fn snapshot(time: &str, answered: u64) -> Snapshot {
    let window = |window, used, limit| WindowUse {
        window,
        used,
        limit,
    };
    Snapshot {
        pending_ids: None,
        at: at(time),
        tally: tally(100_000 - answered, answered - answered / 4, answered / 4),
        left: 100_000 - answered,
        pass: None,
        calls: answered,
        in_flight: 12,
        concurrency: 16,
        windows: vec![
            window(QuotaWindow::BasicMinute, 9_800, 9_800),
            window(QuotaWindow::BusinessHour, answered.min(98_000), 98_000),
            window(QuotaWindow::BusinessDay, answered, 470_400),
        ],
        hold: None,
    }
}

pub(super) fn held(time: &str, answered: u64, reason: HoldReason, until: &str) -> Snapshot {
    Snapshot {
        hold: Some(Waiting {
            reason,
            until: Some(at(until)),
        }),
        in_flight: 0,
        ..snapshot(time, answered)
    }
}

pub(super) fn outlook() -> ForecastInput {
    ForecastInput {
        account: Account::new(Limits::published(), WindowKind::Sliding),
        now: at("12:00:00"),
        kind: CallKind::Standard,
        ticket_until: None,
        locked_until: Timestamp::default(),
        per_second: Some(100.0),
    }
}

/// A hundred calls a second.
pub(super) fn eta() -> Eta {
    Box::new(|_, calls| Some(Duration::from_secs(calls / 100)))
}

/// Something is wrong with the service since 12:42:06.
pub(super) fn trouble(failure: Failure) -> Trouble {
    let since = at("12:42:06");
    Trouble { failure, since }
}

/// An hour's quota is used up, the API blocks, cannot be reached, and the run is stopped.
fn script() -> Vec<RunEvent> {
    let hour = HoldReason::Window(QuotaWindow::BusinessHour);
    let refused = HoldReason::Outage(trouble(Failure::Connect(NoConnection::Refused)));
    let silent = HoldReason::Outage(trouble(Failure::Timeout(Duration::from_secs(10))));
    vec![
        RunEvent::Started {
            tally: tally(100_000, 0, 0),
        },
        RunEvent::TokenFetched,
        RunEvent::ForecastInput(Box::new(outlook())),
        RunEvent::Progress(snapshot("12:04:00", 0)),
        RunEvent::Progress(snapshot("12:04:10", 1_660)),
        RunEvent::ConcurrencyReduced { calls: 8 },
        RunEvent::Progress(snapshot("12:04:20", 3_320)),
        RunEvent::Progress(snapshot("12:04:30", 31_204)),
        RunEvent::ForecastInput(Box::new(outlook())),
        RunEvent::Progress(snapshot("12:04:40", 32_000)),
        RunEvent::Progress(held("12:05:00", 50_000, hour, "12:05:30")),
        RunEvent::Progress(held("12:10:31", 98_000, hour, "12:41:02")),
        RunEvent::Progress(held("12:10:32", 98_000, hour, "12:41:02")),
        RunEvent::Progress(held("12:21:00", 98_000, hour, "12:41:02")),
        RunEvent::Progress(snapshot("12:41:02", 98_000)),
        RunEvent::TicketRejected,
        RunEvent::LockedOut {
            level: LockoutLevel::Minute,
            until: at("12:42:05"),
            elsewhere: false,
        },
        RunEvent::Progress(held("12:41:03", 98_000, HoldReason::Lockout, "12:42:05")),
        RunEvent::LockoutEnded,
        RunEvent::Progress(snapshot("12:42:06", 98_001)),
        RunEvent::Unreachable {
            trouble: trouble(Failure::Connect(NoConnection::Refused)),
            until: at("12:42:08"),
        },
        RunEvent::Progress(held("12:42:07", 98_001, refused, "12:42:08")),
        RunEvent::Unreachable {
            trouble: trouble(Failure::Timeout(Duration::from_secs(10))),
            until: at("12:43:30"),
        },
        RunEvent::Progress(held("12:42:20", 98_001, silent, "12:43:30")),
        RunEvent::Reconnected,
        RunEvent::Progress(snapshot("12:43:31", 98_010)),
        RunEvent::RetryPassStarted,
        RunEvent::Draining { in_flight: 1 },
        RunEvent::Progress(Snapshot {
            pending_ids: None,
            at: Timestamp::parse("2026-11-23T00:00:01+08:00").unwrap(),
            ..snapshot("12:43:32", 100_000)
        }),
    ]
}

fn replay(reporter: &mut dyn Reporter) {
    for event in script() {
        reporter.event(&event);
    }
    reporter.finish();
}

#[test]
fn lines_of_a_scripted_run() {
    let recorded = Recorded::default();
    replay(&mut Lines::new(Box::new(recorded.clone()), eta()));
    insta::assert_snapshot!(recorded.text(), @"
    2026-11-22 (UTC+8)
    12:04:00  to be asked: 100,000 of 100,000 subjects
    12:04:30  answered 31,204 of 100,000 (31.2 %) · 2,788 calls/s · 9,800 of 9,800 basic.minute · done about 12:20
    12:05:00  answered 50,000 of 100,000 (50.0 %) · 900 calls/s · 50,000 of 98,000 business.hour · waiting: business.hour is used up · done about 12:15
    12:10:31  waiting: business.hour is used up, resumes at 12:41:02 (in 30 min 31 s)
    12:21:00  waiting: business.hour is used up, resumes at 12:41:02 (in 20 min 2 s)
    12:41:02  resumed after 30 min 31 s
    12:41:02  the ticket no longer works: business limits apply from here
    12:41:02  blocked by the API (45009 接口调用超过限制), taken for the minute limit: one probe at 12:42:05 (in 1 min 3 s)
    12:42:06  the lockout is over: the probe was answered
    12:42:06  the API cannot be reached (connection refused) since 12:42:06, next try at 12:42:08 (in 2 s)
    12:43:31  the API answers again
    12:43:31  retrying the parked subjects
    12:43:31  stopping: no new calls, waiting for 1 call in flight
    2026-11-23 (UTC+8)
    00:00:01  answered 100,000 of 100,000 (100 %) · 0.05 calls/s · 98,000 of 98,000 business.hour
    ");
}

#[test]
fn json_has_every_event_and_fewer_progresses() {
    let recorded = Recorded::default();
    replay(&mut Json::new(Box::new(recorded.clone()), eta()));
    let text = recorded.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), script().len());
    for line in &lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value["event"].is_string(), "{line}");
    }
    let chosen = [0, 1, 2, 7, 8, 11, 15, 16, 20, 27].map(|place| lines[place]);
    insta::assert_snapshot!(chosen.join("\n"), @r#"
    {"event":"started","subjects":{"total":100000,"queued":100000,"linked":0,"unlinked":0,"rejected":0,"parked":0}}
    {"event":"token_fetched"}
    {"event":"outlook","finish_at":null}
    {"event":"progress","subjects":{"total":100000,"queued":68796,"linked":23403,"unlinked":7801,"rejected":0,"parked":0},"left":68796,"pass":null,"calls":31204,"in_flight":12,"width":16,"calls_per_second":2788.4,"finish_at":"2026-11-22T12:20:40+08:00","windows":[{"window":"basic.minute","used":9800,"limit":9800},{"window":"business.hour","used":31204,"limit":98000},{"window":"business.day","used":31204,"limit":470400}],"waiting":null,"at":"2026-11-22T12:04:30+08:00"}
    {"event":"outlook","finish_at":"2026-11-22T12:15:57+08:00","at":"2026-11-22T12:04:30+08:00"}
    {"event":"progress","subjects":{"total":100000,"queued":2000,"linked":73500,"unlinked":24500,"rejected":0,"parked":0},"left":2000,"pass":null,"calls":98000,"in_flight":0,"width":16,"calls_per_second":3300.0,"finish_at":"2026-11-22T12:15:57+08:00","windows":[{"window":"basic.minute","used":9800,"limit":9800},{"window":"business.hour","used":98000,"limit":98000},{"window":"business.day","used":98000,"limit":470400}],"waiting":{"reason":"window","window":"business.hour","text":"business.hour is used up","until":"2026-11-22T12:41:02+08:00"},"at":"2026-11-22T12:10:31+08:00"}
    {"event":"ticket_dead","at":"2026-11-22T12:41:02+08:00"}
    {"event":"blocked","limit":"minute","until":"2026-11-22T12:42:05+08:00","elsewhere":false,"at":"2026-11-22T12:41:02+08:00"}
    {"event":"unreachable","failure":"connection refused","since":"2026-11-22T12:42:06+08:00","until":"2026-11-22T12:42:08+08:00","at":"2026-11-22T12:42:06+08:00"}
    {"event":"draining","in_flight":1,"at":"2026-11-22T12:43:31+08:00"}
    "#);
}

#[test]
fn json_keeps_the_last_progress() {
    let recorded = Recorded::default();
    let mut json = Json::new(Box::new(recorded.clone()), eta());
    for (millis, answered) in [(0, 0), (100, 10), (200, 20), (300, 30)] {
        let snapshot = Snapshot {
            at: at("12:00:00").plus(Duration::from_millis(millis)),
            ..snapshot("12:00:00", answered)
        };
        json.event(&RunEvent::Progress(snapshot));
    }
    json.finish();
    let text = recorded.text();
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().last().unwrap().contains("\"calls\":30"));
}

#[test]
fn reader_that_left_is_not_written_to_again() {
    struct Gone(Rc<RefCell<usize>>);
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            *self.0.borrow_mut() += 1;
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let writes = Rc::default();
    replay(&mut Lines::new(Box::new(Gone(Rc::clone(&writes))), eta()));
    assert_eq!(*writes.borrow(), 1);
}

#[test]
fn silent_reporter_takes_every_event() {
    replay(&mut Silent);
}

#[test]
fn rate_ignores_waits() {
    let mut state = progress_state::ProgressState::new(eta());
    let hour = HoldReason::Window(QuotaWindow::BusinessHour);
    for snapshot in [
        snapshot("12:00:00", 0),
        held("12:00:05", 500, hour, "12:30:00"),
        held("12:20:00", 500, hour, "12:30:00"),
        snapshot("12:30:00", 500),
        snapshot("12:30:05", 1_000),
    ] {
        state.observe(&RunEvent::Progress(snapshot));
    }
    assert_eq!(state.per_second(), Some(100.0));
}
