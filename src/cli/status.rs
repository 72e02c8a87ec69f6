//! `idferry status`: what the job does and why it waits, from beside a run.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    path::PathBuf,
    time::Duration,
};

use serde::Serialize;

use super::{Exit, Failure, args::StateFile};
use crate::{
    clock::{Chronometer, Clock, Timestamp},
    gate::{Counting, Fare, Ledger, Limits, Outlook, Span},
    model::{State, Tally},
    plan,
    report::style::{count, duration, moment, moment_and_wait, share},
    store::{LaneStatus, Reader, RunStatus},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateFile,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Again every two seconds, until interrupted.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let path = args.state.path(&args.state.file()?.run, false);
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
    let home = args.watch && !args.json && out.is_terminal();
    let clear = if home { "\x1b[H\x1b[2J" } else { "" };
    write!(out, "{clear}{text}")
        .and_then(|()| out.flush())
        .is_ok()
}

/// What is known from the file. Times in the JSON are RFC 3339 at +08:00.
#[derive(Serialize)]
struct Status {
    state_file: PathBuf,
    corp_id: Option<String>,
    /// Whether a process is at work.
    running: bool,
    run: Option<RunJson>,
    /// Why it waits, if it does.
    waiting: Option<WaitJson>,
    subjects: BTreeMap<&'static str, u64>,
    /// How windows are counted: `sliding` or `calendar`.
    counting: &'static str,
    windows: Vec<WindowJson>,
    ticket_expires_at: Option<String>,
    /// When everything will be answered, if it goes on without a break.
    eta: Option<String>,
    #[serde(skip)]
    now: Timestamp,
    #[serde(skip)]
    tally: Tally,
    #[serde(skip)]
    finish: Option<Timestamp>,
}

#[derive(Serialize)]
struct RunJson {
    command: String,
    pid: u32,
    started_at: String,
    ended_at: Option<String>,
    exit_code: Option<i64>,
    calls: u64,
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
        let mut books = Books::of(reader.lane()?, &held, clock);
        let finish = books.finish(tally.of(State::Queued), ticket, now);
        let wait = run.as_ref().filter(|_| running).and_then(waiting);
        Ok(Self {
            state_file: path.to_owned(),
            corp_id: reader.corp_id()?,
            running,
            run: run.map(RunJson::from),
            waiting: wait,
            subjects: State::ALL
                .map(|state| (state.as_str(), tally.of(state)))
                .into(),
            counting: held.counting_name(),
            windows: books.windows(),
            ticket_expires_at: ticket.map(Timestamp::rfc3339),
            eta: finish.map(Timestamp::rfc3339),
            now,
            tally,
            finish,
        })
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let corp = self.corp_id.as_deref().unwrap_or("no corp yet");
        let _ = writeln!(text, "{} · {corp}", self.state_file.display());
        let _ = writeln!(text, "{}", self.doing());
        if let Some(wait) = &self.waiting {
            let until = wait
                .at
                .map(|at| format!(", goes on at {}", moment_and_wait(at, self.now)));
            let _ = writeln!(
                text,
                "waiting: {}{}",
                wait.reason,
                until.unwrap_or_default()
            );
        }
        let _ = writeln!(text);
        for state in State::ALL {
            let subjects = self.tally.of(state);
            if subjects > 0 {
                let share = share(subjects, self.tally.total());
                let _ = writeln!(
                    text,
                    "  {:9} {:>12}  {share}",
                    state.as_str(),
                    count(subjects)
                );
            }
        }
        let _ = writeln!(text);
        for window in &self.windows {
            let (used, limit) = (count(window.used), count(window.limit));
            let left = count(window.left);
            let _ = writeln!(
                text,
                "  {:15} {used:>9} of {limit:>9}, {left} left",
                window.window
            );
        }
        if let Some(ticket) = &self.ticket_expires_at {
            let _ = writeln!(text, "\nticket until {ticket}");
        }
        match self.finish {
            Some(finish) if self.tally.of(State::Queued) > 0 => {
                let _ = writeln!(text, "\nall answered about {}", moment(finish, self.now));
            }
            _ => {}
        }
        text
    }

    fn doing(&self) -> String {
        let Some(run) = &self.run else {
            return "nothing has been run yet".to_owned();
        };
        let calls = count(run.calls);
        let began = moment(run.began, self.now);
        match (self.running, run.ended, run.exit_code) {
            (true, _, _) => format!(
                "{} goes on: pid {}, since {began} ({}), {calls} calls",
                run.command,
                run.pid,
                duration(self.now.since(run.began))
            ),
            (false, Some(ended), Some(code)) => format!(
                "{} ended at {} with exit {code}, after {calls} calls",
                run.command,
                moment(ended, self.now)
            ),
            _ => format!(
                "{} of {began} broke off (pid {} is gone); the same command goes on",
                run.command, run.pid
            ),
        }
    }
}

