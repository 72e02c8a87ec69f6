//! A fluent scenario: a job, a remote, what goes wrong; then runs, and the six invariants after
//! each of them.
//!
//! One world has one remote, one state file and one virtual clock, over as many runs and as many
//! deaths of the process as a test wants.

use std::{
    cell::{Ref, RefCell, RefMut},
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockSkew, Timestamp},
    export::{Filter, write_csv},
    gate::{Concurrency, Quota},
    job::{Rehearsal, invent},
    model::{Limits, State, Tally, WindowKind},
    runner::{
        OnQuota, Stop,
        event::{RunEvent, RunReport, StopReason},
    },
    sim::{Faults, LaneStats, Latency, Remote, Stats},
    store::{Reader, Store},
    wecom::wire,
};
use tokio::{runtime::Runtime, time::sleep};

use crate::{
    ear::Heap,
    invariants,
    stage::{Act, Deaths, Heed, Listener, Stage, act},
};

type Setup = Box<dyn FnOnce(&mut Remote)>;

/// A job about to be run.
pub(crate) struct World {
    pub(crate) play: Rehearsal,
    /// How many subjects the state file should hold.
    pub(crate) subjects: u64,
    folder: tempfile::TempDir,
    prepared: bool,
    setup: Vec<Setup>,
    heed: Option<Heed>,
    acts: Vec<(Duration, Act)>,
    deaths: Deaths,
    /// Sent instead of the right one.
    pub(crate) secret: Option<String>,
    /// Something was put back in the queue, so that answers may be asked for again.
    pub(crate) requeued: bool,
    /// Clocks that can be set.
    pub(crate) skew: Option<&'static ClockSkew>,
    scene: Option<Scene>,
}

/// What lasts longer than a run.
pub(crate) struct Scene {
    runtime: Runtime,
    pub(crate) clock: Clock,
    pub(crate) remote: Rc<RefCell<Remote>>,
    pub(crate) heap: Rc<RefCell<Heap>>,
    /// How often the process died, over all runs.
    pub(crate) kills: u64,
}

/// What came of a run.
pub(crate) struct Told {
    pub(crate) report: RunReport,
    pub(crate) stats: Stats,
    /// What happened, in words, repetitions left out.
    pub(crate) events: Vec<String>,
    /// Everything that was said to people and machines.
    pub(crate) said: String,
    pub(crate) export: String,
    pub(crate) tally: Tally,
    /// How often the process died in this run.
    pub(crate) kills: u64,
    pub(crate) took: Duration,
    pub(crate) ended: Timestamp,
}

impl Told {
    /// The results without `resolved_at`: a run that was interrupted has other moments.
    pub(crate) fn results(&self) -> String {
        let cut = |line: &str| line.rsplit_once(',').map(|(rest, _)| format!("{rest}\n"));
        self.export.lines().filter_map(cut).collect()
    }

    pub(crate) fn lookups(&self) -> &LaneStats {
        &self.stats.lanes[wire::UNIONID_TO_EXTERNAL_USERID]
    }

    /// How often `word` happened.
    pub(crate) fn times(&self, word: &str) -> usize {
        self.events.iter().filter(|event| *event == word).count()
    }

    pub(crate) fn finished(&self) -> bool {
        matches!(self.report.ending, StopReason::Finished)
    }

    pub(crate) fn of(&self, state: State) -> u64 {
        self.tally.of(state)
    }
}

impl World {
    pub(crate) fn new(subjects: u64) -> Self {
        let mut play = Rehearsal::default();
        play.quota.margin = 0.0;
        Self {
            play,
            subjects,
            folder: tempfile::tempdir().unwrap(),
            prepared: false,
            setup: Vec::new(),
            heed: None,
            acts: Vec::new(),
            deaths: Deaths::Never,
            secret: None,
            requeued: false,
            skew: None,
            scene: None,
        }
    }

