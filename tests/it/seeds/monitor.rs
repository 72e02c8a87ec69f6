//! Hears every event of a random scenario, moves the clocks as drawn, plants the bug between two
//! processes, and checks what only events show: lockouts are kept, no secret is reported.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash},
    path::PathBuf,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockSkew, Timestamp},
    job::JobFiles,
    quota::LockoutLevel,
    runner::{
        Stop,
        event::{RunEvent, Snapshot},
    },
    sim::SimulatedRemote,
    wecom::Endpoint,
};

use super::{
    planted::Planted,
    random_scenario::{Jump, RandomScenario, When},
};
use crate::scenario::Scenario;

/// Tokens have 214 characters, tickets 128, the secret 45, ids of people 28.
const LONGEST_WORD: usize = 27;

/// A lockout in force.
#[derive(Debug)]
struct ActiveLockout {
    until: Timestamp,
    /// Lookups that had arrived and faults drawn when it became known, and calls in flight then;
    /// `None` until the next snapshot.
    base: Option<(u64, u64, u64)>,
    kills: u64,
}

pub(super) struct Monitor {
    random: RandomScenario,
    planted: Planted,
    path: PathBuf,
    clock: Clock,
    skew: &'static ClockSkew,
    secret: String,
    pub(super) events: u64,
    pub(super) hash: DefaultHasher,
    pub(super) kills: u64,
    pub(super) lockouts: u64,
    pub(super) pauses: usize,
    /// Processes that have ended, killed or not.
    processes: u64,
    lockout: Option<ActiveLockout>,
    /// During a lockout: lookups that arrived so far and faults drawn, at the last event.
    seen: (u64, u64),
    now: Timestamp,
}

impl Monitor {
    pub(super) fn new(random: RandomScenario, planted: Planted, scenario: &Scenario) -> Self {
        Self {
            planted,
            path: scenario.state(),
            clock: scenario.session().clock,
            skew: scenario.skew.unwrap(),
            secret: scenario.sim().corp_secret().to_owned(),
            events: 0,
            hash: DefaultHasher::new(),
            kills: 0,
            lockouts: 0,
            pauses: 0,
            processes: 0,
            lockout: None,
            seen: (0, 0),
            now: random.start,
            random,
        }
    }

    pub(super) fn event(&mut self, event: &RunEvent, remote: &SimulatedRemote, stop: &Stop) {
        self.events += 1;
        if self.lockout.is_some() || matches!(event, RunEvent::LockedOut { .. }) {
            self.look_at(remote);
        }
        self.hash_and_search(event);
        match event {
            RunEvent::Progress(snapshot) => self.snapshot(snapshot, stop),
            RunEvent::LockedOut { level, until, .. } => self.locked_out(*level, *until),
            RunEvent::LockoutEnded => self.lockout = None,
            _ => {}
        }
        for place in 0..self.random.jumps.len() {
            let (when, jump) = self.random.jumps[place];
            if when == When::Event(self.events) {
                self.jump(jump, false);
            }
        }
    }

    fn look_at(&mut self, remote: &SimulatedRemote) {
        let stats = remote.stats();
        let lane = stats.lanes.get(Endpoint::LOOKUP.path);
        let calls = lane.map_or(0, |lane| lane.calls);
        (self.now, self.seen) = (remote.now(), (calls, stats.faults.values().sum()));
    }

    fn hash_and_search(&mut self, event: &RunEvent) {
        let text = text(event);
        text.hash(&mut self.hash);
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        let secret = words.any(|word| word.len() > LONGEST_WORD) || text.contains(&self.secret);
        assert!(!secret, "a secret is reported: {text}");
    }

    /// A process was killed; the next one has not started.
    pub(super) fn killed(&mut self) {
        self.kills += 1;
        if self.lockout.is_some() {
            self.check_lockout(self.random.most_in_flight());
        }
        self.between_processes();
    }

