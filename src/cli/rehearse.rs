//! `idferry rehearse`: the same run against the simulator in memory, weeks in seconds.

use std::{cell::RefCell, rc::Rc, time::Duration};

use super::{
    args::{Inputs, QuotaFlags, StopFlags, TicketFlag, ticket_policy},
    console::{print, print_json, say},
    job_flags::StateFile,
    next_command::NextCommand,
    pending_ids::PendingIdsFlag,
    plan::scratch_copy,
    simulate::latency,
};
use crate::{
    clock::{Clock, Timestamp},
    config::RunSection,
    job::{
        Error, Exit, Rehearsal, RehearsalFindings, RehearsalObserver, ScratchFolder, ScratchUse,
        TicketPolicy, invent,
    },
    report::{self, Reporter, Timeline},
    runner::{CommitPolicy, RunOptions, event::RunEvent},
    sim::{self, Faults, Latency, SimulatedRemote},
    store::Reader,
    wecom::errcode,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    pending_ids: PendingIdsFlag,
    #[command(flatten)]
    quota: QuotaFlags,
    #[command(flatten)]
    stop: StopFlags,
    /// Make up this many subjects instead of reading any.
    #[arg(long, value_name = "N", conflicts_with = "inputs")]
    subjects: Option<u64>,
    /// Seed of all random choices; printed, so that a rehearsal can be repeated.
    #[arg(long)]
    seed: Option<u64>,
    /// When it begins, such as 2026-11-22T09:00+08:00 [default: now].
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    start: Option<Timestamp>,
    /// How the simulator misbehaves: none, mild, harsh, or KNOB=P,….
    #[arg(long, default_value = "none")]
    faults: Faults,
    /// How long the simulator takes to reply, such as 20ms-3s.
    #[arg(long, default_value = "20ms-80ms", value_parser = latency)]
    latency: Latency,
    /// As for run, but auto never applies: a rehearsal asks no questions.
    #[arg(long, value_enum, value_name = "POLICY")]
    ticket: Option<TicketFlag>,
    /// Kill the process after every Nth commit, and resume.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    kill_every: Option<u64>,
    /// Calls a second that another system of the same corp makes.
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    others: f64,
    /// Keep the rehearsal's job file.
    #[arg(long)]
    keep: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    let file = args.state.file()?.run;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let rehearsal = args.rehearsal(&file, seed)?;
    let scratch = args.prepare(&file, &rehearsal)?;
    let before = Reader::open(&scratch.job_file())?.tally()?;
    let mut timeline = Timeline::default();
    let clock = Clock::system();
    let began = clock.monotonic();
    let rehearsed = rehearsal.play(&scratch.job_file(), &mut Reporting(&mut timeline))?;
    let millis = clock.monotonic().millis - began.millis;
    let real = Duration::from_millis(millis.unsigned_abs());
    let next = args.next(next);
    let findings = RehearsalFindings::of(&rehearsal, &rehearsed, &before, real, next);
    // A reader who closed the pipe has read enough.
    let _ = if args.json {
        print_json(&findings)
    } else {
        print(&report::rehearsal::render(
            &findings,
            &rehearsed,
            &timeline,
            errcode::lookup,
        ))
    };
    if args.keep {
        say(&format!("kept in {}", scratch.keep().display()));
    }
    Ok(Exit::of(
        &rehearsed.report.reason,
        &rehearsed.report.tally,
        0,
    ))
}

/// Hands the events of a rehearsal to a reporter.
struct Reporting<'r>(&'r mut dyn Reporter);

impl RehearsalObserver for Reporting<'_> {
    fn event(&mut self, event: &RunEvent, _remote: &Rc<RefCell<SimulatedRemote>>) {
        self.0.event(event);
    }
}

impl Args {
    /// The command of the run that this rehearses.
    fn next(&self, next: &NextCommand) -> String {
        match self.subjects {
            Some(_) => next.run_with("INPUT.csv"),
            None => next.run(),
        }
    }

    fn rehearsal(&self, file: &RunSection, seed: u64) -> Result<Rehearsal, Error> {
        let mut quota = self.quota.quota(file)?;
        quota.remote = quota.limits;
        let start = self.start.unwrap_or_else(|| Clock::system().now());
        let commit_policy = match self.kill_every {
            Some(_) => CommitPolicy::default(),
            None => CommitPolicy::rehearsed(),
        };
        Ok(Rehearsal {
            remote: sim::SimOptions {
                seed,
                limits: quota.limits,
                window_kind: quota.window_kind,
                faults: self.faults,
                latency: self.latency,
                other_traffic: self.others,
                ..sim::SimOptions::default()
            },
            quota,
            concurrency: self.quota.concurrency(file),
            options: RunOptions {
                seed,
                commit_policy,
                // Nobody suspends virtual time.
                longest_sleep: Duration::from_secs(3600),
                ..self.stop.options(file, start)?
            },
            ticket: rehearsed(ticket_policy(self.ticket, file)?),
            start,
            refresh: None,
            pending_ids: self.pending_ids.is_set(file),
            is_steered: false,
            kill_every: self.kill_every,
        })
    }

    fn prepare(&self, file: &RunSection, rehearsal: &Rehearsal) -> Result<ScratchFolder, Error> {
        let Some(subjects) = self.subjects else {
            let purpose = ScratchUse::Rehearsal {
                pending_ids: rehearsal.pending_ids,
            };
            let folder = scratch_copy(&self.inputs, &self.state, file, purpose)?.folder;
            let ledger = self.state.files(file, false)?.ledger;
            // The simulator has a corp of its own, whose quota is as far used.
            let corp = rehearsal.remote.corp_id();
            folder.rename_corp(&ledger, &corp)?;
            return Ok(folder);
        };
        let folder = ScratchFolder::new()?;
        let seed = rehearsal.remote.seed;
        invent(&folder.job_file(), subjects, seed, rehearsal.start)?;
        Ok(folder)
    }
}

/// Nobody is there to agree, and nothing is stored meanwhile.
const fn rehearsed(policy: TicketPolicy) -> TicketPolicy {
    match policy {
        TicketPolicy::Apply => TicketPolicy::Apply,
        _ => TicketPolicy::Stored,
    }
}
