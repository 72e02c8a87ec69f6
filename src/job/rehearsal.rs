//! A run in virtual time: the real runner, store and gate against the simulator in memory.
//!
//! `idferry rehearse` is this, and so is every scenario of the tests. Weeks pass in seconds, from
//! one seed, and the process may "die" after any commit: what is not on disk is forgotten, calls
//! in flight are lost on this side and stay counted on the other.

use std::{cell::RefCell, collections::BTreeMap, path::Path, rc::Rc, time::Duration};

use serde::Serialize;

use super::{
    error::Error,
    files::JobFiles,
    operator::Operator,
    passes::Refresh,
    session::{Session, SessionSettings},
    ticket::TicketPolicy,
};
use crate::{
    clock::{Clock, Timestamp},
    gate::Concurrency,
    model::{QuotaWindow, Row, State, Tally},
    plan::ideal_seconds,
    quota::{CallKind, Quota},
    runner::{
        RunOptions, Stop,
        event::{RunEvent, RunReport},
    },
    secret::Secret,
    sim::{self, MemoryTransport, SimulatedRemote, Stats},
    store::Store,
    wecom::{Client, Endpoint},
};

/// What to rehearse.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The remote.
    pub remote: sim::SimOptions,
    /// What the operator allows.
    pub quota: Quota,
    /// The most calls in flight.
    pub concurrency: Concurrency,
    /// How the run is driven.
    pub options: RunOptions,
    /// Whether a ticket is sent, and where it may come from.
    pub ticket: TicketPolicy,
    /// The date at which it begins.
    pub start: Timestamp,
    /// Ask answers again that have grown old, as a resync does.
    pub refresh: Option<Refresh>,
    /// Whether pending_ids are asked for beside the lookups.
    pub pending_ids: bool,
    /// Whether `idferry pause` and its like are obeyed; looking for them once a second takes time.
    pub is_steered: bool,
    /// Die after every so many commits that settle something.
    pub kill_every: Option<u64>,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self {
            remote: sim::SimOptions::default(),
            quota: Quota::default(),
            concurrency: Concurrency::default(),
            options: RunOptions::default(),
            ticket: TicketPolicy::Stored,
            // A Sunday, as most of these jobs begin on one.
            start: Timestamp::from_millis(1_795_309_200_000),
            refresh: None,
            pending_ids: false,
            is_steered: false,
            kill_every: None,
        }
    }
}

/// How a rehearsal ended.
pub struct Rehearsed {
    /// The report of the last process.
    pub report: RunReport,
    /// What the remote counted.
    pub stats: Stats,
    /// How often the process died.
    pub kills: u64,
    /// Virtual time passed.
    pub took: Duration,
    /// The moment it ended, by the wall clock.
    pub ended: Timestamp,
}

/// Watches a rehearsal, and may steer its remote. By default it does nothing.
pub trait RehearsalObserver {
    /// Something happened in the run.
    fn event(&mut self, _event: &RunEvent, _remote: &Rc<RefCell<SimulatedRemote>>) {}
    /// The process has died for the `kills`-th time; the next one has not begun.
    fn died(&mut self, _kills: u64) {}
}

/// Watches nothing.
pub struct Unobserved;

impl RehearsalObserver for Unobserved {}

/// Hands a session's events to an observer.
struct Rehearsing<'o> {
    observer: &'o mut dyn RehearsalObserver,
    remote: &'o Rc<RefCell<SimulatedRemote>>,
}

impl Operator for Rehearsing<'_> {
    fn event(&mut self, event: &RunEvent) {
        self.observer.event(event, self.remote);
    }
}