    /// What was drawn for the time between two processes.
    pub(super) fn between_processes(&mut self) {
        self.processes += 1;
        for (when, jump) in self.random.jumps.clone() {
            if when == When::Between(self.processes) {
                self.jump(jump, true);
            }
        }
        self.planted.corrupt(&self.path);
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
                let ledger = JobFiles::beside(&self.path).ledger;
                let db = rusqlite::Connection::open(ledger).unwrap();
                db.execute("UPDATE ledger SET read_boot = 7", []).unwrap();
            }
            Jump::Reboot => {}
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot, stop: &Stop) {
        let pause = self.random.pauses.get(self.pauses);
        if pause.is_some_and(|pause| snapshot.tally.answered() >= pause.answered) {
            stop.request();
        }
        if self.lockout.is_some() {
            self.check_lockout(snapshot.in_flight as u64);
        }
    }

    /// During a lockout nothing new is sent before its end, and then one probe.
    fn check_lockout(&mut self, in_flight: u64) {
        let ((calls, faults), kills, now) = (self.seen, self.kills, self.now);
        let Some(lockout) = &mut self.lockout else {
            return;
        };
        let (had, faulty, flying) = *lockout.base.get_or_insert((calls, faults, in_flight));
        // A probe without an answer may be repeated; so may one whose process was killed.
        let again = faults - faulty + kills - lockout.kills;
        let probes = if now < lockout.until { 0 } else { 1 + again };
        assert!(
            calls <= had + flying + probes,
            "{} lookups during a lockout until {} (now {now}), {flying} were in flight, {probes} \
             probes allowed",
            calls - had,
            lockout.until,
        );
    }

    fn locked_out(&mut self, level: LockoutLevel, until: Timestamp) {
        // The probe that was refused is the one that is allowed.
        if self.lockout.is_some() {
            self.check_lockout(0);
        }
        self.lockouts += 1;
        let others = self.random.others > 0.0;
        assert!(others, "locked out ({level:?}) though nothing else calls");
        // The event has wall time; the simulator's time is the ledger's.
        let left: Duration = until.since(self.clock.now());
        self.lockout = Some(ActiveLockout {
            until: self.now.plus(left),
            base: None,
            kills: self.kills,
        });
    }
}

/// An event as text, without the slots of the ledger.
fn text(event: &RunEvent) -> String {
    let mut text = String::new();
    let written = match event {
        RunEvent::Started { tally } => write!(text, "started {tally:?}"),
        RunEvent::Progress(snapshot) => write!(text, "{snapshot:?}"),
        RunEvent::ForecastInput(input) => {
            write!(text, "forecast {:?} {:?}", input.now, input.per_second)
        }
        RunEvent::TokensContested => write!(text, "tokens contested"),
        RunEvent::TokenFetched => write!(text, "token fetched"),
        RunEvent::LimitLearnt { window, calls } => write!(text, "learnt {window} {calls}"),
        RunEvent::LockedOut { level, until, .. } => write!(text, "locked out {level:?} {until}"),
        RunEvent::CounterShared => write!(text, "counter shared"),
        RunEvent::LockoutEnded => write!(text, "lockout ended"),
        RunEvent::ConcurrencyReduced { calls } => write!(text, "reduced to {calls}"),
        RunEvent::Unreachable { trouble, until } => {
            write!(text, "unreachable {trouble:?} {trouble} {until}")
        }
        RunEvent::Reconnected => write!(text, "reconnected"),
        RunEvent::Ticket(news) => write!(text, "ticket {news:?}"),
        RunEvent::TicketRejected => write!(text, "ticket rejected"),
        RunEvent::ClockDiffers(clock) => write!(text, "clock {clock:?}"),
        RunEvent::Draining { in_flight } => write!(text, "draining {in_flight}"),
        RunEvent::PassStarted { origin, .. } => write!(text, "pass {}", origin.as_str()),
        RunEvent::RetryPassStarted => write!(text, "retry pass"),
        RunEvent::Asked(asked) => write!(text, "asked {asked:?}"),
        RunEvent::Withdrawn(wish) => write!(text, "withdrawn {wish:?}"),
        RunEvent::OfPendingIds(event) => write!(text, "of pending ids: {}", self::text(event)),
        RunEvent::PendingIdsEnded(why) => write!(text, "pending ids ended {why:?}"),
    };
    written.unwrap();
    text
}
