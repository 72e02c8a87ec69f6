//! A fluent scenario: a job, a remote, what goes wrong; then the run, and the six invariants.

use std::{cell::RefCell, collections::BTreeMap, path::PathBuf, rc::Rc, time::Duration};

use idferry::{
    clock::{Clock, Timestamp},
    gate::{Concurrency, Limits, Quota},
    model::State,
    rehearsal::{Rehearsal, Rehearsed, Stage, invent},
    runner::{
        OnQuota, Stop,
        event::{Ending, RunEvent},
    },
    sim::{self, Faults, Latency, Remote, Stats},
    store::{Reader, StoreError},
};

/// A job about to be run.
pub struct World {
    pub play: Rehearsal,
    subjects: u64,
    folder: tempfile::TempDir,
    prepared: bool,
    setup: Vec<Box<dyn FnOnce(&mut Remote)>>,
    stop_after: Option<u64>,
    calls_before: BTreeMap<String, u64>,
}

/// What came of it.
pub struct Told {
    pub rehearsed: Rehearsed,
    pub events: Vec<String>,
    pub export: String,
    pub tally: idferry::model::Tally,
}

impl World {
    pub fn new(subjects: u64) -> Self {
        let mut play = Rehearsal::default();
        play.quota.margin = 0.0;
        play.remote.latency = Latency {
            min: Duration::from_millis(20),
            max: Duration::from_millis(80),
        };
        Self {
            play,
            subjects,
            folder: tempfile::tempdir().unwrap(),
            prepared: false,
            setup: Vec::new(),
            stop_after: None,
            calls_before: BTreeMap::new(),
        }
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.play.remote.seed = seed;
        self.play.orders.seed = seed;
        self
    }

    pub fn faults(mut self, faults: &str) -> Self {
        self.play.remote.faults = Faults::parse(faults).unwrap();
        self
    }

    pub fn latency_millis(mut self, min: u64, max: u64) -> Self {
        let (min, max) = (Duration::from_millis(min), Duration::from_millis(max));
        self.play.remote.latency = Latency { min, max };
        self
    }

    /// The same limits for the remote and for us.
    pub fn limits(self, limits: &str) -> Self {
        let ours = limits.split(',').fold(Limits::published(), |mut all, one| {
            let (name, calls) = one.split_once('=').unwrap();
            all.set(name.parse().unwrap(), Some(calls.parse().unwrap()));
            all
        });
        self.remote_limits(limits).our_limits(ours)
    }

    pub fn remote_limits(mut self, limits: &str) -> Self {
        self.play.remote.limits = sim::Limits::parse(limits).unwrap();
        self
    }

    pub fn our_limits(mut self, limits: Limits) -> Self {
        self.play.quota.limits = limits;
        self
    }

    pub fn quota(mut self, change: impl FnOnce(&mut Quota)) -> Self {
        change(&mut self.play.quota);
        self
    }

    pub fn concurrency(mut self, calls: u16) -> Self {
        self.play.concurrency = Concurrency::Fixed(calls);
        self
    }

    pub fn kill_every(mut self, commits: u64) -> Self {
        self.play.kill_every = Some(commits);
        self
    }

    pub fn on_quota_exit(mut self) -> Self {
        self.play.orders.on_quota = OnQuota::Exit;
        self
    }

    pub fn ticket(mut self) -> Self {
        self.play.ticket = true;
        self
    }

    pub fn remote(mut self, setup: impl FnOnce(&mut Remote) + 'static) -> Self {
        self.setup.push(Box::new(setup));
        self
    }

    /// Ask the run to stop once so many subjects are answered.
    pub fn stop_after(mut self, answered: u64) -> Self {
        self.stop_after = Some(answered);
        self
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("idferry.db")
    }

    /// Runs it to its end in virtual time and checks every invariant.
    pub fn run(&mut self) -> Told {
        let told = self.try_run().unwrap();
        self.check(&told);
        told
    }

