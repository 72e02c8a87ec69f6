//! Drives one run: one process after the other, each of which may be killed.

use std::{
    cell::RefCell, collections::VecDeque, future::pending, io::Write, path::PathBuf, rc::Rc,
    time::Duration,
};

use idferry::{
    clock::ClockSkew,
    job::{self, JobFiles, Operator},
    report::{Json, Lines, Reporter},
    runner::{
        Stop,
        event::{RunEvent, RunReport, TicketNews},
    },
    secret::Secret,
    sim::{MemoryTransport, SimulatedRemote},
    wecom::Client,
};
use tokio::time::sleep;

use super::{Scenario, Session, invariants, recording_transport::RecordingTransport};

/// What a scenario does when an event is reported.
pub(crate) type OnEvent = Box<dyn FnMut(&RunEvent, &mut SimulatedRemote, &Stop)>;
/// What a scenario does after a process was killed, before the next one starts.
pub(crate) type OnKill = Box<dyn FnMut()>;
pub(crate) type ScheduledAction = Box<dyn FnOnce(&mut SimulatedRemote, &'static ClockSkew)>;

/// When processes are killed.
#[derive(Default)]
pub(crate) enum KillSchedule {
    #[default]
    Never,
    /// Each after so many commits that settled something.
    Every(u64),
    /// The first process only.
    Once(u64),
    /// At any point, each so long after its start.
    After(VecDeque<Duration>),
}

impl KillSchedule {
    /// After how many commits, or how long, the next process is killed.
    fn next(&mut self) -> (Option<u64>, Option<Duration>) {
        match self {
            Self::Never => (None, None),
            Self::Every(commits) => (Some(*commits), None),
            Self::Once(commits) => {
                let commits = *commits;
                *self = Self::Never;
                (Some(commits), None)
            }
            Self::After(spans) => (None, spans.pop_front()),
        }
    }
}

/// Takes each scheduled action at its time, then waits for ever.
pub(super) async fn act(
    mut actions: Vec<(Duration, ScheduledAction)>,
    skew: &'static ClockSkew,
    remote: &Rc<RefCell<SimulatedRemote>>,
) {
    actions.sort_by_key(|(wait, _)| *wait);
    let mut passed = Duration::ZERO;
    for (wait, action) in actions {
        sleep(wait - passed).await;
        passed = wait;
        action(&mut remote.borrow_mut(), skew);
    }
    pending().await
}

pub(super) struct Driver<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) session: &'s Session,
    pub(super) path: PathBuf,
}

impl Driver<'_> {
    /// One process after the other, until one reports. Returns its report and the number of
    /// kills.
    pub(super) async fn processes(
        &self,
        kills: &mut KillSchedule,
        listener: &mut Listener,
    ) -> (RunReport, u64) {
        let mut killed = 0;
        loop {
            let (commits, span) = kills.next();
            let report = tokio::select! {
                biased;
                () = kill_after(span) => None,
                report = self.process(commits, killed, listener) => report,
            };
            if let Some(report) = report {
                return (report, killed);
            }
            killed += 1;
            let now = self.session.remote.borrow().now();
            self.session.call_log.borrow_mut().killed(now);
            invariants::ledger_covers_the_meter(self.scenario, self.session);
            if let Some(on_kill) = &mut listener.on_kill {
                on_kill();
            }
        }
    }

    /// One process, with its transport recorded. `None` if it was killed.
    async fn process(
        &self,
        crash_after: Option<u64>,
        killed: u64,
        listener: &mut Listener,
    ) -> Option<RunReport> {
        let settings = self.scenario.setup.settings(crash_after, killed);
        let mut session =
            job::Session::open(JobFiles::beside(&self.path), settings, self.session.clock).unwrap();
        session.disable_fsync().unwrap();
        let run = session.begin("run").unwrap();
        let stop = listener.stop.clone();
        let mut operator = Hearing {
            listener,
            driver: self,
        };
        let outcome = session.drive(run, self.client(), stop, &mut operator).await;
        Some(outcome.unwrap()?.report)
    }

    fn client(&self) -> Client {
        let timeout = self.scenario.setup.options.call_timeout;
        let transport = MemoryTransport::new(Rc::clone(&self.session.remote), timeout);
        let transport = RecordingTransport::new(transport, &self.session.call_log);
        let remote = self.session.remote.borrow();
        let secret = self.scenario.secret.as_deref();
        let secret = secret.unwrap_or_else(|| remote.corp_secret());
        Client::new(
            Rc::new(transport),
            remote.corp_id(),
            Secret::new(secret.into()),
        )
    }
}

