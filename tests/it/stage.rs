//! How a run is played: one process after the other, each of which may die, and who listens.

use std::{
    cell::RefCell, collections::VecDeque, future::pending, io::Write, path::PathBuf, rc::Rc,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockSkew},
    job::{Operator, Session},
    report::{Json, Lines, Reporter},
    runner::{
        Stop,
        event::{RunEvent, RunReport},
    },
    secret::Secret,
    sim::{MemoryTransport, Remote},
    wecom::Client,
};
use tokio::time::sleep;

use crate::{
    ear::{Ear, Heap},
    invariants,
    world::World,
};

/// What a listener of a scenario may do when it hears something.
pub(crate) type Heed = Box<dyn FnMut(&RunEvent, &mut Remote, &Stop)>;
pub(crate) type Act = Box<dyn FnOnce(&mut Remote, &'static ClockSkew)>;

/// When the process dies.
#[derive(Default)]
pub(crate) enum Deaths {
    #[default]
    Never,
    /// Every process after so many commits that settled something.
    Every(u64),
    /// The first process only.
    Once(u64),
    /// In the middle of anything, each so long after its beginning.
    After(VecDeque<Duration>),
}

impl Deaths {
    /// After how many commits, or how long, the next process dies.
    fn next(&mut self) -> (Option<u64>, Option<Duration>) {
        match self {
            Self::Never => (None, None),
            Self::Every(commits) => (Some(*commits), None),
            Self::Once(commits) => {
                let commits = *commits;
                *self = Self::Never;
                (Some(commits), None)
            }
            Self::After(lives) => (None, lives.pop_front()),
        }
    }
}

/// Does what was planned, each in its time, and then waits for ever.
pub(crate) async fn act(
    mut acts: Vec<(Duration, Act)>,
    skew: &'static ClockSkew,
    remote: &Rc<RefCell<Remote>>,
) {
    acts.sort_by_key(|(wait, _)| *wait);
    let mut passed = Duration::ZERO;
    for (wait, act) in acts {
        sleep(wait - passed).await;
        passed = wait;
        act(&mut remote.borrow_mut(), skew);
    }
    pending().await
}

/// Where one run is played.
pub(crate) struct Stage<'w> {
    pub(crate) world: &'w World,
    pub(crate) clock: Clock,
    pub(crate) remote: &'w Rc<RefCell<Remote>>,
    pub(crate) heap: &'w Rc<RefCell<Heap>>,
    pub(crate) path: PathBuf,
}

impl Stage<'_> {
    /// One process after the other, until one reports.
    pub(crate) async fn lives(
        &self,
        deaths: &mut Deaths,
        listener: &mut Listener,
    ) -> (RunReport, u64) {
        let mut kills = 0;
        loop {
            let (commits, span) = deaths.next();
            let report = tokio::select! {
                biased;
                () = die(span) => None,
                report = self.life(commits, kills, listener) => report,
            };
            if let Some(report) = report {
                return (report, kills);
            }
            kills += 1;
            let now = self.remote.borrow().now();
            self.heap.borrow_mut().dies(now);
            invariants::books_hold(self.world, &self.path, self.remote, self.heap, now);
        }
    }

    /// One process, which dies after so many commits; `None` if it died.
    async fn life(
        &self,
        crash_after: Option<u64>,
        kills: u64,
        listener: &mut Listener,
    ) -> Option<RunReport> {
        let settings = self.world.play.settings(crash_after, kills);
        let mut session = Session::open(&self.path, settings, self.clock).unwrap();
        session.disable_fsync().unwrap();
        let run = session.begin("run").unwrap();
        let stop = listener.stop.clone();
        let mut operator = Hearing {
            listener,
            stage: self,
        };
        let outcome = session.drive(run, self.client(), stop, &mut operator).await;
        Some(outcome.unwrap()?.report)
    }

    fn client(&self) -> Client {
        let timeout = self.world.play.options.call_timeout;
        let ear = Ear::at(
            MemoryTransport::new(Rc::clone(self.remote), timeout),
            self.heap,
        );
        let remote = self.remote.borrow();
        let secret = self.world.secret.as_deref();
        let secret = secret.unwrap_or_else(|| remote.corp_secret());
        Client::new(Rc::new(ear), remote.corp_id(), Secret::new(secret.into()))
    }
}

async fn die(span: Option<Duration>) {
    match span {
        Some(span) => sleep(span).await,
        None => pending().await,
    }
}

/// Lets a listener hear what a session tells.
struct Hearing<'h, 'w> {
    listener: &'h mut Listener,
    stage: &'h Stage<'w>,
}

impl Operator for Hearing<'_, '_> {
    fn event(&mut self, event: &RunEvent) {
        self.listener.hear(self.stage, event);
    }
}

/// Hears a run, and passes it on to two reporters.
pub(crate) struct Listener {
    stop: Stop,
    heed: Option<Heed>,
    pub(crate) events: Vec<String>,
    heard: u64,
    reporters: [Box<dyn Reporter>; 2],
    said: Said,
}

/// Every so many events the books are looked at.
const LOOK_EVERY: u64 = 97;

impl Listener {
    pub(crate) fn new(heed: Option<Heed>) -> Self {
        let said = Said::default();
        Self {
            stop: Stop::default(),
            heed,
            events: Vec::new(),
            heard: 0,
            reporters: [
                Box::new(Lines::new(Box::new(said.clone()), Box::new(|_, _| None))),
                Box::new(Json::new(Box::new(said.clone()), Box::new(|_, _| None))),
            ],
            said,
        }
    }

    fn hear(&mut self, stage: &Stage<'_>, event: &RunEvent) {
        for reporter in &mut self.reporters {
            reporter.event(event);
        }
        if let Some(heed) = &mut self.heed {
            heed(event, &mut stage.remote.borrow_mut(), &self.stop);
        }
        self.heard += 1;
        if self.heard.is_multiple_of(LOOK_EVERY) {
            let now = stage.remote.borrow().now();
            invariants::books_hold(stage.world, &stage.path, stage.remote, stage.heap, now);
        }
        if let Some(word) = word(event)
            && self.events.last() != Some(&word)
        {
            self.events.push(word);
        }
    }

    pub(crate) fn said(&mut self, report: &RunReport) -> String {
        for reporter in &mut self.reporters {
            reporter.finish();
        }
        let said = self.said.0.borrow();
        format!(
            "{}\n{}\n{:?}",
            String::from_utf8_lossy(&said),
            self.events.join("\n"),
            report.ending
        )
    }
}

fn word(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Progress(snapshot) => format!("waiting: {}", snapshot.hold?.reason),
        RunEvent::ForecastInput(_) => return None,
        RunEvent::Started { .. } => "started".into(),
        RunEvent::TokenFetched => "token fetched".into(),
        RunEvent::LockedOut { rung, .. } => format!("blocked {rung:?}"),
        RunEvent::LockoutEnded => "unblocked".into(),
        RunEvent::ConcurrencyReduced { calls } => format!("narrowed to {calls}"),
        RunEvent::Unreachable { failure, .. } => format!("unreachable: {failure}"),
        RunEvent::Reconnected => "reached again".into(),
        RunEvent::TicketRejected => "ticket dead".into(),
        RunEvent::Draining { .. } => "draining".into(),
        RunEvent::RetryPassStarted => "second try".into(),
    })
}

#[derive(Clone, Default)]
struct Said(Rc<RefCell<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
