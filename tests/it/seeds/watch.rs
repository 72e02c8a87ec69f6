//! Hears every event of a run, does what was drawn, and holds the books against the remote's.

use std::{
    cell::RefCell,
    fmt::Write as _,
    hash::{DefaultHasher, Hash},
    path::Path,
    rc::Rc,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockSkew, LedgerClock, Timestamp},
    gate::{Ledger, LockoutLevel},
    job::RehearsalObserver,
    model::QuotaWindow,
    runner::{
        Stop,
        event::{RunEvent, Snapshot},
    },
    sim::Remote,
    store::Reader,
};

use super::{
    draw::{Drawn, Jump, When},
    mutate::Mutation,
};

const LOOKUP: &str = "/cgi-bin/corpgroup/unionid_to_external_userid";
/// Tokens have 214 characters, tickets 128, the secret 45, ids of people 28.
const LONGEST_WORD: usize = 27;

/// A penalty that stands.
#[derive(Debug)]
struct Penalty {
    until: Timestamp,
    /// Lookups that had arrived and faults drawn when it became known, and what was in the air;
    /// `None` until told.
    base: Option<(u64, u64, u64)>,
    kills: u64,
}

pub(super) struct Watch<'w> {
    pub(super) drawn: &'w Drawn,
    pub(super) mutation: &'w mut Mutation,
    pub(super) path: &'w Path,
    pub(super) remote: Rc<RefCell<Remote>>,
    pub(super) clock: Clock,
    pub(super) skew: &'static ClockSkew,
    pub(super) stop: Stop,
    /// The first invariant that broke.
    pub(super) broken: Option<String>,
    pub(super) events: u64,
    pub(super) hash: DefaultHasher,
    /// Lives that ended, by death or otherwise.
    pub(super) lives: u64,
    pub(super) kills: u64,
    pub(super) pauses: usize,
    pub(super) secret: String,
    penalty: Option<Penalty>,
    pub(super) penalties: u64,
}

impl<'w> Watch<'w> {
    pub(super) fn new(
        drawn: &'w Drawn,
        mutation: &'w mut Mutation,
        path: &'w Path,
        remote: Rc<RefCell<Remote>>,
        clock: Clock,
        skew: &'static ClockSkew,
    ) -> Self {
        let secret = remote.borrow().corp_secret().to_owned();
        Self {
            drawn,
            mutation,
            path,
            remote,
            clock,
            skew,
            stop: Stop::default(),
            broken: None,
            events: 0,
            hash: DefaultHasher::new(),
            lives: 0,
            kills: 0,
            pauses: 0,
            secret,
            penalty: None,
            penalties: 0,
        }
    }

    pub(super) fn hold(&mut self, checked: Result<(), String>) {
        if let Err(why) = checked
            && self.broken.is_none()
        {
            self.broken = Some(why);
            self.stop.request();
        }
    }

    /// Lookups that arrived so far, and faults drawn.
    fn so_far(&self) -> (u64, u64) {
        let stats = self.remote.borrow().stats();
        let calls = stats.lanes.get(LOOKUP).map_or(0, |lane| lane.calls);
        (calls, stats.faults.values().sum())
    }

    fn tell(&mut self, event: &RunEvent) {
        let text = text(event);
        text.hash(&mut self.hash);
        let word = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .find(|word| word.len() > LONGEST_WORD);
        if word.is_some() || text.contains(&self.secret) {
            self.hold(Err(format!("a secret is told: {text}")));
        }
    }

    /// Invariant 1 while it runs: the ledger is never below the meter.
    fn hold_against_the_meter(&mut self, ledger: Ledger, now: Timestamp, at: &str) {
        let checked = below(ledger, now, &mut self.remote.borrow_mut(), self.drawn, at);
        self.hold(checked);
    }

    /// The same with the books as they are on disk, between two lives.
    pub(super) fn check_disk(&mut self, closed: bool) {
        let lane = Reader::open(self.path).and_then(|reader| reader.lane());
        let lane = match lane {
            Ok(lane) => lane,
            Err(why) => return self.hold(Err(why.to_string())),
        };
        if closed && lane.books.open.total() > 0 {
            let open = lane.books.open;
            self.hold(Err(format!("closed books with open calls: {open:?}")));
        }
        let now = LedgerClock::resume(self.clock, lane.reading).now();
        let quota = self.drawn.quota();
        let landed_by = now.plus(Duration::from_secs(self.drawn.call_timeout));
        let ledger = Ledger::restore(quota.allowed(), quota.counting, &lane.books, landed_by);
        let at = if closed { "at the end" } else { "after a kill" };
        self.hold_against_the_meter(ledger, now, at);
    }

    /// One life is over: what was drawn for the time between two lives.
    pub(super) fn between(&mut self) {
        self.lives += 1;
        for (when, jump) in self.drawn.jumps.clone() {
            if when == When::Between(self.lives) {
                self.jump(jump, true);
            }
        }
        self.mutation.corrupt(self.path);
    }

    fn jump(&mut self, jump: Jump, between: bool) {
        match jump {
            Jump::Wall(millis) => {
                self.skew.wall.fetch_add(millis, Relaxed);
            }
            Jump::Suspend(millis) => {
                self.skew.suspended.fetch_add(millis, Relaxed);
            }
            Jump::Reboot if between => {
                let db = rusqlite::Connection::open(self.path).unwrap();
                db.execute("UPDATE lanes SET read_boot = 7", []).unwrap();
            }
            Jump::Reboot => {}
        }
    }

