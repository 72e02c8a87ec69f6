//! What stands in the way of a run: checks of this machine, then the first call of a run.

use std::path::Path;

use serde::Serialize;

use super::{
    error::Error,
    files::JobFiles,
    operator::Operator,
    session::{Session, SessionSettings},
    status::{Status, is_running},
    ticket::TicketPolicy,
};
use crate::{
    clock::Clock,
    model::{QuotaWindow, State},
    runner::{
        OnQuota, Stop,
        event::{ClockDifference, RunEvent, StopReason},
    },
    store::{Reader, StoreError},
    wecom::Client,
};

/// Bytes that the answer of one subject takes in the job file and in the results, and some more.
const BYTES_A_SUBJECT: u64 = 600;

/// How well something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// It does.
    Ok,
    /// A run would work, but not as it should.
    Warn,
    /// A run would not work.
    Fail,
}

/// One line of the doctor's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it stands.
    pub grade: Grade,
    /// What was found.
    pub found: String,
    /// What to do about it; `None` if nothing.
    pub next: Option<String>,
}

impl Check {
    pub(crate) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        let (grade, found) = (Grade::Ok, found.into());
        Self {
            name,
            grade,
            found,
            next: None,
        }
    }

    pub(crate) fn warn(name: &'static str, found: impl Into<String>, next: &str) -> Self {
        Self {
            grade: Grade::Warn,
            next: Some(next.to_owned()),
            ..Self::ok(name, found)
        }
    }

    /// The found text says what to do.
    pub(crate) fn fail(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            grade: Grade::Fail,
            ..Self::ok(name, found)
        }
    }
}

/// Whether the job can be asked about, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    /// There is none, or it cannot be used.
    Absent,
    /// A run holds it: it makes the calls.
    Running,
    /// An operator has paused it.
    Paused,
    /// Nobody holds it, and so many subjects are queued.
    Idle(u64),
}

/// Checks the job file, the ledger, the ticket and the disk.
pub(crate) fn check_files(files: &JobFiles, corp_id: Option<&str>) -> (JobState, Vec<Check>) {
    let mut checks = Vec::new();
    let job = files.job.display();
    let reader = match Reader::open(&files.job) {
        Ok(reader) => reader,
        Err(StoreError::Missing { .. }) => {
            let found = format!("there is no {job} yet");
            checks.push(Check::warn(
                "job file",
                found,
                "`idferry run INPUT` makes it",
            ));
            checks.push(disk(&files.job, 0));
            return (JobState::Absent, checks);
        }
        Err(why) => {
            checks.push(Check::fail("job file", why.to_string()));
            return (JobState::Absent, checks);
        }
    };
    let state = match job_state(&reader, corp_id, files) {
        Ok((state, check)) => {
            checks.push(check);
            state
        }
        Err(why) => {
            checks.push(Check::fail("job file", why.to_string()));
            JobState::Absent
        }
    };
    let queued = reader.tally().map_or(0, |tally| tally.of(State::Queued));
    match Status::read(files) {
        Ok(status) => {
            let ledger = files.ledger.display().to_string();
            checks.push(Check::ok("ledger", ledger));
            checks.push(ticket(&status, queued));
        }
        Err(why) => checks.push(Check::fail("ledger", why.to_string())),
    }
    checks.push(disk(&files.job, queued));
    (state, checks)
}

