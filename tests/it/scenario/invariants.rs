//! What must be true after every run, whatever happened in it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use idferry::{
    clock::{LedgerClock, Timestamp},
    model::{Api, Period, QuotaWindow, State, Tally, WindowKind},
    quota::{Account, Quota},
    runner::event::StopReason,
    sim::{SimulatedRemote, WindowStats},
    store::{StoreError, SubjectRecord},
    wecom::{Endpoint, errcode},
};

use super::{
    RunResult, Scenario, Session,
    call_log::{CallLog, RecordedCall, Reply},
    export,
};

pub(super) fn check(scenario: &Scenario, result: &RunResult) {
    ledger_covers_the_meter(scenario, scenario.session());
    ledger_is_closed(scenario);
    no_call_is_missing_in_the_ledger(scenario, result);
    no_window_was_exceeded(scenario, result);
    every_subject_is_in_one_state(scenario, result);
    no_answer_was_asked_for_twice(scenario);
    // Whole files are read for these: after the first runs, then now and then, and at the end.
    let ended = matches!(result.report.reason, StopReason::Finished);
    if ended || scenario.session().runs.is_power_of_two() {
        export_is_a_function_of_the_job(scenario, result);
        no_secret_got_out(scenario, result);
        job_file_is_sound(scenario);
    }
}

/// Invariant 1: at any instant the ledger on disk holds at least what the simulator counted, in
/// every window and on every reading that it is made for, calls of others left out.
pub(super) fn ledger_covers_the_meter(scenario: &Scenario, session: &Session) {
    if !scenario.is_counted_alike() {
        return;
    }
    let setup = &scenario.setup;
    let corp = session.remote.borrow().corp_id().to_owned();
    let stored = scenario.ledger().load(&corp, Api::Lookup).unwrap();
    let now = LedgerClock::resume(session.clock, stored.reading).now();
    let (limits, kind) = (setup.quota.allowed(), setup.quota.window_kind);
    let mut ledger = Account::restore(limits, kind, &stored.snapshot);
    // Whether a ticket works is not known before its call has completed.
    let call_log = session.call_log.borrow();
    let doubtful = |call: &&RecordedCall| call.with_ticket && call.completed.is_none();
    let doubtful = call_log.lookups().filter(doubtful).count() as u64;
    let mut remote = session.remote.borrow_mut();
    let lanes = remote.stats().lanes;
    let others = lanes
        .get(Endpoint::LOOKUP.path)
        .map_or(0, |lane| lane.others);
    let readings = scenario.readings();
    let each = QuotaWindow::ALL
        .into_iter()
        .flat_map(|window| readings.iter().map(move |kind| (window, *kind)));
    for (window, kind) in each {
        let (ours, theirs) = (ledger.used(now, window), remote.lookups_in(window, kind));
        let doubtful = if window.is_business() { doubtful } else { 0 };
        assert!(
            ours + doubtful + others >= theirs,
            "{window}, {kind:?}: the ledger holds {ours}, the simulator {theirs} at {now}, {others} of \
             others"
        );
    }
}

/// After a run that ended in order no call is charged and open.
fn ledger_is_closed(scenario: &Scenario) {
    let open = rusqlite::Connection::open(scenario.ledger().path()).unwrap();
    let open: u64 = open
        .query_row(OPEN_WRITERS, [], |row| row.get::<_, u32>(0))
        .unwrap()
        .into();
    let lanes = 1 + u64::from(scenario.setup.pending_ids);
    assert!(
        open <= scenario.session().kills * lanes,
        "closed with calls in flight"
    );
}

/// Killed processes whose calls have not landed; a run that ends in order leaves none.
const OPEN_WRITERS: &str = "SELECT count(*) FROM writers
    WHERE charged_standard > done_standard OR charged_with_ticket > done_with_ticket";

/// Invariant 1 without windows: the month's slots are kept for two months, so every call that was
/// sent is in them, and no more than those if nothing was killed.
fn no_call_is_missing_in_the_ledger(scenario: &Scenario, result: &RunResult) {
    let session = scenario.session();
    if result.ended.since(scenario.setup.start) > 2 * QuotaWindow::BusinessMonth.span() {
        return;
    }
    let ledger = scenario.account().snapshot;
    let slots = ledger.slots.iter();
    let month = slots.filter(|slot| slot.period == Period::Month);
    let charged =
        month.map(|slot| slot.calls.standard).sum::<u64>() + ledger.others_in_flight.standard;
    let call_log = session.call_log.borrow();
    let sent = call_log.lookups().filter(|call| !call.with_ticket);
    let sent = sent.count() as u64;
    if session.kills == 0 {
        assert_eq!(charged, sent, "charged and sent");
    } else {
        // A kill over-counts by what was charged ahead at most.
        let most = sent + session.kills * u64::from(scenario.setup.options.commit_policy.most);
        assert!((sent..=most).contains(&charged), "{sent} {charged} {most}");
    }
    let stats = session.remote.borrow().stats();
    if let Some(lane) = stats.lanes.get(Endpoint::LOOKUP.path) {
        assert!(lane.calls <= call_log.lookups().count() as u64);
    }
}

