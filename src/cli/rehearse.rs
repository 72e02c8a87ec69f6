//! `idferry rehearse`: the same run against the simulator in memory, weeks in seconds.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, time::Duration};

use serde::Serialize;

use super::{
    Exit, Failure,
    args::{Inputs, QuotaFlags, StateFile, StopFlags, or_file},
    job::Job,
    say,
    ticket::Policy,
    timeline::Timeline,
    typed,
};
use crate::{
    clock::{Clock, Timestamp},
    config::Run,
    gate::CallKind,
    model::{QuotaWindow, State, Tally},
    plan::ideal_seconds,
    rehearsal::{Rehearsal, Rehearsed, Scratch, invent},
    report::style::{count, duration},
    runner::{CommitPolicy, RunOptions, event::StopReason},
    sim::{self, Faults, Latency},
    store::{Reader, Store},
    wecom::wire::UNIONID_TO_EXTERNAL_USERID,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    quota: QuotaFlags,
    #[command(flatten)]
    stop: StopFlags,
    /// Invent this many subjects instead of reading any.
    #[arg(long, value_name = "N", conflicts_with = "inputs")]
    subjects: Option<u64>,
    /// Chance of the remote and of the run; printed, so that it can be played again.
    #[arg(long)]
    seed: Option<u64>,
    /// The date at which it begins, such as 2026-11-22T09:00+08:00 [default: now].
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    start: Option<Timestamp>,
    /// How the remote misbehaves: none, mild, harsh, or KNOB=P,….
    #[arg(long, default_value = "none")]
    faults: Faults,
    /// How long the remote takes to answer, such as 20ms-3s.
    #[arg(long, default_value = "20ms-80ms", value_parser = super::simulate::latency)]
    latency: Latency,
    /// As for run; auto does not apply here, as there is nobody to ask.
    #[arg(long, value_enum, value_name = "POLICY")]
    ticket: Option<Policy>,
    /// Die after every Nth commit, and go on as the same command would.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    kill_every: Option<u64>,
    /// Another system of the same corp spends so many calls a second of the same quota.
    #[arg(long, value_name = "RATE", default_value_t = 0.0)]
    others: f64,
    /// Keep the rehearsal's state file, to look at.
    #[arg(long)]
    keep: bool,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let file = args.state.file()?.run;
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let rehearsal = args.rehearsal(&file, seed)?;
    let scratch = args.prepare(&file, &rehearsal)?;
    let before = Reader::open(&scratch.state())?.tally()?;
    let mut timeline = Timeline::default();
    let clock = Clock::system();
    let began = clock.monotonic();
    let rehearsed = rehearsal.play(&scratch.state(), &mut timeline)?;
    let real_millis = clock.monotonic().millis - began.millis;
    let after = Reader::open(&scratch.state())?.tally()?;
    let findings = Findings::of(
        &rehearsal,
        &rehearsed,
        &before,
        &after,
        real_millis,
        args.next(),
    );
    let text = if args.json {
        serde_json::to_string(&findings).unwrap_or_default() + "\n"
    } else {
        findings.text(&rehearsed.report.ending, &timeline)
    };
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if args.keep {
        say(&format!("kept in {}", scratch.keep().display()));
    }
    Ok(Exit::of(&rehearsed.report.ending, &after, 0))
}

impl Args {
    /// The run that this was a rehearsal of.
    fn next(&self) -> String {
        let invented = self.subjects.map_or("", |_| "INPUT.csv");
        let typed = typed::for_run("rehearse");
        let words = ["idferry run", invented, &typed];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ")
    }

    fn rehearsal(&self, file: &Run, seed: u64) -> Result<Rehearsal, Failure> {
        let quota = self.quota.quota(file)?;
        let start = self.start.unwrap_or_else(|| Clock::system().now());
        let policy = or_file(self.ticket, file.ticket.as_ref(), "ticket")?;
        Ok(Rehearsal {
            remote: sim::Options {
                seed,
                limits: quota.limits,
                counting: quota.counting,
                faults: self.faults,
                latency: self.latency,
                others: self.others,
                ..sim::Options::default()
            },
            quota,
            concurrency: self.quota.concurrency(file),
            orders: RunOptions {
                budget: self.stop.budget,
                deadline: self.stop.deadline(start),
                on_quota: self.stop.on_quota(file)?,
                error_budget: self.stop.error_budget(file)?,
                seed,
                commit_policy: match self.kill_every {
                    Some(_) => CommitPolicy::default(),
                    None => CommitPolicy::rehearsed(),
                },
                ..RunOptions::default()
            },
            ticket: policy == Some(Policy::Apply),
            start,
            kill_every: self.kill_every,
        })
    }

    fn prepare(&self, file: &Run, rehearsal: &Rehearsal) -> Result<Scratch, Failure> {
        let Some(subjects) = self.subjects else {
            let scratch = Job::copy(&self.inputs, &self.state, file)?.scratch;
            // The simulator has a corp of its own.
            Store::open(&scratch.state(), Clock::system().now())?.clear_corp()?;
            return Ok(scratch);
        };
        let scratch = Scratch::new().map_err(|why| Failure::internal(why.to_string()))?;
        let seed = rehearsal.remote.seed;
        invent(&scratch.state(), subjects, seed, rehearsal.start)?;
        Ok(scratch)
    }
}

