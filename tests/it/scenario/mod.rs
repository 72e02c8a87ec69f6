//! A fluent scenario: a job, a remote, what goes wrong; then runs, with every invariant checked
//! after each of them.
//!
//! A scenario has one remote, one job file and one virtual clock, over as many runs and as many
//! kills of the process as a test wants. `driver` runs its processes, `recording_transport`
//! writes the `call_log`, `invariants` checks.

mod call_log;
mod driver;
mod invariants;
mod recording_transport;

use std::{
    cell::{Ref, RefCell, RefMut},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockSkew, Timestamp},
    export::{Filter, write_csv},
    gate::Concurrency,
    job::{JobFiles, Rehearsal, TicketPolicy, invent},
    ledger::{Ledger, StoredAccount, Tickets},
    model::{Api, Limits, State, Tally, WindowKind},
    quota::Quota,
    runner::{
        OnQuota, Stop,
        event::{RunEvent, RunReport, StopReason},
    },
    secret::Secret,
    sim::{Faults, LaneStats, Latency, SimulatedRemote, Stats},
    store::{Reader, Store},
    wecom::Endpoint,
};
use tokio::{runtime::Runtime, time::sleep};

pub(crate) use call_log::{CallLog, RecordedCall, Reply};
use driver::{Driver, KillSchedule, Listener, OnEvent, OnKill, ScheduledAction, act};
pub(crate) use invariants::contains_secret;

type RemoteSetup = Box<dyn FnOnce(&mut SimulatedRemote)>;

/// A job about to be run.
pub(crate) struct Scenario {
    pub(crate) setup: Rehearsal,
    /// How many subjects the job file should hold.
    pub(crate) subjects: u64,
    folder: tempfile::TempDir,
    prepared: bool,
    remote_setup: Vec<RemoteSetup>,
    on_event: Option<OnEvent>,
    on_kill: Option<OnKill>,
    actions: Vec<(Duration, ScheduledAction)>,
    kills: KillSchedule,
    /// Sent instead of the right one.
    pub(crate) secret: Option<String>,
    /// Answers are asked for again.
    pub(crate) asks_again: bool,
    /// Clocks that can be set.
    pub(crate) skew: Option<&'static ClockSkew>,
    session: Option<Session>,
}

/// What lasts longer than a run.
pub(crate) struct Session {
    runtime: Runtime,
    pub(crate) clock: Clock,
    pub(crate) remote: Rc<RefCell<SimulatedRemote>>,
    pub(crate) call_log: Rc<RefCell<CallLog>>,
    runs: u64,
    /// Kills over all runs.
    pub(crate) kills: u64,
}

pub(crate) struct RunResult {
    pub(crate) report: RunReport,
    pub(crate) stats: Stats,
    /// What happened, in words, repetitions left out.
    pub(crate) events: Vec<String>,
    /// Everything that was said to people and machines.
    pub(crate) output: String,
    pub(crate) export: String,
    pub(crate) tally: Tally,
    /// How often the process died in this run.
    pub(crate) kills: u64,
    pub(crate) took: Duration,
    pub(crate) ended: Timestamp,
}

impl RunResult {
    /// The results without `resolved_at`: a run that was interrupted has other moments.
    pub(crate) fn results(&self) -> String {
        timeless(&self.export)
    }

    pub(crate) fn lookups(&self) -> &LaneStats {
        &self.stats.lanes[Endpoint::LOOKUP.path]
    }

    /// How often `word` happened.
    pub(crate) fn times(&self, word: &str) -> usize {
        self.events.iter().filter(|event| *event == word).count()
    }

    pub(crate) fn finished(&self) -> bool {
        matches!(self.report.reason, StopReason::Finished)
    }

    pub(crate) fn of(&self, state: State) -> u64 {
        self.tally.of(state)
    }
}

