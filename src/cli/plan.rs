//! `idferry plan`: how long a run takes, with and without a ticket. Sends nothing, changes nothing.

use std::io::Write;

use super::{
    args::{Inputs, QuotaFlags, StateFile},
    console::say,
    next_command::NextCommand,
};
use crate::{
    clock::Clock,
    config::RunSection,
    format::counted,
    job::{Error, Exit, JobFiles, ScratchCopy, Session, SessionSettings},
    model::State,
    plan::{Plan, PlannedSubjects, render},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    quota: QuotaFlags,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    let file = args.state.file()?.run;
    let copy = scratch_copy(&args.inputs, &args.state, &file)?;
    let settings = SessionSettings {
        quota: args.quota.quota(&file)?,
        concurrency: args.quota.concurrency(&file),
        ..SessionSettings::default()
    };
    let clock = Clock::system();
    let files = JobFiles {
        job: copy.folder.job_file(),
        ..args.state.files(&file, false)?
    };
    let session = Session::open(files, settings, clock)?;
    let tally = PlannedSubjects {
        lines: copy.lines,
        rejected: copy.invalid,
        subjects: copy.tally.total(),
        answered: copy.tally.answered(),
        calls: copy.tally.of(State::Queued),
    };
    let now = clock.now();
    let plan = Plan::compute(tally, &session.forecast_input()?, now, &next.arguments());
    let text = if args.json {
        serde_json::to_string(&plan).unwrap_or_default() + "\n"
    } else {
        render(&plan, now)
    };
    // A reader who closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

/// Copies the job with the inputs imported, and says how many of its lines are invalid.
pub(super) fn scratch_copy(
    inputs: &Inputs,
    state: &StateFile,
    file: &RunSection,
) -> Result<ScratchCopy, Error> {
    let options = inputs.options(file)?;
    let copy = ScratchCopy::of(&state.path(file, false), &inputs.list(), &options)?;
    if copy.invalid > 0 {
        let lines = counted(copy.invalid, "invalid line");
        say(&format!("{lines}; `idferry run` writes them to a file"));
    }
    Ok(copy)
}
