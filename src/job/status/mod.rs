//! How a job stands, read from its file while a run may be writing it: plain data, for the
//! terminal, for `status --json` and for a page.

use std::path::PathBuf;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use crate::{
    clock::{Clock, Timestamp},
    job::{
        error::Error,
        files::JobFiles,
        passes::{self, Refresh},
        quota_record::QuotaRecord,
    },
    model::{QuotaWindow, State, Tally, WindowKind},
    quota::LockoutLevel,
    store::{Asked, Reader, RunStatus, SourceStatus, Wish},
};

mod quota;

use quota::QuotaStanding;

// fields: those of the documented object.
/// How a job stands. In JSON, times are RFC 3339 at +08:00.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Of the form of this object: a higher one may lack what this one has.
    pub version: u32,
    /// The job file.
    pub state_file: PathBuf,
    /// The corp it belongs to.
    pub corp_id: Option<String>,
    /// What its latest run does or did.
    pub state: RunState,
    /// Whether a process is running.
    pub running: bool,
    /// The latest run.
    pub run: Option<RunSummary>,
    /// What it does before its calls, such as importing.
    pub activity: Option<String>,
    /// Why it waits, if it does.
    pub waiting: Option<WaitStatus>,
    /// What operators ask of this run and of later ones.
    pub wishes: Vec<WishStatus>,
    /// The lockout by the API (45009), which outlasts the run that met it.
    pub block: Option<LockoutStatus>,
    /// What was imported.
    pub inputs: Vec<InputStatus>,
    /// How many subjects are in each state.
    #[serde(serialize_with = "by_state")]
    pub subjects: Tally,
    /// Answers that the latest run's command asks for again, as far as is known: those of `retry`, and
    /// with `resync` those of an unfinished one.
    pub asked_again: u64,
    /// How windows are counted.
    #[serde(serialize_with = "kind_name")]
    pub counting: WindowKind,
    /// Use of the windows that have a limit.
    pub windows: Vec<WindowStatus>,
    /// When the stored ticket expires.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub ticket_expires_at: Option<Timestamp>,
    /// When everything will be answered if the run continues, or resumes now; `None` for never.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub eta: Option<Timestamp>,
    /// How many seconds from now that is.
    pub eta_seconds: Option<u64>,
    /// When this was read.
    #[serde(skip)]
    pub now: Timestamp,
}

/// What the latest run of a job does or did.
#[derive(Debug, Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// No run yet.
    None,
    /// Making calls.
    Working,
    /// Waiting.
    Waiting,
    /// Ended, with an exit code.
    Ended,
    /// Its process is gone and left no exit code.
    BrokeOff,
}

/// The latest run.
#[derive(Debug, Serialize)]
pub struct RunSummary {
    /// The subcommand.
    pub command: String,
    /// Its process.
    pub pid: u32,
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub ended_at: Option<Timestamp>,
    /// What it exited with.
    pub exit_code: Option<i64>,
    /// Calls completed.
    pub calls: u64,
    /// When it last wrote to the job file.
    #[serde(serialize_with = "rfc3339")]
    pub seen_at: Timestamp,
    /// The command line that resumes it.
    pub next_command: Option<String>,
    /// What was said at its end: the last event of `--progress json`.
    pub ended: Option<Value>,
}

/// An input that was imported.
#[derive(Debug, Serialize)]
pub struct InputStatus {
    /// Its name as it was given.
    pub name: String,
    /// Lines read.
    pub lines: u64,
    /// Lines that cannot be subjects.
    pub rejected: u64,
    /// Subjects seen for the first time in it.
    pub subjects: u64,
}

/// A wait.
#[derive(Debug, Serialize)]
pub struct WaitStatus {
    /// Why.
    pub reason: String,
    /// The same as a code, and the window if it is one: `window business.day`.
    pub code: String,
    /// When it ends; `None` if a call must complete first.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub until: Option<Timestamp>,
}

/// What an operator asks by `idferry pause`, `throttle` or `stop`.
#[derive(Debug, Serialize)]
pub struct WishStatus {
    /// What: `pause`, `rate`, `concurrency` or `stop`.
    #[serde(serialize_with = "wish_code")]
    pub wish: Wish,
    /// Calls a minute, or in flight.
    pub number: Option<u64>,
    /// Who, as `user@host`.
    pub by: String,
    /// The process by which.
    pub pid: u32,
    /// Since when.
    #[serde(serialize_with = "rfc3339")]
    pub since: Timestamp,
}

/// A lockout by the API (45009).
#[derive(Debug, Serialize)]
pub struct LockoutStatus {
    /// The limit it is taken for: `minute`, `hour`, `day` or `month`.
    #[serde(rename = "limit", serialize_with = "level_code")]
    pub level: LockoutLevel,
    /// When one probe may be sent.
    #[serde(serialize_with = "rfc3339")]
    pub until: Timestamp,
    /// The ledger was far below every limit when it was met.
    pub elsewhere: bool,
}

/// Use of one window.
#[derive(Debug, Serialize)]
pub struct WindowStatus {
    /// Which window.
    #[serde(serialize_with = "window_name")]
    pub window: QuotaWindow,
    /// Calls charged in it.
    pub used: u64,
    /// The most it may hold.
    pub limit: u64,
    /// What is left of it.
    pub left: u64,
    /// When there is room again, if nothing is left.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub room_at: Option<Timestamp>,
}

