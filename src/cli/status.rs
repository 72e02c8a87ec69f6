//! `idferry status`: what the job does and why it waits, from beside a run.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write as _},
    path::PathBuf,
    time::Duration,
};

use serde::Serialize;

use self::books::{Books, Held, Penalty};
use super::{Exit, Failure, args::StateFile};
use crate::{
    clock::{Clock, Timestamp},
    model::{State, Tally},
    report::json::limit,
    store::{Reader, RunStatus},
};

mod books;
mod text;

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateFile,
    /// The sandbox's state file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Again every two seconds, until interrupted.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let path = args.state.path(&args.state.file()?.run, args.sandbox);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|why| Failure::internal(why.to_string()))?;
    loop {
        let status = Status::read(&path)?;
        if !show(&status, args) || !args.watch {
            return Ok(Exit::Done);
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(2)).await });
    }
}

/// Answers whether anybody still reads.
fn show(status: &Status, args: &Args) -> bool {
    let mut out = std::io::stdout().lock();
    let text = if args.json {
        serde_json::to_string(status).unwrap_or_default() + "\n"
    } else {
        status.text()
    };
    // Written over itself, line by line, so that it does not flicker.
    let text = match args.watch && !args.json && out.is_terminal() {
        true => format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")),
        false => text,
    };
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// What is known from the file. Times in the JSON are RFC 3339 at +08:00.
#[derive(Serialize)]
struct Status {
    state_file: PathBuf,
    corp_id: Option<String>,
    /// `none` (nothing has been run yet), `working`, `waiting`, `ended`, or `broke_off`: its
    /// process is gone and has not said how it ended.
    state: Doing,
    /// Whether a process is at work.
    running: bool,
    run: Option<RunJson>,
    /// Why it waits, if it does.
    waiting: Option<WaitJson>,
    /// The API's penalty (45009), which outlives the run that met it.
    block: Option<BlockJson>,
    subjects: BTreeMap<&'static str, u64>,
    /// How windows are counted: `sliding` or `calendar`.
    counting: &'static str,
    windows: Vec<WindowJson>,
    ticket_expires_at: Option<String>,
    /// When everything will be answered, if it goes on without a break, or is gone on with now.
    eta: Option<String>,
    /// How long that takes.
    eta_seconds: Option<u64>,
    #[serde(skip)]
    now: Timestamp,
    #[serde(skip)]
    tally: Tally,
    #[serde(skip)]
    ticket: Option<Timestamp>,
    #[serde(skip)]
    finish: Option<Timestamp>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Doing {
    None,
    Working,
    Waiting,
    Ended,
    BrokeOff,
}

#[derive(Serialize)]
struct BlockJson {
    /// The limit it is taken for: `minute`, `hour`, `day`, `month`.
    limit: &'static str,
    /// When one probe may be sent.
    until: String,
    #[serde(skip)]
    penalty: Penalty,
}

#[derive(Serialize)]
struct RunJson {
    command: String,
    pid: u32,
    started_at: String,
    ended_at: Option<String>,
    exit_code: Option<i64>,
    calls: u64,
    /// When it was last heard of.
    seen_at: String,
    #[serde(skip)]
    seen: Timestamp,
    #[serde(skip)]
    began: Timestamp,
    #[serde(skip)]
    ended: Option<Timestamp>,
}

#[derive(Serialize)]
struct WaitJson {
    reason: String,
    until: Option<String>,
    #[serde(skip)]
    at: Option<Timestamp>,
}

#[derive(Serialize)]
struct WindowJson {
    window: &'static str,
    used: u64,
    limit: u64,
    left: u64,
}

impl Status {
    fn read(path: &std::path::Path) -> Result<Self, Failure> {
        let reader = Reader::open(path)?;
        let clock = Clock::system();
        let now = clock.now();
        let tally = reader.tally()?;
        let run = reader.latest_run()?;
        let running = run.as_ref().is_some_and(is_running);
        let ticket = reader.ticket_expires()?.filter(|expires| *expires > now);
        let held = run.as_ref().map_or_else(Held::published, Held::by);
        let mut books = Books::of(reader.quota()?, &held, clock);
        let finish = books.finish(tally.of(State::Queued), ticket, now);
        let wait = run.as_ref().filter(|_| running).and_then(waiting);
        let state = match &run {
            None => Doing::None,
            Some(_) if running && wait.is_some() => Doing::Waiting,
            Some(_) if running => Doing::Working,
            Some(run) if run.ended.is_some() => Doing::Ended,
            Some(_) => Doing::BrokeOff,
        };
        Ok(Self {
            state,
            state_file: path.to_owned(),
            corp_id: reader.corp_id()?,
            running,
            run: run.map(RunJson::from),
            waiting: wait,
            block: books.penalty().map(BlockJson::of),
            subjects: State::ALL
                .map(|state| (state.as_str(), tally.of(state)))
                .into(),
            counting: held.counting_name(),
            windows: books.windows(),
            ticket_expires_at: ticket.map(Timestamp::rfc3339),
            eta: finish.map(Timestamp::rfc3339),
            eta_seconds: finish.map(|finish| finish.since(now).as_secs()),
            now,
            tally,
            ticket,
            finish,
        })
    }
}

impl BlockJson {
    fn of(penalty: Penalty) -> Self {
        Self {
            limit: limit(penalty.rung),
            until: penalty.until.rfc3339(),
            penalty,
        }
    }
}

fn is_running(run: &RunStatus) -> bool {
    // In a container the numbers begin anew: it was another process that had ours.
    if run.ended.is_some() || run.pid == std::process::id() {
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

fn waiting(run: &RunStatus) -> Option<WaitJson> {
    let reason = run.progress.hold.clone()?;
    let at = run.progress.hold_until;
    let until = at.map(Timestamp::rfc3339);
    Some(WaitJson { reason, until, at })
}

impl From<RunStatus> for RunJson {
    fn from(run: RunStatus) -> Self {
        let ended = run.ended.map(|(at, _)| at);
        Self {
            command: run.command,
            pid: run.pid,
            started_at: run.started_at.rfc3339(),
            ended_at: ended.map(Timestamp::rfc3339),
            exit_code: run.ended.map(|(_, code)| code),
            calls: run.progress.calls,
            seen_at: run.progress.seen_at.rfc3339(),
            seen: run.progress.seen_at,
            began: run.started_at,
            ended,
        }
    }
}