    /// A world in which nothing takes time: no latency, no pacing.
    pub(crate) fn timeless(subjects: u64) -> Self {
        Self::new(subjects)
            .latency_millis(0, 0)
            .our_limits(Limits::none())
            .remote_limits("none")
    }

    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.play.remote.seed = seed;
        self.play.options.seed = seed;
        self
    }

    pub(crate) fn starting_at(mut self, date: &str) -> Self {
        self.play.start = at(date);
        self
    }

    pub(crate) fn faults(mut self, faults: &str) -> Self {
        self.play.remote.faults = Faults::parse(faults).unwrap();
        self
    }

    pub(crate) fn latency_millis(mut self, min: u64, max: u64) -> Self {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
        self.play.remote.latency = Latency { min, max };
        self
    }

    /// The same limits for the remote and for us.
    pub(crate) fn limits(self, limits: &str) -> Self {
        let start = match limits.starts_with("none") {
            true => Limits::none(),
            false => Limits::published(),
        };
        let pairs = limits.split(',').filter_map(|one| one.split_once('='));
        let ours = pairs.fold(start, |mut all, (name, calls)| {
            all.set(name.parse().unwrap(), Some(calls.parse().unwrap()));
            all
        });
        self.remote_limits(limits).our_limits(ours)
    }

    pub(crate) fn remote_limits(mut self, limits: &str) -> Self {
        self.play.remote.limits = limits.parse::<Limits>().unwrap();
        self
    }

    pub(crate) fn our_limits(mut self, limits: Limits) -> Self {
        self.play.quota.limits = limits;
        self
    }

    pub(crate) fn calendar(mut self) -> Self {
        self.play.quota.counting = idferry::model::WindowKind::Calendar;
        self.play.remote.counting = WindowKind::Calendar;
        self
    }

    pub(crate) fn quota(mut self, change: impl FnOnce(&mut Quota)) -> Self {
        change(&mut self.play.quota);
        self
    }

    pub(crate) fn play(mut self, change: impl FnOnce(&mut Rehearsal)) -> Self {
        change(&mut self.play);
        self
    }

    pub(crate) fn concurrency(mut self, calls: u16) -> Self {
        self.play.concurrency = Concurrency::Fixed(calls);
        self
    }

    /// Every process dies after so many commits that settled something; 0 for never.
    pub(crate) fn dying_every(mut self, commits: u64) -> Self {
        self.deaths = match commits {
            0 => Deaths::Never,
            commits => Deaths::Every(commits),
        };
        self
    }

    /// The first process dies after so many commits that settled something.
    pub(crate) fn dying_once_after(mut self, commits: u64) -> Self {
        self.deaths = Deaths::Once(commits);
        self
    }

    /// Processes die in the middle of anything, each so many milliseconds after it began.
    pub(crate) fn dying_after_millis(mut self, lives: impl IntoIterator<Item = u64>) -> Self {
        let lives = lives.into_iter().map(Duration::from_millis);
        self.deaths = Deaths::After(lives.collect());
        self
    }

    pub(crate) fn on_quota_exit(mut self) -> Self {
        self.play.options.on_quota = OnQuota::Exit;
        self
    }

    pub(crate) fn ticket(mut self) -> Self {
        self.play.ticket = true;
        self
    }

    pub(crate) fn wrong_secret(mut self) -> Self {
        self.secret = Some("a-wrong-secret-of-43-characters-0123456789ab".into());
        self
    }

    /// Does something to the remote before the first run.
    pub(crate) fn remote(mut self, setup: impl FnOnce(&mut Remote) + 'static) -> Self {
        self.setup.push(Box::new(setup));
        self
    }

    /// Does something so long after the next run began.
    pub(crate) fn after(
        mut self,
        wait: Duration,
        act: impl FnOnce(&mut Remote, &'static ClockSkew) + 'static,
    ) -> Self {
        self.acts.push((wait, Box::new(act)));
        self
    }

    /// Clocks that `after` can set.
    pub(crate) fn skewed(mut self) -> Self {
        self.skew = Some(Box::leak(Box::default()));
        self
    }

    /// Listens to every event of the next run.
    pub(crate) fn heeding(
        mut self,
        heed: impl FnMut(&RunEvent, &mut Remote, &Stop) + 'static,
    ) -> Self {
        self.heed = Some(Box::new(heed));
        self
    }

    /// Asks the next run to stop once so many subjects are answered.
    pub(crate) fn stopping_after(self, answered: u64) -> Self {
        self.heeding(move |event, _, stop| match event {
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

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(&self.state()).unwrap()
    }

    /// The state file, opened between two runs as another process would.
    pub(crate) fn store(&mut self) -> Store {
        self.prepare();
        let now = self.now();
        Store::open(&self.state(), now).unwrap()
    }

    /// The state file as SQLite sees it.
    pub(crate) fn sql<T: rusqlite::types::FromSql>(&self, query: &str) -> T {
        let db = rusqlite::Connection::open(self.state()).unwrap();
        db.query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        match &self.scene {
            Some(scene) => scene.runtime.block_on(async { scene.clock.now() }),
            None => self.play.start,
        }
    }

    pub(crate) fn heap(&self) -> Ref<'_, Heap> {
        self.scene.as_ref().unwrap().heap.borrow()
    }

    pub(crate) fn sim(&self) -> RefMut<'_, Remote> {
        self.scene.as_ref().unwrap().remote.borrow_mut()
    }

    /// Nothing happens for so long.
    pub(crate) fn rests(&mut self, span: Duration) {
        self.set_scene();
        let scene = self.scene.as_ref().unwrap();
        scene.runtime.block_on(async { sleep(span).await });
    }

    /// Nothing is enrolled but what the test enrols itself.
    pub(crate) fn bare(mut self) -> Self {
        self.prepared = true;
        self
    }

    fn prepare(&mut self) {
        if !std::mem::replace(&mut self.prepared, true) {
            invent(&self.state(), self.subjects, 7, self.play.start).unwrap();
        }
    }

    pub(crate) fn set_scene(&mut self) {
        if self.scene.is_some() {
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (start, options) = (self.play.start, self.play.remote);
        let (clock, remote) = runtime.block_on(async {
            let clock = Clock::starting_at(start);
            let clock = self.skew.map_or(clock, |skew| clock.skewed(skew));
            (clock, Rc::new(RefCell::new(Remote::new(clock, options))))
        });
        for step in std::mem::take(&mut self.setup) {
            step(&mut remote.borrow_mut());
        }
        self.scene = Some(Scene {
            runtime,
            clock,
            remote,
            heap: Rc::default(),
            kills: 0,
        });
    }

    /// Runs it to its end in virtual time and checks every invariant.
    pub(crate) fn run(&mut self) -> Told {
        self.prepare();
        self.set_scene();
        let mut scene = self.scene.take().unwrap();
        let mut listener = Listener::new(self.heed.take());
        let acts = std::mem::take(&mut self.acts);
        let mut deaths = std::mem::take(&mut self.deaths);
        let began = scene.runtime.block_on(async { scene.clock.now() });
        let (report, kills) = {
            let stage = Stage {
                world: self,
                clock: scene.clock,
                remote: &scene.remote,
                heap: &scene.heap,
                path: self.state(),
            };
            let skew = self.skew.unwrap_or_else(|| Box::leak(Box::default()));
            scene.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = act(acts, skew, &scene.remote) => unreachable!(),
                    told = stage.lives(&mut deaths, &mut listener) => told,
                }
            })
        };
        scene.kills += kills;
        scene.heap.borrow_mut().next();
        let stats = scene.remote.borrow().stats();
        let ended = scene.runtime.block_on(async { scene.clock.now() });
        self.scene = Some(scene);
        let reader = self.reader();
        let told = Told {
            tally: reader.tally().unwrap(),
            export: export(&reader),
            events: std::mem::take(&mut listener.events),
            said: listener.said(&report),
            took: ended.since(began),
            report,
            stats,
            kills,
            ended,
        };
        drop(reader);
        invariants::check(self, &told);
        told
    }

    pub(crate) fn scene(&self) -> &Scene {
        self.scene.as_ref().unwrap()
    }
}

/// The results file.
pub(crate) fn export(reader: &Reader) -> String {
    let mut bytes = Vec::new();
    write_csv(reader, &mut bytes, &Filter::default()).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Two results files are the same, or the first line in which they differ is told.
#[track_caller]
pub(crate) fn same(one: &str, other: &str) {
    let differing = one
        .lines()
        .zip(other.lines())
        .find(|(one, other)| one != other);
    assert_eq!(differing, None);
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