fn job_state(
    reader: &Reader<'_>,
    corp_id: Option<&str>,
    files: &JobFiles,
) -> Result<(JobState, Check), Error> {
    let (tally, job) = (reader.tally()?, files.job.display());
    let owner = reader.corp_id()?;
    if let (Some(owner), Some(ours)) = (&owner, corp_id)
        && !owner.eq_ignore_ascii_case(ours)
    {
        return Err(StoreError::OtherCorp {
            path: files.job.clone(),
            theirs: owner.clone(),
            ours: ours.to_owned(),
        }
        .into());
    }
    let subjects = tally.total();
    let queued = tally.of(State::Queued);
    let found = format!("{job}: {subjects} subjects, {queued} queued");
    let running = reader.latest_run()?.filter(is_running);
    let wishes = reader.wishes()?;
    Ok(match (running, wishes.pause()) {
        (Some(run), _) => {
            let found = format!("{found}; pid {} runs it", run.pid);
            (JobState::Running, Check::ok("job file", found))
        }
        (None, Some(pause)) => {
            let found = format!("{found}; paused by {} at {}", pause.by, pause.at);
            let check = Check::warn("job file", found, "`idferry resume` lets runs send again");
            (JobState::Paused, check)
        }
        (None, None) => (JobState::Idle(queued), Check::ok("job file", found)),
    })
}

/// The stored ticket, and whether today's quota holds what is queued.
fn ticket(status: &Status, queued: u64) -> Check {
    if let Some(expires) = status.ticket_expires_at {
        return Check::ok("ticket", format!("stored, expires {expires}"));
    }
    let day = status.windows.iter();
    let left = day
        .filter(|window| window.window == QuotaWindow::BusinessDay)
        .map(|window| window.left);
    match left.min() {
        Some(left) if queued > left => Check::warn(
            "ticket",
            format!("none stored, and {queued} queued do not fit the {left} calls left today"),
            "`idferry plan` shows what a ticket (mass_call_ticket) would save",
        ),
        _ => Check::ok("ticket", "none stored, none needed today"),
    }
}

fn disk(job: &Path, queued: u64) -> Check {
    let folder = match job.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let free = match rustix::fs::statvfs(folder) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(why) => return Check::fail("disk", format!("{}: {why}", folder.display())),
    };
    let (free, needed) = (free >> 20, (queued * BYTES_A_SUBJECT) >> 20);
    let found = format!("{free} MiB free, {needed} needed");
    if free < needed + 64 {
        let found = format!("{found}: free some space, or name a job file elsewhere with --state");
        return Check::fail("disk", found);
    }
    Check::ok("disk", found)
}

/// What the doctor's call came to.
pub(crate) struct LookedUp {
    /// Why its run ended.
    pub(crate) reason: StopReason,
    /// Whether the subject was answered, be it with a refusal of its ids.
    pub(crate) is_answered: bool,
    /// By how much the wall clock differs from the API's, if by more than a minute.
    pub(crate) clock: Option<ClockDifference>,
}

/// Hears of the clock.
#[derive(Default)]
struct ClockListener(Option<ClockDifference>);

impl Operator for ClockListener {
    fn event(&mut self, event: &RunEvent) {
        if let RunEvent::ClockDiffers(clock) = event {
            self.0 = Some(*clock);
        }
    }
}

/// Looks one queued subject up, as a run of one call: charged, and its answer kept.
pub(crate) async fn look_up_one(
    files: &JobFiles,
    settings: SessionSettings,
    client: Client,
) -> Result<LookedUp, Error> {
    let mut settings = SessionSettings {
        ticket: TicketPolicy::Stored,
        refresh: None,
        ..settings
    };
    settings.options.budget = Some(1);
    settings.options.on_quota = OnQuota::Exit;
    let mut session = Session::open(files.clone(), settings, Clock::system())?;
    let run = session.begin("doctor")?;
    let (left, mut listener) = (session.left()?, ClockListener::default());
    let driven = session
        .drive(run, client, Stop::default(), &mut listener)
        .await;
    let exit = driven.as_ref().map_or_else(
        |error| error.exit,
        |outcome| {
            outcome
                .as_ref()
                .map_or(super::Exit::Internal, |run| run.exit)
        },
    );
    session.end(run, exit)?;
    let outcome = driven?.ok_or_else(|| Error::internal("the lookup broke off"))?;
    Ok(LookedUp {
        is_answered: outcome.report.left < left,
        reason: outcome.report.reason,
        clock: listener.0,
    })
}