async fn kill_after(span: Option<Duration>) {
    match span {
        Some(span) => sleep(span).await,
        None => pending().await,
    }
}

/// Lets a listener hear what a session reports.
struct Hearing<'h, 'd> {
    listener: &'h mut Listener,
    driver: &'h Driver<'d>,
}

impl Operator for Hearing<'_, '_> {
    fn event(&mut self, event: &RunEvent) {
        self.listener.event(self.driver, event);
    }
}

/// Hears the events of a run, and passes them on to two reporters.
pub(super) struct Listener {
    stop: Stop,
    on_event: Option<OnEvent>,
    on_kill: Option<OnKill>,
    pub(super) events: Vec<String>,
    heard: u64,
    reporters: [Box<dyn Reporter>; 2],
    output: Output,
}

/// The ledger is compared with the simulator's meter every so many events.
const COMPARE_EVERY: u64 = 293;

impl Listener {
    pub(super) fn new(on_event: Option<OnEvent>, on_kill: Option<OnKill>) -> Self {
        let output = Output::default();
        Self {
            stop: Stop::default(),
            on_event,
            on_kill,
            events: Vec::new(),
            heard: 0,
            reporters: [
                Box::new(Lines::new(Box::new(output.clone()), Box::new(|_, _| None))),
                Box::new(Json::new(Box::new(output.clone()), Box::new(|_, _| None))),
            ],
            output,
        }
    }

    fn event(&mut self, driver: &Driver<'_>, event: &RunEvent) {
        for reporter in &mut self.reporters {
            reporter.event(event);
        }
        if let Some(on_event) = &mut self.on_event {
            on_event(event, &mut driver.session.remote.borrow_mut(), &self.stop);
        }
        self.heard += 1;
        if self.heard.is_multiple_of(COMPARE_EVERY) {
            invariants::ledger_covers_the_meter(driver.scenario, driver.session);
        }
        if let Some(word) = word(event)
            && self.events.last() != Some(&word)
        {
            self.events.push(word);
        }
    }

    /// Everything that was written for people and machines.
    pub(super) fn output(&mut self, report: &RunReport) -> String {
        for reporter in &mut self.reporters {
            reporter.finish();
        }
        let output = self.output.0.borrow();
        format!(
            "{}\n{}\n{:?}",
            String::from_utf8_lossy(&output),
            self.events.join("\n"),
            report.reason
        )
    }
}

fn word(event: &RunEvent) -> Option<String> {
    Some(match event {
        RunEvent::Progress(snapshot) => format!("waiting: {}", snapshot.hold?.reason),
        RunEvent::ForecastInput(_) => return None,
        RunEvent::Started { .. } => "started".into(),
        RunEvent::TokensContested => "tokens contested".into(),
        RunEvent::TokenFetched => "token fetched".into(),
        RunEvent::LockedOut { level, .. } => format!("blocked {level:?}"),
        RunEvent::LimitLearnt { window, calls } => format!("learnt {window} {calls}"),
        RunEvent::CounterShared => "counter shared".into(),
        RunEvent::LockoutEnded => "unblocked".into(),
        RunEvent::ConcurrencyReduced { calls } => format!("narrowed to {calls}"),
        RunEvent::Unreachable { trouble, .. } => format!("unreachable: {}", trouble.failure),
        RunEvent::Reconnected => "reached again".into(),
        RunEvent::Ticket(news) => match news {
            TicketNews::Obtained { .. } => "ticket obtained".into(),
            TicketNews::Found { .. } => "ticket found".into(),
            TicketNews::Refused(refusal) => format!("ticket refused {}", refusal.errcode),
            TicketNews::Unanswered(_) => "ticket unanswered".into(),
            TicketNews::Unreadable => "ticket unreadable".into(),
            TicketNews::Spent(state) => format!("ticket spent: {state:?}"),
            TicketNews::NotNeeded => "ticket not needed".into(),
        },
        RunEvent::TicketRejected => "ticket dead".into(),
        RunEvent::ClockDiffers(clock) => format!("clock {:?} ahead: {}", clock.by, clock.is_ahead),
        RunEvent::Draining { .. } => "draining".into(),
        RunEvent::PassStarted { origin, .. } => format!("pass {}", origin.as_str()),
        RunEvent::RetryPassStarted => "second try".into(),
        RunEvent::Asked(asked) => format!("asked: {}", asked.wish.code()),
        RunEvent::Withdrawn(wish) => format!("withdrawn: {}", wish.code()),
        RunEvent::OfPendingIds(event) => format!("pending ids: {}", word(event)?),
        RunEvent::PendingIdsEnded(_) => "pending ids ended".into(),
    })
}

#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