impl Status {
    /// Reads a job file and the corp's ledger.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn read(files: &JobFiles) -> Result<Self, Error> {
        Self::read_by(files, is_running)
    }

    /// The same, read in the process of the run.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub fn of_this_process(files: &JobFiles) -> Result<Self, Error> {
        Self::read_by(files, |run| {
            run.ended.is_none() && run.pid == std::process::id()
        })
    }

    fn read_by(files: &JobFiles, is_running: fn(&RunStatus) -> bool) -> Result<Self, Error> {
        let reader = Reader::open(&files.job)?;
        let clock = Clock::system();
        let now = clock.now();
        let tally = reader.tally()?;
        let run = reader.latest_run()?;
        let running = run.as_ref().is_some_and(is_running);
        let standing = files.standing(&reader)?;
        let ticket = standing.ticket_expires.filter(|expires| *expires > now);
        let record = run.as_ref().map_or_else(QuotaRecord::published, |run| {
            QuotaRecord::from_json(&run.quota)
        });
        let mut quota = QuotaStanding::of(&standing.lookups, &record, clock);
        let by_resync = run.as_ref().is_some_and(|run| run.command == "resync");
        let refresh = by_resync.then(Refresh::default);
        let asked_again = passes::left(0, &reader.passes(), refresh)?;
        let finish = quota.finish(tally.of(State::Queued) + asked_again, ticket, now);
        let waiting = run.as_ref().filter(|_| running).and_then(waiting);
        Ok(Self {
            version: 1,
            state: run_state(run.as_ref(), running, waiting.is_some()),
            state_file: files.job.clone(),
            corp_id: standing.corp_id,
            running,
            activity: run
                .as_ref()
                .filter(|_| running)
                .and_then(|run| run.activity.clone()),
            run: run.map(RunSummary::from),
            waiting,
            wishes: wishes(&reader, running)?,
            block: quota.lockout().map(|(level, until)| LockoutStatus {
                level,
                until,
                elsewhere: quota.is_used_elsewhere(),
            }),
            inputs: reader
                .sources()?
                .into_iter()
                .map(InputStatus::from)
                .collect(),
            subjects: tally,
            asked_again,
            counting: record.kind(),
            windows: quota.windows(),
            ticket_expires_at: ticket,
            eta: finish,
            eta_seconds: finish.map(|finish| finish.since(now).as_secs()),
            now,
        })
    }
}

fn run_state(run: Option<&RunStatus>, running: bool, waits: bool) -> RunState {
    match run {
        None => RunState::None,
        Some(_) if running && waits => RunState::Waiting,
        Some(_) if running => RunState::Working,
        Some(run) if run.ended.is_some() => RunState::Ended,
        Some(_) => RunState::BrokeOff,
    }
}

pub(super) fn is_running(run: &RunStatus) -> bool {
    // In a container pids begin anew: another process may have had the pid of this one.
    if run.ended.is_some() || !run.is_of_holder || run.pid == std::process::id() {
        return false;
    }
    let pid = i32::try_from(run.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(why) => why == rustix::io::Errno::PERM,
    })
}

fn waiting(run: &RunStatus) -> Option<WaitStatus> {
    Some(WaitStatus {
        reason: run.progress.hold.clone()?,
        code: run.progress.hold_code.clone().unwrap_or_default(),
        until: run.progress.hold_until,
    })
}

/// The wishes in force; that a run which is gone was to stop is none.
fn wishes(reader: &Reader<'_>, running: bool) -> Result<Vec<WishStatus>, Error> {
    let wishes = reader.wishes()?.0.into_iter();
    let in_force = wishes.filter(|asked| running || asked.wish != Wish::Stop);
    Ok(in_force.map(WishStatus::from).collect())
}

impl From<Asked> for WishStatus {
    fn from(asked: Asked) -> Self {
        Self {
            wish: asked.wish,
            number: asked.wish.number(),
            by: asked.by,
            pid: asked.pid,
            since: asked.at,
        }
    }
}

impl From<SourceStatus> for InputStatus {
    fn from(source: SourceStatus) -> Self {
        Self {
            name: source.name,
            lines: source.lines,
            rejected: source.rejected,
            subjects: source.subjects,
        }
    }
}

impl From<RunStatus> for RunSummary {
    fn from(run: RunStatus) -> Self {
        Self {
            command: run.command,
            pid: run.pid,
            started_at: run.started_at,
            ended_at: run.ended.map(|(at, _)| at),
            exit_code: run.ended.map(|(_, code)| code),
            calls: run.progress.calls,
            seen_at: run.progress.seen_at,
            next_command: run.next_command,
            ended: run
                .summary
                .and_then(|json| serde_json::from_str(&json).ok()),
        }
    }
}

pub(super) fn rfc3339<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.rfc3339())
}

pub(super) fn maybe_rfc3339<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(Timestamp::rfc3339).serialize(serializer)
}

fn by_state<S: Serializer>(tally: &Tally, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(State::ALL.len()))?;
    for state in State::ALL {
        map.serialize_entry(state.as_str(), &tally.of(state))?;
    }
    map.end()
}

fn kind_name<S: Serializer>(kind: &WindowKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn window_name<S: Serializer>(window: &QuotaWindow, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(window.name())
}

fn wish_code<S: Serializer>(wish: &Wish, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(wish.code())
}

fn level_code<S: Serializer>(level: &LockoutLevel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(level.code())
}

#[cfg(test)]
mod tests;