/// Invariant 2: with the same limits on both sides and no other callers in the corp, the remote
/// never had to lock us out, nor would it have on the other reading of its windows.
fn no_window_was_exceeded(scenario: &Scenario, result: &RunResult) {
    let alone = scenario.setup.remote.other_traffic == 0.0;
    if !alone || !scenario.is_counted_alike() || !scenario.is_within_the_remotes() {
        return;
    }
    // Only lookups are charged; of other calls there are a few a day.
    if let Some(lane) = result.stats.lanes.get(Endpoint::LOOKUP.path) {
        assert_eq!(lane.lockouts, 0, "locked out: {:?}", lane.windows);
        if scenario.readings().len() == 2 {
            let within =
                |window: &WindowStats| window.limit.is_none_or(|it| window.other_peak <= it);
            assert!(lane.windows.values().all(within), "{:?}", lane.windows);
        }
    }
}

impl Scenario {
    /// Sliding windows of ours satisfy both of the remote's ways to count.
    fn is_counted_alike(&self) -> bool {
        // What both APIs count together is not the account of one of them.
        !self.setup.remote.shared_counter
            && (self.setup.quota.window_kind == WindowKind::Sliding
                || self.setup.remote.window_kind == WindowKind::Calendar)
    }

    /// Where windows may begin without our ledger being wrong: sliding ones of ours hold on every
    /// reading, natural ones on their own.
    fn readings(&self) -> &'static [WindowKind] {
        match self.setup.quota.window_kind {
            WindowKind::Sliding => &[WindowKind::Sliding, WindowKind::Calendar],
            WindowKind::Calendar => &[WindowKind::Calendar],
        }
    }

    /// Whether we allow ourselves no more than the remote allows.
    fn is_within_the_remotes(&self) -> bool {
        let Quota { limits, .. } = self.setup.quota;
        QuotaWindow::ALL.into_iter().all(|window| {
            match (limits.of(window), self.setup.remote.limits.of(window)) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(ours), Some(theirs)) => ours <= theirs,
            }
        })
    }
}

/// Invariant 3: each subject is in one state, a terminal one after a full run; the tally kept with
/// every commit equals a recount; and the links are those of the simulator's people.
fn every_subject_is_in_one_state(scenario: &Scenario, result: &RunResult) {
    let session = scenario.session();
    let remote = session.remote.borrow();
    let mut counted = Tally::default();
    let each = |answer: &SubjectRecord| {
        counted.add(answer.state, 1);
        let linked = answer.state == State::Linked;
        assert_eq!(linked, !answer.links.is_empty(), "{}", answer.state);
        assert_eq!(answer.at.is_none(), answer.state == State::Queued);
        match answer.state {
            State::Linked | State::Unlinked => {
                assert_eq!(answer.errcode, Some(0));
                has_the_right_links(answer, &remote);
            }
            State::Rejected => assert!(answer.errcode.is_some_and(|code| code != 0)),
            State::Queued | State::Parked => assert_ne!(answer.errcode, Some(0)),
        }
        Ok::<(), StoreError>(())
    };
    scenario.reader().for_each_subject(each).unwrap();
    assert_eq!(counted, result.tally, "counted and kept");
    assert_eq!(counted.total(), scenario.subjects);
    assert_eq!(result.report.tally, result.tally);
    if matches!(result.report.reason, StopReason::Finished) {
        assert_eq!(counted.of(State::Queued), 0);
    }
}

fn has_the_right_links(answer: &SubjectRecord, remote: &SimulatedRemote) {
    let world = remote.world();
    let person = world.person(&answer.unionid);
    assert_eq!(world.rejection(person, &answer.openid), None, "answered");
    let known = world.corps_of(person, answer.at.unwrap()).filter(|place| {
        let corp = &world.corps()[*place].corpid;
        answer.corpid.as_ref().is_none_or(|only| only == corp)
    });
    let mut expected: Vec<(String, String)> = known
        .map(|place| {
            let id = world.external_userid(person, place).as_str().to_owned();
            (world.corps()[place].corpid.clone(), id)
        })
        .collect();
    expected.sort_unstable();
    let links = answer.links.iter();
    let links = links.map(|link| (link.corpid.to_string(), link.external_userid.to_string()));
    assert!(links.eq(expected), "other links than the simulator's");
}

/// Invariant 4: an export made twice has the same bytes.
fn export_is_a_function_of_the_job(scenario: &Scenario, result: &RunResult) {
    assert_eq!(export(&scenario.reader()), result.export);
}

