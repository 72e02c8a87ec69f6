//! What must be true after every run, whatever happened in it (DESIGN.md, "Invariants").

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    path::Path,
    rc::Rc,
    time::Duration,
};

use idferry::{
    clock::Timestamp,
    gate::{LedgerSnapshot, Quota},
    model::{QuotaWindow, State, Tally, WindowKind},
    runner::event::StopReason,
    sim::Remote,
    store::{Answer, Reader, StoreError},
    wecom::{errcode, wire},
};

use crate::{
    ear::{Back, Heap, Heard},
    world::{Told, World, export},
};

pub(crate) fn check(world: &World, told: &Told) {
    let scene = world.scene();
    books_hold(
        world,
        &world.state(),
        &scene.remote,
        &scene.heap,
        told.ended,
    );
    no_call_is_missing_in_the_books(world);
    no_window_was_exceeded(world, told);
    every_subject_is_in_one_state(world, told);
    the_export_is_a_function_of_the_store(world, told);
    no_answer_was_asked_for_twice(world);
    no_secret_got_out(world, told);
    the_file_is_sound(world);
}

/// Invariant 1: At any instant, what the disk says was charged is at least what the remote counted, in
/// every window.
pub(crate) fn books_hold(
    world: &World,
    path: &Path,
    remote: &Rc<RefCell<Remote>>,
    heap: &Rc<RefCell<Heap>>,
    now: Timestamp,
) {
    if world.skew.is_some() || world.play.remote.others > 0.0 || !world.same_counting() {
        return;
    }
    let stats = remote.borrow().stats();
    let Some(lane) = stats.lanes.get(wire::UNIONID_TO_EXTERNAL_USERID) else {
        return;
    };
    // The remote's counts are as of the last arrival: not before the sending of a call that was
    // answered.
    let answered = |call: &&Heard| matches!(call.back, Back::Errcode(_));
    let heap = heap.borrow();
    let Some(at) = heap.lookups().filter(answered).map(|call| call.sent).max() else {
        return;
    };
    let doubtful = heap
        .lookups()
        .filter(|call| call.ticketed && call.landed.is_none());
    let doubtful = doubtful.count() as u64;
    let books = Reader::open(path).unwrap().lane().unwrap().books;
    let counting = world.play.quota.counting;
    // What happened longer ago than a window is long, the remote has not yet looked at.
    let fresh = |span: &QuotaWindow| now.since(at) < span.span();
    for span in QuotaWindow::ALL.into_iter().filter(fresh) {
        let (ours, theirs) = (held(&books, span, at, counting), lane.windows[span.name()]);
        // Whether a ticket works is not known before its call has landed.
        let doubtful = if span.is_business() { doubtful } else { 0 };
        assert!(
            ours + doubtful >= theirs.calls,
            "{span}: the books hold {ours}, the remote counted {} at {at} (now {now})",
            theirs.calls
        );
    }
}

/// What `span` holds in the books at `now`.
fn held(books: &LedgerSnapshot, span: QuotaWindow, now: Timestamp, counting: WindowKind) -> u64 {
    let length = span.span();
    let live = |slot: Timestamp| match counting {
        WindowKind::Sliding => slot.plus(length / 300).plus(length) > now,
        WindowKind::Calendar => turn(span, slot) >= turn(span, now),
    };
    let slots = books.slots.iter().filter(|slot| slot.span == span);
    let landed: u64 = slots
        .filter(|slot| live(slot.slot))
        .map(|slot| slot.calls)
        .sum();
    landed + books.open.in_window(span)
}

/// In which natural period of `span` a moment lies.
fn turn(span: QuotaWindow, at: Timestamp) -> i64 {
    let date = at.civil().date();
    match span {
        QuotaWindow::BusinessMonth => i64::from(date.year()) * 12 + i64::from(date.month()),
        QuotaWindow::BusinessDay => at.next_natural_day().as_millis(),
        _ => at.as_millis().div_euclid(span.span().as_millis() as i64),
    }
}