    fn try_run(&mut self) -> Result<Told, StoreError> {
        if !self.prepared {
            invent(&self.state(), self.subjects, 7, self.play.start)?;
            self.prepared = true;
        }
        let mut stage = Watching {
            events: Vec::new(),
            stop: Stop::default(),
            stop_after: self.stop_after,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        let setup = std::mem::take(&mut self.setup);
        let rehearsed = runtime.block_on(async {
            let clock = Clock::starting_at(self.play.start);
            let remote = Rc::new(RefCell::new(Remote::new(clock, self.play.remote)));
            for step in setup {
                step(&mut remote.borrow_mut());
            }
            let stop = stage.stop.clone();
            self.play
                .play_on(&self.state(), clock, remote, stop, &mut stage)
                .await
        })?;
        // The next run begins when this one ended.
        self.play.start = rehearsed.ended;
        let reader = Reader::open(&self.state())?;
        Ok(Told {
            tally: reader.tally()?,
            export: export(&reader),
            events: stage.events,
            rehearsed,
        })
    }

    fn check(&self, told: &Told) {
        let stats = &told.rehearsed.stats;
        // 2. No window of the remote's meter was exceeded (unless others share the corp).
        if self.play.remote.others == 0.0 && self.play.remote.limits == same(&self.play.quota) {
            for (path, lane) in &stats.lanes {
                assert_eq!(lane.blocks, 0, "{path} was blocked");
            }
        }
        // 3. After a full run every subject is in exactly one terminal state.
        let ending = &told.rehearsed.report.ending;
        if matches!(ending, Ending::Finished) {
            assert_eq!(told.tally.of(State::Queued), 0);
        }
        assert_eq!(told.tally.total(), self.subjects);
    }
}

fn same(quota: &Quota) -> sim::Limits {
    let mut limits = sim::Limits::none();
    for window in sim::Window::ALL {
        let span = window.name().parse().unwrap();
        limits = limits.with(window, quota.limits.of(span));
    }
    limits
}

/// The results as text, `resolved_at` left out: it says when, and a run that was interrupted has
/// other moments.
fn export(reader: &Reader) -> String {
    let mut text = String::new();
    let each = |answer: &idferry::store::Answer| -> Result<(), StoreError> {
        use std::fmt::Write;
        writeln!(
            text,
            "{},{},{},{:?},{}",
            answer.unionid,
            answer.openid,
            answer.state,
            answer.errcode,
            answer
                .links
                .iter()
                .map(|link| format!("{}:{}", link.corpid, link.external_userid))
                .collect::<Vec<_>>()
                .join(" ")
        )
        .unwrap();
        Ok(())
    };
    reader.answers(each).unwrap();
    text
}

struct Watching {
    events: Vec<String>,
    stop: Stop,
    stop_after: Option<u64>,
}

impl Stage for Watching {
    fn event(&mut self, event: &RunEvent, _remote: &Rc<RefCell<Remote>>) {
        let word = match event {
            RunEvent::Progress(snapshot) => {
                if self
                    .stop_after
                    .is_some_and(|most| snapshot.tally.answered() >= most)
                {
                    self.stop.request();
                }
                match snapshot.hold {
                    Some(hold) => format!("waiting: {}", hold.reason),
                    None => return,
                }
            }
            RunEvent::Started { .. } => "started".into(),
            RunEvent::Outlook(_) => return,
            RunEvent::TokenFetched => "token fetched".into(),
            RunEvent::Blocked { rung, .. } => format!("blocked {rung:?}"),
            RunEvent::Unblocked => "unblocked".into(),
            RunEvent::Narrowed { .. } => "narrowed".into(),
            RunEvent::Unreachable { .. } => "unreachable".into(),
            RunEvent::ReachedAgain => "reached again".into(),
            RunEvent::TicketDead => "ticket dead".into(),
            RunEvent::Draining { .. } => "draining".into(),
            RunEvent::SecondTry => "second try".into(),
        };
        if self.events.last() != Some(&word) {
            self.events.push(word);
        }
    }
}

/// The lane of lookups, as the remote saw it.
pub fn lookups(stats: &Stats) -> &sim::LaneStats {
    &stats.lanes["/cgi-bin/corpgroup/unionid_to_external_userid"]
}

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