/// Invariant 5: a subject that was answered is not asked again, but for answers of the last
/// interval before a kill.
fn no_answer_was_asked_for_twice(scenario: &Scenario) {
    let session = scenario.session();
    let call_log = session.call_log.borrow();
    let interval = scenario.setup.options.commit_policy.settle_after + Duration::from_millis(2);
    let mut answered: HashMap<&str, (u64, Timestamp)> = HashMap::new();
    for call in call_log.lookups() {
        let Some(completed) = call.completed else {
            continue;
        };
        if let Some((process, before)) = answered.get(&*call.subject)
            && !scenario.asks_again
        {
            let killed = call_log.kills.get(process).copied();
            let lost = killed.is_some_and(|at| at.since(*before) <= interval);
            // A clock that was moved says nothing of the interval.
            let lost = lost || killed.is_some() && scenario.skew.is_some();
            assert!(
                *process != call.process && lost,
                "asked again though answered at {before} by process {process}, killed {killed:?}"
            );
        }
        if call.reply == Reply::Errcode(0) {
            answered.insert(&call.subject, (call.process, completed));
        }
    }
    failures_are_held_against_subjects(&call_log);
    calls_are_accounted_for(&call_log);
}

/// Others that are all answered between two failures of one subject: its service works.
const OTHERS: u32 = 8;

/// A subject that fails while all others are answered is asked three times, and once more in the
/// retry pass: the first failure is held against it with the second.
fn failures_are_held_against_subjects(call_log: &CallLog) {
    let mut calls: Vec<_> = call_log
        .lookups()
        .filter(|call| call.completed.is_some())
        .collect();
    calls.sort_by_key(|call| (call.process, call.completed));
    let (mut answers, mut failures) = (0, 0);
    // Of each subject: answers and failures of all at its last failure, and those held against it.
    let mut failed: HashMap<(u64, &str), (u32, u32, u32)> = HashMap::new();
    for call in calls {
        answers += u32::from(call.reply == Reply::Errcode(0));
        if !is_of_the_service(call.reply) {
            continue;
        }
        failures += 1;
        let subject = failed.entry((call.process, &call.subject));
        let (before, failed, held) = subject.or_insert((answers, failures, 0));
        *held += u32::from(answers - *before >= OTHERS && failures - *failed == 1);
        (*before, *failed) = (answers, failures);
        assert!(*held <= 3, "asked a fifth time though others are answered");
    }
}

/// Whether a call with this reply was failed by the service.
fn is_of_the_service(reply: Reply) -> bool {
    match reply {
        Reply::Unreadable => true,
        Reply::Errcode(code) => errcode::lookup(code).class == errcode::Class::Retry,
        Reply::Nothing | Reply::NotSent => false,
    }
}

/// Every call was answered, or failed with a reason to ask again, or was in flight at a kill.
fn calls_are_accounted_for(call_log: &CallLog) {
    let mut lost: BTreeMap<u64, usize> = BTreeMap::new();
    for call in call_log.lookups().filter(|call| call.completed.is_none()) {
        *lost.entry(call.process).or_default() += 1;
    }
    let most = call_log.most_in_flight.get(Endpoint::LOOKUP.path);
    for (process, lost) in lost {
        let killed = call_log.kills.contains_key(&process);
        assert!(killed, "lost {lost} calls without a kill");
        assert!(lost <= *most.unwrap());
    }
}

/// Invariant 6: no secret in what was written for people and programs, nor on disk, but for the
/// ticket in the ledger.
fn no_secret_got_out(scenario: &Scenario, result: &RunResult) {
    let session = scenario.session();
    let call_log = session.call_log.borrow();
    let corp_secret = session.remote.borrow().corp_secret().to_owned();
    let secrets = call_log.tokens.iter().chain([&corp_secret]);
    for secret in secrets.clone().chain(&call_log.tickets) {
        assert!(!result.output.contains(secret.as_str()), "in the output");
    }
    for entry in std::fs::read_dir(scenario.folder()).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name(), std::fs::read(entry.path()).unwrap());
        let name = name.to_string_lossy();
        for secret in secrets.clone() {
            assert!(!contains_secret(&bytes, secret), "{name} has a secret");
            assert!(!name.contains(secret.as_str()));
        }
        for ticket in &call_log.tickets {
            assert!(!name.contains(ticket.as_str()));
            assert!(name.starts_with("idferry.ledger.db") || !contains_secret(&bytes, ticket));
        }
    }
}

/// Whether `bytes` contain a part of `secret`: SQLite may break a long text over two pages.
pub(crate) fn contains_secret(bytes: &[u8], secret: &str) -> bool {
    let mut pieces = secret.as_bytes().chunks_exact(24);
    pieces.any(|piece| memchr::memmem::find(bytes, piece).is_some())
}

fn job_file_is_sound(scenario: &Scenario) {
    let db = rusqlite::Connection::open(scenario.state()).unwrap();
    let loose = "FROM links WHERE subject NOT IN (SELECT subject FROM outcomes)";
    for (query, expected) in [
        ("PRAGMA integrity_check", "ok"),
        ("SELECT count(*) || '' FROM pragma_foreign_key_check", "0"),
        (&*format!("SELECT count(*) || '' {loose}"), "0"),
    ] {
        let found: String = db.query_row(query, [], |row| row.get(0)).unwrap();
        assert_eq!(found, expected, "{query}");
    }
}