/// Invariant 1 again, without windows: slots of a month are kept for two, so every call that left
/// is in the books of the month, and no more than those if nobody died.
fn no_call_is_missing_in_the_books(world: &World) {
    let scene = world.scene();
    let books = world.reader().lane().unwrap().books;
    let month = books
        .slots
        .iter()
        .filter(|slot| slot.span == QuotaWindow::BusinessMonth);
    let charged = month.map(|slot| slot.calls).sum::<u64>() + books.open.standard;
    let heap = scene.heap.borrow();
    // A code that nobody knows casts doubt on the ticket, so that its call is charged in full.
    let doubtful = |back: Back| matches!(back, Back::Errcode(code) if errcode::lookup(code).class == errcode::Class::Unlisted);
    let metered = |call: &&Heard| !call.ticketed || doubtful(call.back);
    let sent = heap.lookups().filter(metered).count() as u64;
    let months = world.now().since(world.play.start) / (30 * 86_400);
    if months > Duration::from_secs(2) {
        return;
    }
    if scene.kills == 0 {
        assert_eq!(charged, sent, "charged and sent");
    } else {
        // A crash over-counts by a block at most.
        let most = sent + scene.kills * u64::from(world.play.options.commit_policy.most);
        assert!(
            charged >= sent && charged <= most,
            "{sent} {charged} {most}"
        );
    }
    let stats = scene.remote.borrow().stats();
    if let Some(lane) = stats.lanes.get(wire::UNIONID_TO_EXTERNAL_USERID) {
        assert!(lane.calls <= heap.lookups().count() as u64);
    }
}

/// Invariant 2: With the same limits on both sides and nobody else in the corp, the remote never had to
/// shut the door.
fn no_window_was_exceeded(world: &World, told: &Told) {
    if world.play.remote.others > 0.0 || !world.same_counting() || !world.within_theirs() {
        return;
    }
    // Only lookups are metered; of other calls there are a few a day.
    if let Some(lane) = told.stats.lanes.get(wire::UNIONID_TO_EXTERNAL_USERID) {
        assert_eq!(lane.blocks, 0, "shut: {:?}", lane.windows);
    }
}

impl World {
    /// Sliding windows of ours satisfy both of the remote's ways to count.
    fn same_counting(&self) -> bool {
        self.play.quota.counting == WindowKind::Sliding
            || self.play.remote.counting == WindowKind::Calendar
    }

    /// Whether we allow ourselves no more than the remote allows.
    fn within_theirs(&self) -> bool {
        let Quota { limits, .. } = self.play.quota;
        QuotaWindow::ALL.into_iter().all(|window| {
            let ours = limits.of(window.name().parse().unwrap());
            match (ours, self.play.remote.limits.of(window)) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(ours), Some(theirs)) => ours <= theirs,
            }
        })
    }
}

/// Invariant 3: Each subject is in one state, a terminal one after a full run; the tally kept with every
/// commit is the one that counting gives; and nobody is linked or unlinked but as the remote's
/// world has it.
fn every_subject_is_in_one_state(world: &World, told: &Told) {
    let scene = world.scene();
    let remote = scene.remote.borrow();
    let mut counted = Tally::default();
    let each = |answer: &Answer| {
        counted.add(answer.state, 1);
        let linked = answer.state == State::Linked;
        assert_eq!(linked, !answer.links.is_empty(), "{}", answer.state);
        assert_eq!(answer.at.is_none(), answer.state == State::Queued);
        match answer.state {
            State::Linked | State::Unlinked => {
                assert_eq!(answer.errcode, Some(0));
                is_as_the_world_has_it(answer, &remote);
            }
            State::Rejected => assert!(answer.errcode.is_some_and(|code| code != 0)),
            State::Queued | State::Parked => assert_ne!(answer.errcode, Some(0)),
        }
        Ok::<(), StoreError>(())
    };
    world.reader().answers(each).unwrap();
    assert_eq!(counted, told.tally, "counted and kept");
    assert_eq!(counted.total(), world.subjects);
    assert_eq!(told.report.tally, told.tally);
    if matches!(told.report.ending, StopReason::Finished) {
        assert_eq!(counted.of(State::Queued), 0);
    }
}

fn is_as_the_world_has_it(answer: &Answer, remote: &Remote) {
    let world = remote.world();
    let person = world.person(&answer.unionid);
    let known = world.corps_of(person).filter(|place| {
        let corp = &world.corps()[*place].corpid;
        answer.corpid.as_ref().is_none_or(|only| only == corp)
    });
    let mut expected: Vec<(String, String)> = known
        .map(|place| {
            let corp = world.corps()[place].corpid.clone();
            (
                corp,
                world.external_userid(person, place).as_str().to_owned(),
            )
        })
        .collect();
    expected.sort_unstable();
    let links = answer.links.iter();
    let links = links.map(|link| (link.corpid.to_string(), link.external_userid.to_string()));
    assert!(links.eq(expected), "another answer than the world's");
}