/// The quota as it stands now.
struct Books {
    ledger: Ledger,
    now: Timestamp,
    blocked_until: Timestamp,
}

impl Books {
    fn of(lane: LaneStatus, held: &Held, clock: Clock) -> Self {
        let now = Chronometer::resume(clock, lane.reading).now();
        let ledger = Ledger::restore(held.limits, held.counting, &lane.books, now);
        Self {
            ledger,
            now,
            blocked_until: lane.block.until,
        }
    }

    fn windows(&mut self) -> Vec<WindowJson> {
        let limits = self.ledger.limits();
        let windows = Span::ALL.into_iter().filter_map(|span| {
            let (limit, used) = (limits.of(span)?, self.ledger.used(self.now, span));
            let left = limit.saturating_sub(used);
            let window = span.name();
            Some(WindowJson {
                window,
                used,
                limit,
                left,
            })
        });
        windows.collect()
    }

    /// By the wall.
    fn finish(&self, queued: u64, ticket: Option<Timestamp>, wall: Timestamp) -> Option<Timestamp> {
        const EARLY: Duration = Duration::from_secs(3600);
        let until = ticket.map(|expires| self.now.plus(expires.since(wall).saturating_sub(EARLY)));
        let outlook = Outlook {
            ledger: self.ledger.clone(),
            now: self.now,
            fare: until.map_or(Fare::Metered, |_| Fare::Ticketed),
            ticket_until: until,
            blocked_until: self.blocked_until,
            per_second: None,
        };
        let finish = plan::forecast(&outlook, queued).finish;
        (finish != Timestamp::MAX).then(|| wall.plus(finish.since(self.now)))
    }
}

/// The limits that a run held, and how it counted.
struct Held {
    limits: Limits,
    counting: Counting,
}

impl Held {
    fn published() -> Self {
        Self {
            limits: Limits::published(),
            counting: Counting::default(),
        }
    }

    const fn counting_name(&self) -> &'static str {
        match self.counting {
            Counting::Sliding => "sliding",
            Counting::Calendar => "calendar",
        }
    }

    fn by(run: &RunStatus) -> Self {
        let held: serde_json::Value = serde_json::from_str(&run.quota).unwrap_or_default();
        let mut limits = Limits::none();
        for span in Span::ALL {
            limits.set(span, held[span.name()].as_u64());
        }
        let counting = held["counting"].as_str().unwrap_or_default().parse();
        Self {
            limits,
            counting: counting.unwrap_or_default(),
        }
    }
}

fn is_running(run: &RunStatus) -> bool {
    let pid = i32::try_from(run.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let alive = pid.is_some_and(|pid| match rustix::process::test_kill_process(pid) {
        Ok(()) => true,
        Err(why) => why == rustix::io::Errno::PERM,
    });
    run.ended.is_none() && alive
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
            began: run.started_at,
            ended,
        }
    }
}
