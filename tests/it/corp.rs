//! Several jobs of one corp at once over one ledger, each a process of its own that is killed now
//! and then, in virtual time: together they never exceed a window, lose nothing, and use what
//! there is.

use std::{cell::RefCell, path::Path, rc::Rc, time::Duration};

use fastrand::Rng;
use idferry::{
    clock::Clock,
    gate::Concurrency,
    job::{JobFiles, Operator, Rehearsal, Session, invent},
    model::State,
    runner::{RunOptions, Stop, event::StopReason},
    secret::Secret,
    sim::{LaneStats, Latency, MemoryTransport, SimulatedRemote},
    store::Reader,
    wecom::{Client, Endpoint},
};

/// What happens to the files between two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    /// The ledger is deleted while no process uses it.
    LedgerDeleted,
    /// The job file is put back to a copy made at the beginning.
    JobRestored,
    /// What a ledger without the rule would have forgotten: the planted bug.
    AllForgotten,
}

#[derive(Debug, Clone)]
struct CorpScenario {
    seed: u64,
    /// Subjects of each job.
    jobs: Vec<u64>,
    limits: &'static str,
    latency_millis: (u64, u64),
    kill_every: Option<u64>,
    mishap: Mishap,
}

impl CorpScenario {
    fn random(seed: u64) -> Self {
        let mut chance = Rng::with_seed(seed);
        let limits = [
            "none,basic.minute=40,business.hour=300",
            "none,business.hour=120,business.day=500",
            "none,basic.minute=30,business.day=200,business.month=900",
            "none,basic.hour=150",
        ];
        let jobs = (0..chance.usize(2..=5))
            .map(|_| chance.u64(50..=300))
            .collect();
        Self {
            seed,
            jobs,
            limits: limits[chance.usize(..limits.len())],
            latency_millis: (chance.u64(1..=200), chance.u64(200..=4_000)),
            kill_every: chance.bool().then(|| chance.u64(3..=20)),
            mishap: [Mishap::None, Mishap::LedgerDeleted, Mishap::JobRestored][chance.usize(..3)],
        }
    }

    fn rehearsal(&self) -> Rehearsal {
        let (min, max) = self.latency_millis;
        let mut rehearsal = Rehearsal::default();
        rehearsal.remote.seed = self.seed;
        rehearsal.remote.limits = self.limits.parse().unwrap();
        rehearsal.remote.latency = Latency {
            min: Duration::from_millis(min),
            max: Duration::from_millis(max),
        };
        rehearsal.quota.limits = rehearsal.remote.limits;
        rehearsal.quota.remote = rehearsal.remote.limits;
        rehearsal.quota.margin = 0.0;
        rehearsal.concurrency = Concurrency::Fixed(6);
        rehearsal.options = RunOptions {
            seed: self.seed,
            ..RunOptions::default()
        };
        rehearsal
    }

    /// Runs every job to its end; returns what the remote counted and the virtual time it took.
    fn run(&self) -> (LaneStats, Duration) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let rehearsal = self.rehearsal();
        let tasks = tokio::task::LocalSet::new();
        let remote = runtime.block_on(tasks.run_until(async {
            let clock = Clock::starting_at(rehearsal.start);
            let remote = SimulatedRemote::new(clock, rehearsal.remote);
            let remote = Rc::new(RefCell::new(remote));
            let jobs = self.jobs.iter().enumerate().map(|(number, subjects)| {
                let job = Job {
                    files: JobFiles {
                        job: folder.path().join(format!("job{number}.db")),
                        ledger: folder.path().join("corp.ledger.db"),
                    },
                    scenario: self.clone(),
                    rehearsal: rehearsal.clone(),
                    clock,
                    remote: Rc::clone(&remote),
                };
                invent(
                    &job.files.job,
                    *subjects,
                    self.seed + number as u64,
                    clock.now(),
                )
                .unwrap();
                tokio::task::spawn_local(job.run())
            });
            for job in jobs.collect::<Vec<_>>() {
                job.await.unwrap();
            }
            remote
        }));
        let remote = remote.borrow_mut();
        let took = runtime.block_on(async { remote.now().since(rehearsal.start) });
        (remote.stats().lanes[Endpoint::LOOKUP.path].clone(), took)
    }

    /// No window was exceeded, and every subject was asked.
    fn check(&self) -> Duration {
        let (lane, took) = self.run();
        assert_eq!(lane.lockouts, 0, "{self:?}: {:?}", lane.windows);
        assert!(lane.calls >= self.jobs.iter().sum::<u64>(), "{self:?}");
        took
    }
}