/// What it came to, as `--json` prints it.
#[derive(Serialize)]
struct Findings {
    subjects: u64,
    calls: u64,
    answered: u64,
    virtual_seconds: f64,
    /// The earliest finish that any scheduler could reach within the limits; `null` for never.
    ideal_seconds: Option<f64>,
    real_seconds: f64,
    /// As the simulator's own meter counted them.
    peaks: BTreeMap<&'static str, u64>,
    limits: BTreeMap<&'static str, Option<u64>>,
    refused: BTreeMap<&'static str, u64>,
    states: BTreeMap<&'static str, u64>,
    kills: u64,
    seed: u64,
    /// The run that was rehearsed, as it is to be typed.
    next: String,
}

impl Findings {
    fn of(
        rehearsal: &Rehearsal,
        rehearsed: &Rehearsed,
        before: &Tally,
        after: &Tally,
        real_millis: i64,
        next: String,
    ) -> Self {
        let lane = rehearsed.stats.lanes.get(UNIONID_TO_EXTERNAL_USERID);
        let lane = lane.cloned().unwrap_or_default();
        let subjects = before.of(State::Queued);
        let fare = if rehearsal.ticket {
            CallKind::WithTicket
        } else {
            CallKind::Standard
        };
        let ideal = ideal_seconds(&rehearsal.quota.limits, fare, subjects);
        let windows = QuotaWindow::ALL.into_iter().map(QuotaWindow::name);
        let peak = |name| lane.windows.get(name).map_or(0, |window| window.peak);
        Self {
            subjects,
            calls: lane.calls,
            answered: after.answered().saturating_sub(before.answered()),
            virtual_seconds: rehearsed.took.as_secs_f64(),
            ideal_seconds: ideal.is_finite().then_some(ideal),
            real_seconds: Duration::from_millis(real_millis.unsigned_abs()).as_secs_f64(),
            peaks: windows.map(|name| (name, peak(name))).collect(),
            limits: QuotaWindow::ALL
                .map(|window| (window.name(), rehearsal.remote.limits.of(window)))
                .into(),
            refused: [("45009", lane.refused_45009), ("45033", lane.refused_45033)].into(),
            states: State::ALL
                .map(|state| (state.as_str(), after.of(state)))
                .into(),
            kills: rehearsed.kills,
            seed: rehearsal.remote.seed,
            next,
        }
    }

    fn text(&self, ending: &StopReason, timeline: &Timeline) -> String {
        let mut text = timeline.to_string();
        let _ = writeln!(text, "{}\n", ended(ending));
        for name in QuotaWindow::ALL.map(QuotaWindow::name) {
            let peak = self.peaks.get(name).unwrap_or(&0);
            let limit = self.limits.get(name).copied().flatten();
            let limit = limit.map_or_else(|| "no limit".to_owned(), count);
            let _ = writeln!(text, "  peak {name:15} {:>10} of {limit:>10}", count(*peak));
        }
        for (errcode, times) in self.refused.iter().filter(|(_, times)| **times > 0) {
            let _ = writeln!(text, "  refused {errcode:12} {:>10}", count(*times));
        }
        for (state, subjects) in self.states.iter().filter(|(_, subjects)| **subjects > 0) {
            let _ = writeln!(text, "  {state:20} {:>10}", count(*subjects));
        }
        let ideal = self.ideal_seconds.map(|ideal| {
            let ideal = lasting(ideal);
            format!(" (earliest possible: {ideal})")
        });
        let calls = (count(self.calls), count(self.subjects));
        let took = lasting(self.virtual_seconds);
        let _ = writeln!(text, "\n{} calls for {} subjects", calls.0, calls.1);
        let _ = writeln!(text, "{took} of virtual time{}", ideal.unwrap_or_default());
        let _ = writeln!(text, "{} of real time", lasting(self.real_seconds));
        if self.kills > 0 {
            let _ = writeln!(text, "the process died {} times", count(self.kills));
        }
        let seed = self.seed;
        let _ = writeln!(text, "played again by --seed {seed}");
        let _ = writeln!(
            text,
            "\nNext: nothing was sent yet; this sends it\n  {}",
            self.next
        );
        text
    }
}

fn lasting(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    duration(Duration::from_secs_f64(seconds))
}

fn ended(ending: &StopReason) -> String {
    match ending {
        StopReason::Finished => "Finished: every subject has been asked.".to_owned(),
        StopReason::Quota(wait) => format!("Stopped: {}.", wait.reason),
        StopReason::Budget => "Stopped: the budget of calls is used up.".to_owned(),
        StopReason::Time => "Stopped: the time is up.".to_owned(),
        StopReason::Unreachable(failure) => format!("Stopped: {failure}."),
        StopReason::Interrupted => "Stopped.".to_owned(),
        StopReason::TokensRefused => "Halted: every token was refused.".to_owned(),
        StopReason::Refused(halt) => format!("Halted: {}.", halt.entry),
        StopReason::Breaker(trip) => {
            format!(
                "Halted: {} of the last {} answers were errors.",
                trip.errors, trip.answers
            )
        }
    }
}