    fn see_snapshot(&mut self, snapshot: &Snapshot) {
        let pause = self.drawn.pauses.get(self.pauses);
        if pause.is_some_and(|pause| snapshot.tally.answered() >= pause.answered) {
            self.stop.request();
        }
        if self.penalty.is_some() {
            self.see_penalty(snapshot.in_flight as u64);
        }
    }

    /// While a penalty stands: nothing new before its end, and then one probe.
    fn see_penalty(&mut self, in_flight: u64) {
        let ((calls, faults), kills) = (self.so_far(), self.kills);
        let now = self.remote.borrow().now();
        let Some(penalty) = &mut self.penalty else {
            return;
        };
        let (had, faulty, air) = *penalty.base.get_or_insert((calls, faults, in_flight));
        // A probe that got no answer may be repeated; so may one whose sender died.
        let again = faults - faulty + kills - penalty.kills;
        let probes = if now < penalty.until { 0 } else { 1 + again };
        if calls > had + air + probes {
            let why = format!(
                "{} lookups during a penalty until {} (it is {now}), {air} were in the air, \
                 {probes} allowed",
                calls - had,
                penalty.until,
            );
            self.hold(Err(why));
        }
    }

    fn raise_penalty(&mut self, rung: LockoutLevel, until: Timestamp) {
        // The probe that was refused is the one that is allowed.
        self.see_penalty(0);
        self.penalties += 1;
        if self.drawn.others == 0.0 {
            self.hold(Err(format!("blocked ({rung:?}) though nobody else calls")));
        }
        // By the wall; the remote's time is what the books keep.
        let (wall, now) = (self.clock.now(), self.remote.borrow().now());
        self.penalty = Some(Penalty {
            until: now.plus(until.since(wall)),
            base: None,
            kills: self.kills,
        });
    }
}

impl RehearsalObserver for Watch<'_> {
    fn event(&mut self, event: &RunEvent, _remote: &Rc<RefCell<Remote>>) {
        self.events += 1;
        self.tell(event);
        match event {
            RunEvent::ForecastInput(outlook) => {
                self.hold_against_the_meter(outlook.ledger.clone(), outlook.now, "while it runs");
            }
            RunEvent::Progress(snapshot) => self.see_snapshot(snapshot),
            RunEvent::LockedOut { rung, until } => self.raise_penalty(*rung, *until),
            RunEvent::LockoutEnded => self.penalty = None,
            _ => {}
        }
        for place in 0..self.drawn.jumps.len() {
            let (when, jump) = self.drawn.jumps[place];
            if when == When::Event(self.events) {
                self.jump(jump, false);
            }
        }
    }

    fn died(&mut self, _kills: u64) {
        self.kills += 1;
        if self.penalty.is_some() {
            self.see_penalty(self.drawn.width());
        }
        self.check_disk(false);
        self.between();
    }
}

/// Says whether any window of `ledger` holds less than the remote's.
fn below(
    mut ledger: Ledger,
    now: Timestamp,
    remote: &mut Remote,
    drawn: &Drawn,
    at: &str,
) -> Result<(), String> {
    let others = remote
        .stats()
        .lanes
        .get(LOOKUP)
        .map_or(0, |lane| lane.others);
    // Whether a call's ticket still worked is known when it has landed.
    let ticketed = ledger.open().with_ticket;
    for (span, window) in QuotaWindow::ALL.into_iter().zip(QuotaWindow::ALL) {
        if drawn.limits[window as usize].is_none() {
            continue;
        }
        let (ours, theirs) = (ledger.used(now, span), remote.lookups_in(window));
        let unknown = if span.is_business() { ticketed } else { 0 };
        if ours + unknown + others < theirs {
            return Err(format!(
                "{at} {span} has {ours} in the ledger and {theirs} at the remote, {others} of \
                 others"
            ));
        }
    }
    Ok(())
}

/// An event as text, all of it but an outlook's slots.
fn text(event: &RunEvent) -> String {
    let mut text = String::new();
    let written = match event {
        RunEvent::Started { tally } => write!(text, "started {tally:?}"),
        RunEvent::Progress(snapshot) => write!(text, "{snapshot:?}"),
        RunEvent::ForecastInput(outlook) => write!(
            text,
            "outlook {:?} {:?} {:?} {:?} {:?} {:?}",
            outlook.now,
            outlook.ledger.open(),
            outlook.fare,
            outlook.ticket_until,
            outlook.blocked_until,
            outlook.per_second
        ),
        RunEvent::TokenFetched => write!(text, "token fetched"),
        RunEvent::LockedOut { rung, until } => write!(text, "blocked {rung:?} {until}"),
        RunEvent::LockoutEnded => write!(text, "unblocked"),
        RunEvent::ConcurrencyReduced { calls } => write!(text, "narrowed {calls}"),
        RunEvent::Unreachable { failure, until } => {
            write!(text, "unreachable {failure:?} {failure} {until}")
        }
        RunEvent::Reconnected => write!(text, "reached again"),
        RunEvent::TicketRejected => write!(text, "ticket dead"),
        RunEvent::Draining { in_flight } => write!(text, "draining {in_flight}"),
        RunEvent::RetryPassStarted => write!(text, "second try"),
    };
    written.unwrap();
    text
}