impl Scenario {
    pub(crate) fn new(subjects: u64) -> Self {
        let mut setup = Rehearsal::default();
        setup.quota.margin = 0.0;
        Self {
            setup,
            subjects,
            folder: tempfile::tempdir().unwrap(),
            prepared: false,
            remote_setup: Vec::new(),
            on_event: None,
            on_kill: None,
            actions: Vec::new(),
            kills: KillSchedule::Never,
            secret: None,
            asks_again: false,
            skew: None,
            session: None,
        }
    }

    /// A scenario in which nothing takes time: no latency, no pacing.
    pub(crate) fn timeless(subjects: u64) -> Self {
        Self::new(subjects)
            .latency_millis(0, 0)
            .our_limits(Limits::none())
            .remote_limits("none")
    }

    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.setup.remote.seed = seed;
        self.setup.options.seed = seed;
        self
    }

    pub(crate) fn starting_at(mut self, date: &str) -> Self {
        self.setup.start = at(date);
        self
    }

    pub(crate) fn faults(mut self, faults: &str) -> Self {
        self.setup.remote.faults = Faults::parse(faults).unwrap();
        self
    }

    pub(crate) fn latency_millis(mut self, min: u64, max: u64) -> Self {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
        self.setup.remote.latency = Latency { min, max };
        self
    }

    /// The same limits for the remote and for us.
    pub(crate) fn limits(self, limits: &str) -> Self {
        self.remote_limits(limits)
            .our_limits(limits.parse().unwrap())
    }

    pub(crate) fn remote_limits(mut self, limits: &str) -> Self {
        self.setup.remote.limits = limits.parse().unwrap();
        self.setup.quota.remote = self.setup.remote.limits;
        self
    }

    pub(crate) fn our_limits(mut self, limits: Limits) -> Self {
        self.setup.quota.limits = limits;
        self
    }

    pub(crate) fn calendar(mut self) -> Self {
        self.setup.quota.window_kind = WindowKind::Calendar;
        self.setup.remote.window_kind = WindowKind::Calendar;
        self
    }

    pub(crate) fn quota(mut self, change: impl FnOnce(&mut Quota)) -> Self {
        change(&mut self.setup.quota);
        self
    }

    pub(crate) fn configure(mut self, change: impl FnOnce(&mut Rehearsal)) -> Self {
        change(&mut self.setup);
        self
    }

    pub(crate) fn concurrency(mut self, calls: u16) -> Self {
        self.setup.concurrency = Concurrency::Fixed(calls);
        self
    }

    /// Every process is killed after so many commits that settled something; 0 for never.
    pub(crate) fn kill_every(mut self, commits: u64) -> Self {
        self.kills = match commits {
            0 => KillSchedule::Never,
            commits => KillSchedule::Every(commits),
        };
        self
    }

    /// The first process is killed after so many commits that settled something.
    pub(crate) fn kill_once_after(mut self, commits: u64) -> Self {
        self.kills = KillSchedule::Once(commits);
        self
    }

    /// Processes are killed at any point, each so many milliseconds after its start.
    pub(crate) fn kill_after_millis(mut self, lives: impl IntoIterator<Item = u64>) -> Self {
        let lives = lives.into_iter().map(Duration::from_millis);
        self.kills = KillSchedule::After(lives.collect());
        self
    }

    pub(crate) fn on_quota_exit(mut self) -> Self {
        self.setup.options.on_quota = OnQuota::Exit;
        self
    }

    /// A ticket that the remote gave out just now is stored; to be called last.
    pub(crate) fn stored_ticket(mut self) -> Self {
        self.start();
        let now = self.now();
        let remote = &self.session().remote;
        let text = Secret::new(remote.borrow_mut().issue_ticket());
        let corp = remote.borrow().corp_id().to_owned();
        let ledger = self.ledger();
        let tickets = Tickets::of(&ledger, &corp);
        tickets.import(&text, now, 7 * DAY).unwrap();
        self
    }

    /// It is applied for if today's quota cannot finish the job.
    pub(crate) fn ticket(mut self) -> Self {
        self.setup.ticket = TicketPolicy::Apply;
        self
    }

    pub(crate) fn wrong_secret(mut self) -> Self {
        self.secret = Some("a-wrong-secret-of-43-characters-0123456789ab".into());
        self
    }

    /// Calls `setup` before the first run.
    pub(crate) fn remote(mut self, setup: impl FnOnce(&mut SimulatedRemote) + 'static) -> Self {
        self.remote_setup.push(Box::new(setup));
        self
    }

    /// Calls `act` so long after the next run began.
    pub(crate) fn after(
        mut self,
        wait: Duration,
        act: impl FnOnce(&mut SimulatedRemote, &'static ClockSkew) + 'static,
    ) -> Self {
        self.actions.push((wait, Box::new(act)));
        self
    }

    /// Clocks that `after` can set.
    pub(crate) fn skewed(mut self) -> Self {
        self.skew = Some(Box::leak(Box::default()));
        self
    }

    /// Listens to every event of the next run.
    pub(crate) fn on_event(
        mut self,
        on_event: impl FnMut(&RunEvent, &mut SimulatedRemote, &Stop) + 'static,
    ) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }

    /// Called after each kill of the next run, before the next process starts.
    pub(crate) fn on_kill(mut self, on_kill: impl FnMut() + 'static) -> Self {
        self.on_kill = Some(Box::new(on_kill));
        self
    }

    /// Asks the next run to stop once so many subjects are answered.
    pub(crate) fn stopping_after(self, answered: u64) -> Self {
        self.on_event(move |event, _, stop| match event {
            RunEvent::Progress(snapshot) if snapshot.tally.answered() >= answered => stop.request(),
            _ => {}
        })
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("idferry.db")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn reader(&self) -> Reader<'static> {
        Reader::open(&self.state()).unwrap()
    }

    /// The ledger, opened as another process would.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::open(&JobFiles::beside(&self.state()).ledger).unwrap()
    }

    /// The account of the lookups, as it is on disk.
    pub(crate) fn account(&self) -> StoredAccount {
        let remote = self.sim();
        self.ledger().load(remote.corp_id(), Api::Lookup).unwrap()
    }

    /// The job file, opened between two runs as another process would.
    pub(crate) fn store(&mut self) -> Store {
        self.prepare();
        let now = self.now();
        Store::open(&self.state(), now).unwrap()
    }

    /// The job file as SQLite sees it.
    pub(crate) fn sql<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        let db = rusqlite::Connection::open(self.state()).unwrap();
        db.query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.session {
            Some(session) => session.now(),
            None => self.setup.start,
        }
    }

    /// The simulator's time, which no setting of the wall clock moves.
    pub(crate) fn remote_now(&self) -> Timestamp {
        let Session {
            runtime, remote, ..
        } = self.session();
        runtime.block_on(async { remote.borrow().now() })
    }

    pub(crate) fn call_log(&self) -> Ref<'_, CallLog> {
        self.session().call_log.borrow()
    }

    /// How many lookups were sent so far.
    pub(crate) fn sent(&self) -> usize {
        self.call_log().lookups().count()
    }

    /// How many of them had a ticket.
    pub(crate) fn sent_with_ticket(&self) -> usize {
        let call_log = self.call_log();
        call_log.lookups().filter(|call| call.with_ticket).count()
    }

    pub(crate) fn sim(&self) -> RefMut<'_, SimulatedRemote> {
        self.session().remote.borrow_mut()
    }

    /// Lets so much time pass without a run.
    pub(crate) fn idle(&mut self, span: Duration) {
        self.start();
        let runtime = &self.session().runtime;
        runtime.block_on(async { sleep(span).await });
    }

    /// The machine reboots, with its wall clock off by so much more.
    pub(crate) fn reboot(&mut self, wall_millis: i64) {
        let session = self.session.as_mut().unwrap();
        session.clock = session.runtime.block_on(async { session.clock.rebooted() });
        let skew = self.skew.expect("a scenario with clocks that can be set");
        skew.wall
            .fetch_add(wall_millis, std::sync::atomic::Ordering::Relaxed);
    }

    /// Imports nothing: the test imports its own subjects.
    pub(crate) fn bare(mut self) -> Self {
        self.prepared = true;
        self
    }

    fn prepare(&mut self) {
        if !std::mem::replace(&mut self.prepared, true) {
            invent(&self.state(), self.subjects, 7, self.setup.start).unwrap();
        }
    }

    pub(crate) fn start(&mut self) {
        if self.session.is_some() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (start, options) = (self.setup.start, self.setup.remote);
        let (clock, remote) = runtime.block_on(async {
            let clock = Clock::starting_at(start);
            let clock = self.skew.map_or(clock, |skew| clock.skewed(skew));
            let remote = SimulatedRemote::new(clock, options);
            (clock, Rc::new(RefCell::new(remote)))
        });
        for step in std::mem::take(&mut self.remote_setup) {
            step(&mut remote.borrow_mut());
        }
        self.session = Some(Session {
            runtime,
            clock,
            remote,
            call_log: Rc::default(),
            runs: 0,
            kills: 0,
        });
    }

    /// Runs it to its end in virtual time and checks every invariant.
    pub(crate) fn run(&mut self) -> RunResult {
        self.prepare();
        self.start();
        let mut session = self.session.take().unwrap();
        let mut listener = Listener::new(self.on_event.take(), self.on_kill.take());
        let actions = std::mem::take(&mut self.actions);
        let mut kills = std::mem::take(&mut self.kills);
        let skew = self.skew.unwrap_or_else(|| Box::leak(Box::default()));
        let began = session.now();
        let driver = Driver {
            scenario: self,
            session: &session,
            path: self.state(),
        };
        let (report, killed) = session.runtime.block_on(async {
            tokio::select! {
                biased;
                () = act(actions, skew, &session.remote) => unreachable!(),
                ended = driver.processes(&mut kills, &mut listener) => ended,
            }
        });
        session.runs += 1;
        session.kills += killed;
        session.call_log.borrow_mut().next_process();
        let (stats, ended) = (session.remote.borrow().stats(), session.now());
        self.session = Some(session);
        let reader = self.reader();
        let result = RunResult {
            tally: reader.tally().unwrap(),
            export: export(&reader),
            events: std::mem::take(&mut listener.events),
            output: listener.output(&report),
            took: ended.since(began),
            report,
            stats,
            kills: killed,
            ended,
        };
        drop(reader);
        self.check(&result);
        result
    }

    /// Checks every invariant, in the runtime, whose time it is.
    pub(crate) fn check(&self, result: &RunResult) {
        let runtime = &self.session().runtime;
        runtime.block_on(async { invariants::check(self, result) });
    }

    pub(crate) fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }
}

impl Session {
    /// Does `work` in the runtime, whose time it is.
    pub(crate) fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.runtime.block_on(work)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.runtime.block_on(async { self.clock.now() })
    }
}

pub(crate) fn export(reader: &Reader) -> String {
    let mut bytes = Vec::new();
    write_csv(reader, &mut bytes, &Filter::default()).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Results without the last column, `resolved_at`, which no two runs share.
pub(crate) fn timeless(results: &str) -> String {
    let cut = |line: &str| line.rsplit_once(',').unwrap().0.to_owned() + "\n";
    results.lines().map(cut).collect()
}

/// Asserts that two results files are equal; names the first line in which they differ.
#[track_caller]
pub(crate) fn same(one: &str, other: &str) {
    let mut pairs = one.lines().zip(other.lines());
    assert_eq!(pairs.find(|(one, other)| one != other), None);
    assert_eq!(one.len(), other.len());
}

pub(crate) fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) const MINUTE: Duration = secs(60);
pub(crate) const HOUR: Duration = secs(3600);
pub(crate) const DAY: Duration = secs(86_400);
