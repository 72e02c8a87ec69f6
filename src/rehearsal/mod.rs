//! A run in virtual time: the real runner, store and gate against the simulator in memory.
//!
//! `idferry rehearse` is this, and so is every scenario of the tests. Weeks pass in seconds, from
//! one seed, and the process may "die" after any commit: what is not on disk is forgotten, calls
//! in the air are lost on our side and stay counted on the other.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use crate::{
    clock::{Clock, Timestamp},
    gate::{Concurrency, Quota},
    model::Row,
    runner::{
        RunOptions, Runner, Stop, begin,
        event::{RunEvent, RunReport},
        open_gate, ticket,
    },
    secret::Secret,
    sim::{self, Remote, Stats, transport::MemoryTransport},
    store::{Result, Store},
    wecom::Client,
};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The remote.
    pub remote: sim::Options,
    /// What the operator allows.
    pub quota: Quota,
    /// Calls in the air.
    pub concurrency: Concurrency,
    /// How the run is driven.
    pub orders: RunOptions,
    /// Apply for a ticket before the run, and send it.
    pub ticket: bool,
    /// The date at which it begins.
    pub start: Timestamp,
    /// Die after every so many commits.
    pub kill_every: Option<u64>,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self {
            remote: sim::Options::default(),
            quota: Quota::default(),
            concurrency: Concurrency::default(),
            orders: RunOptions::default(),
            ticket: false,
            // A Sunday, as most of these jobs begin on one.
            start: Timestamp::from_millis(1_795_309_200_000),
            kill_every: None,
        }
    }
}

/// What it came to.
pub struct Rehearsed {
    /// The last life's report.
    pub report: RunReport,
    /// What the remote counted.
    pub stats: Stats,
    /// How often the process died.
    pub kills: u64,
    /// Virtual time passed.
    pub took: Duration,
    /// The moment it ended, by the wall.
    pub ended: Timestamp,
}

/// Things that happen around a rehearsal. The default does nothing.
pub trait Stage {
    /// Hears every event, with the remote at hand.
    fn event(&mut self, _event: &RunEvent, _remote: &Rc<RefCell<Remote>>) {}
    /// The process has died for the n-th time; the next one has not begun.
    fn died(&mut self, _kills: u64) {}
}

/// Nothing happens.
pub struct Quiet;

impl Stage for Quiet {}

impl Rehearsal {
    /// Plays the run over the state file at `path`, whose subjects are enrolled, on this thread
    /// and in virtual time.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn play(&self, path: &Path, stage: &mut dyn Stage) -> Result<Rehearsed> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(async {
            let clock = Clock::starting_at(self.start);
            let remote = Rc::new(RefCell::new(Remote::new(clock, self.remote)));
            self.play_on(path, clock, remote, Stop::default(), stage)
                .await
        })
    }

    /// The same in a runtime, on a clock and against a remote of the caller's.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub async fn play_on(
        &self,
        path: &Path,
        clock: Clock,
        remote: Rc<RefCell<Remote>>,
        stop: Stop,
        stage: &mut dyn Stage,
    ) -> Result<Rehearsed> {
        let began = clock.now();
        let mut kills = 0;
        let report = loop {
            let stop = stop.clone();
            if let Some(report) = self.live(path, clock, &remote, stop, kills, stage).await? {
                break report;
            }
            kills += 1;
            stage.died(kills);
        };
        let stats = remote.borrow().stats();
        let ended = clock.now();
        Ok(Rehearsed {
            report,
            stats,
            kills,
            took: ended.since(began),
            ended,
        })
    }

    /// One life of the process. `None` if it died.
    async fn live(
        &self,
        path: &Path,
        clock: Clock,
        remote: &Rc<RefCell<Remote>>,
        stop: Stop,
        kills: u64,
        stage: &mut dyn Stage,
    ) -> Result<Option<RunReport>> {
        let mut store = Store::open(path, clock.now())?;
        store.disable_fsync()?;
        let client = self.client(remote);
        store.bind_corp(client.corp_id())?;
        let (gate, books) = open_gate(
            &store,
            &self.quota,
            self.concurrency,
            clock,
            self.orders.call_timeout,
        )?;
        let mut ticket = ticket::stored(&store, clock)?;
        if self.ticket && store.tickets().latest_application()?.is_none() {
            // What else it may come to, a later life finds on disk.
            if let ticket::Applied::Ticket(fresh, _) = ticket::apply(&store, &client, clock).await?
            {
                ticket = Some(fresh);
            }
        }
        let run = begin(&store, "rehearse", &self.quota, clock)?;
        let mut orders = self.orders.clone();
        orders.crash_after = self.kill_every;
        orders.seed = orders.seed.wrapping_add(kills);
        let listener = Box::new(|event: &RunEvent| stage.event(event, remote));
        Runner::new(&mut store, run, gate, client, books, orders, listener)?
            .with_ticket(ticket)
            .stopping_at(stop)
            .drive()
            .await
    }

    fn client(&self, remote: &Rc<RefCell<Remote>>) -> Client {
        let transport = MemoryTransport::new(Rc::clone(remote), self.orders.call_timeout);
        let remote = remote.borrow();
        let secret = Secret::new(remote.corp_secret().to_owned());
        Client::new(Rc::new(transport), remote.corp_id(), secret)
    }
}

/// Enrols `subjects` invented ones into the state file at `path`.
///
/// # Errors
///
/// What the disk says.
pub fn invent(path: &Path, subjects: u64, seed: u64, now: Timestamp) -> Result<()> {
    let mut store = Store::open(path, now)?;
    store.disable_fsync()?;
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut import = store.import("invented", None)?;
    for _ in 0..subjects {
        let (unionid, openid) = (id(&mut chance), id(&mut chance));
        import.add(&Row {
            unionid: &unionid,
            openid: &openid,
            corpid: None,
        })?;
    }
    import.finish(subjects, 0, now)?;
    Ok(())
}

/// As ids look: an o and 27 characters.
fn id(chance: &mut fastrand::Rng) -> String {
    let mut id = String::with_capacity(28);
    id.push('o');
    id.extend(std::iter::repeat_with(|| chance.alphanumeric()).take(27));
    id
}

/// A folder for a rehearsal's state file; removed when dropped, unless kept.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A new one, in the system's folder for such.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn new() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("idferry-rehearsal-")
            .tempdir()?;
        Ok(Self(folder))
    }

    /// Where the state file lies in it.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.path().join("idferry.db")
    }

    /// Leaves it to be looked at.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        self.0.keep().join("idferry.db")
    }
}