/// Invariant 4: made twice, it is the same bytes.
fn the_export_is_a_function_of_the_store(world: &World, told: &Told) {
    assert_eq!(export(&world.reader()), told.export);
}

/// Invariant 5: Nobody who was answered is asked again, but for answers of the last interval before a
/// crash; and nobody is asked more than four times for want of an answer.
fn no_answer_was_asked_for_twice(world: &World) {
    let scene = world.scene();
    let heap = scene.heap.borrow();
    let interval = world.play.options.commit_policy.settle_after + Duration::from_millis(2);
    let mut answered: HashMap<&str, (u64, Timestamp)> = HashMap::new();
    let mut failed: HashMap<(u64, &str), u32> = HashMap::new();
    for call in heap.lookups() {
        let Some(landed) = call.landed else { continue };
        if let Some((life, before)) = answered.get(&*call.who)
            && !world.requeued
        {
            let death = heap.deaths.get(life).copied().unwrap_or(Timestamp::MAX);
            assert!(
                *life != call.life && death.since(*before) <= interval,
                "asked again though answered at {before}, by process {life} that died at {death}"
            );
        }
        match call.back {
            Back::Errcode(0) => {
                answered.insert(&call.who, (call.life, landed));
            }
            back if is_an_attempt(back) => {
                let attempts = failed.entry((call.life, &call.who)).or_default();
                *attempts += 1;
                assert!(*attempts <= 4, "asked a fifth time");
            }
            _ => {}
        }
    }
    calls_are_accounted_for(&heap);
}

/// Whether a call that came back so has used up an attempt.
fn is_an_attempt(back: Back) -> bool {
    match back {
        Back::Unreadable => true,
        Back::Errcode(code) => errcode::lookup(code).class == errcode::Class::Retry,
        Back::Nothing | Back::NotSent => false,
    }
}

/// Every call was answered, or came back with a reason to ask again, or was in the air at a death.
fn calls_are_accounted_for(heap: &Heap) {
    let mut lost: BTreeMap<u64, usize> = BTreeMap::new();
    for call in heap.lookups().filter(|call| call.landed.is_none()) {
        *lost.entry(call.life).or_default() += 1;
    }
    let widest = heap.widest.get(wire::UNIONID_TO_EXTERNAL_USERID);
    for (life, lost) in lost {
        assert!(
            heap.deaths.contains_key(&life),
            "lost {lost} calls and lived"
        );
        assert!(lost <= *widest.unwrap());
    }
}

/// Invariant 6: Neither in what was said nor in what lies on disk, but for the ticket in the state file.
fn no_secret_got_out(world: &World, told: &Told) {
    let scene = world.scene();
    let heap = scene.heap.borrow();
    let corp_secret = scene.remote.borrow().corp_secret().to_owned();
    let secrets = heap.secrets.iter().chain([&corp_secret]);
    for secret in secrets.clone().chain(&heap.tickets) {
        assert!(!told.said.contains(secret.as_str()), "said aloud");
    }
    for entry in std::fs::read_dir(world.folder()).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name(), std::fs::read(entry.path()).unwrap());
        let name = name.to_string_lossy();
        for secret in secrets.clone() {
            assert!(!holds(&bytes, secret), "{name} holds a token or secret");
            assert!(!name.contains(secret.as_str()));
        }
        for ticket in &heap.tickets {
            assert!(!name.contains(ticket.as_str()));
            assert!(name.starts_with("idferry.db") || !holds(&bytes, ticket));
        }
    }
}

/// A piece of it is as good as the whole: SQLite may break a long text over two pages.
pub(crate) fn holds(bytes: &[u8], secret: &str) -> bool {
    let pieces = secret.as_bytes().chunks_exact(24);
    pieces.into_iter().any(|piece| memchr_find(bytes, piece))
}

fn memchr_find(bytes: &[u8], piece: &[u8]) -> bool {
    let (first, rest) = (piece[0], &piece[1..]);
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == first) {
        at += found + 1;
        if bytes[at..].starts_with(rest) {
            return true;
        }
    }
    false
}

fn the_file_is_sound(world: &World) {
    assert_eq!(world.sql::<String>("PRAGMA integrity_check"), "ok");
    let strays = "SELECT count(*) FROM pragma_foreign_key_check";
    assert_eq!(world.sql::<i64>(strays), 0);
    let loose = "SELECT count(*) FROM links WHERE subject NOT IN (SELECT subject FROM outcomes)";
    assert_eq!(world.sql::<i64>(loose), 0);
}