impl Rehearsal {
    /// Plays the run over the job file at `path`, whose subjects are imported, on this thread and
    /// in virtual time.
    ///
    /// # Errors
    ///
    /// Those of the session.
    pub fn play(
        &self,
        path: &Path,
        observer: &mut dyn RehearsalObserver,
    ) -> Result<Rehearsed, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(async {
            let clock = Clock::starting_at(self.start);
            let remote = Rc::new(RefCell::new(SimulatedRemote::new(clock, self.remote)));
            self.play_on(path, clock, remote, Stop::default(), observer)
                .await
        })
    }

    /// The same in a runtime, on a clock and against a remote of the caller's.
    ///
    /// # Errors
    ///
    /// Those of the session.
    pub async fn play_on(
        &self,
        path: &Path,
        clock: Clock,
        remote: Rc<RefCell<SimulatedRemote>>,
        stop: Stop,
        observer: &mut dyn RehearsalObserver,
    ) -> Result<Rehearsed, Error> {
        let began = clock.now();
        let mut kills = 0;
        let report = loop {
            let settings = self.settings(self.kill_every, kills);
            let mut session = Session::open(JobFiles::beside(path), settings, clock)?;
            session.disable_fsync()?;
            let run = session.begin("rehearse")?;
            let mut operator = Rehearsing {
                observer,
                remote: &remote,
            };
            let client = self.client(&remote);
            let outcome = session.drive(run, client, stop.clone(), &mut operator);
            if let Some(outcome) = outcome.await? {
                break outcome.report;
            }
            // Its lock goes with it.
            drop(session);
            kills += 1;
            observer.died(kills);
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

    /// The settings of the process after `kills` deaths, which dies after `crash_after` commits.
    #[must_use]
    pub fn settings(&self, crash_after: Option<u64>, kills: u64) -> SessionSettings {
        let mut options = self.options.clone();
        options.seed = options.seed.wrapping_add(kills);
        SessionSettings {
            quota: self.quota,
            concurrency: self.concurrency,
            refresh: self.refresh,
            pending_ids: self.pending_ids,
            is_steered: self.is_steered,
            crash_after,
            options,
            ticket: self.ticket,
        }
    }

    fn client(&self, remote: &Rc<RefCell<SimulatedRemote>>) -> Client {
        let transport = MemoryTransport::new(Rc::clone(remote), self.options.call_timeout);
        let remote = remote.borrow();
        let secret = Secret::new(remote.corp_secret().to_owned());
        Client::new(Rc::new(transport), remote.corp_id(), secret)
    }
}

/// Imports `subjects` made-up ones into the job file at `path`.
///
/// # Errors
///
/// Those of the store.
pub fn invent(path: &Path, subjects: u64, seed: u64, now: Timestamp) -> Result<(), Error> {
    let mut store = Store::open(path, now)?;
    store.disable_fsync()?;
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut import = store.import("invented", None)?;
    for _ in 0..subjects {
        let (unionid, openid) = (invented_id(&mut chance), invented_id(&mut chance));
        import.add(&Row {
            unionid: &unionid,
            openid: &openid,
            corpid: None,
        })?;
    }
    import.finish(subjects, 0, now)?;
    Ok(())
}

/// Has the shape of real ids: an o and 27 characters.
fn invented_id(chance: &mut fastrand::Rng) -> String {
    let mut id = String::with_capacity(28);
    id.push('o');
    id.extend(std::iter::repeat_with(|| chance.alphanumeric()).take(27));
    id
}

/// What a rehearsal found out, as `rehearse --json` prints it.
#[derive(Serialize)]
pub(crate) struct RehearsalFindings {
    pub(crate) subjects: u64,
    pub(crate) calls: u64,
    pub(crate) answered: u64,
    pub(crate) virtual_seconds: f64,
    /// The earliest finish that any scheduler could reach within the limits; `None` for never.
    pub(crate) ideal_seconds: Option<f64>,
    pub(crate) real_seconds: f64,
    /// The most calls in each window, as the simulator counted them.
    pub(crate) peaks: BTreeMap<&'static str, u64>,
    pub(crate) limits: BTreeMap<&'static str, Option<u64>>,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) states: BTreeMap<&'static str, u64>,
    /// Calls for pending_ids; left out if they are not wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pending_id_calls: Option<u64>,
    pub(crate) kills: u64,
    pub(crate) seed: u64,
    /// The command of the run that was rehearsed.
    pub(crate) next: String,
}

impl RehearsalFindings {
    /// The findings of a rehearsal that found the subjects `before`; `real` is how long it took,
    /// `next` the command that runs what was rehearsed.
    pub(crate) fn of(
        rehearsal: &Rehearsal,
        rehearsed: &Rehearsed,
        before: &Tally,
        real: Duration,
        next: String,
    ) -> Self {
        let lane = rehearsed.stats.lanes.get(Endpoint::LOOKUP.path);
        let lane = lane.cloned().unwrap_or_default();
        let after = &rehearsed.report.tally;
        let subjects = before.of(State::Queued);
        let kind = if rehearsal.ticket == TicketPolicy::Apply {
            CallKind::WithTicket
        } else {
            CallKind::Standard
        };
        let ideal = ideal_seconds(&rehearsal.quota.limits, kind, subjects);
        let peak = |name| lane.windows.get(name).map_or(0, |window| window.peak);
        let limit = |window| rehearsal.remote.limits.of(window);
        Self {
            subjects,
            calls: lane.calls,
            answered: after.answered().saturating_sub(before.answered()),
            virtual_seconds: rehearsed.took.as_secs_f64(),
            ideal_seconds: ideal.is_finite().then_some(ideal),
            real_seconds: real.as_secs_f64(),
            peaks: QuotaWindow::ALL
                .map(|window| (window.name(), peak(window.name())))
                .into(),
            limits: QuotaWindow::ALL
                .map(|window| (window.name(), limit(window)))
                .into(),
            refused: [("45009", lane.refused_45009), ("45033", lane.refused_45033)].into(),
            states: State::ALL
                .map(|state| (state.as_str(), after.of(state)))
                .into(),
            pending_id_calls: rehearsal.pending_ids.then(|| {
                let lane = rehearsed.stats.lanes.get(Endpoint::PENDING_ID.path);
                lane.map_or(0, |lane| lane.calls)
            }),
            kills: rehearsed.kills,
            seed: rehearsal.remote.seed,
            next,
        }
    }
}