struct Job {
    files: JobFiles,
    scenario: CorpScenario,
    rehearsal: Rehearsal,
    clock: Clock,
    remote: Rc<RefCell<SimulatedRemote>>,
}

struct Silent;

impl Operator for Silent {}

impl Job {
    async fn run(self) {
        let copy = self.files.job.with_extension("copy");
        std::fs::copy(&self.files.job, &copy).unwrap();
        let mut restored = false;
        for kills in 0.. {
            match self.process(kills).await {
                Some(reason) => {
                    assert!(matches!(reason, StopReason::Finished), "{reason:?}");
                    break;
                }
                None => self.mishap(&copy, &mut restored),
            }
        }
        let tally = Reader::open(&self.files.job).unwrap().tally().unwrap();
        assert_eq!(tally.of(State::Queued), 0);
    }

    /// One process; `None` if it was killed.
    async fn process(&self, kills: u64) -> Option<StopReason> {
        let settings = self.rehearsal.settings(self.scenario.kill_every, kills);
        let mut session = Session::open(self.files.clone(), settings, self.clock).unwrap();
        session.disable_fsync().unwrap();
        let run = session.begin("run").unwrap();
        let mut silent = Silent;
        let outcome = session.drive(run, self.client(), Stop::default(), &mut silent);
        Some(outcome.await.unwrap()?.report.reason)
    }

    fn mishap(&self, copy: &Path, restored: &mut bool) {
        match self.scenario.mishap {
            Mishap::None => {}
            Mishap::JobRestored if !*restored => {
                *restored = true;
                remove(&self.files.job);
                std::fs::copy(copy, &self.files.job).unwrap();
            }
            Mishap::JobRestored => {}
            Mishap::LedgerDeleted if self.scenario.jobs.len() == 1 => remove(&self.files.ledger),
            Mishap::LedgerDeleted => {}
            Mishap::AllForgotten => {
                for file in [&self.files.job, &self.files.ledger] {
                    let db = rusqlite::Connection::open(file).unwrap();
                    db.execute_batch("DELETE FROM charges; DELETE FROM writers")
                        .unwrap();
                }
            }
        }
    }

    fn client(&self) -> Client {
        let timeout = self.rehearsal.options.call_timeout;
        let transport = MemoryTransport::new(Rc::clone(&self.remote), timeout);
        let remote = self.remote.borrow();
        let secret = Secret::new(remote.corp_secret().to_owned());
        Client::new(Rc::new(transport), remote.corp_id(), secret)
    }
}

/// Deletes a database and its log.
fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let _ = std::fs::remove_file(name);
    }
}

#[test]
fn jobs_of_one_corp_never_exceed_a_window_together() {
    let seeds = std::env::var("IDFERRY_CORP_SEEDS").map_or(8, |text| text.parse().unwrap());
    for seed in 0..seeds {
        CorpScenario::random(seed).check();
    }
}

#[test]
fn four_jobs_use_a_steady_quota_to_ninety_seven_percent() {
    let scenario = CorpScenario {
        seed: 1,
        jobs: vec![300; 4],
        limits: "none,business.hour=100",
        latency_millis: (20, 300),
        kill_every: None,
        mishap: Mishap::None,
    };
    let took = scenario.check();
    // 1,200 calls at 100 an hour: the last hundred are sent in the twelfth hour.
    let ideal = Duration::from_secs(11 * 3600);
    let share = ideal.as_secs_f64() / took.as_secs_f64();
    assert!(share >= 0.97, "{share}");
}

/// One job whose ledger is deleted after every kill: its own counters restore it.
#[test]
fn lost_ledger_is_rebuilt_from_the_job() {
    for seed in 0..6 {
        let mut scenario = CorpScenario::random(seed);
        scenario.jobs = vec![200];
        scenario.kill_every = Some(5);
        scenario.mishap = Mishap::LedgerDeleted;
        scenario.check();
    }
}

#[test]
fn planted_loss_of_all_counters_is_caught() {
    let caught = (0..20).any(|seed| {
        let mut scenario = CorpScenario::random(seed);
        scenario.kill_every = Some(4);
        scenario.mishap = Mishap::AllForgotten;
        scenario.run().0.lockouts > 0
    });
    assert!(caught);
}
