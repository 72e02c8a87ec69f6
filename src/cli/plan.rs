//! `idferry plan`: how long a run takes, with and without a ticket. Sends nothing, changes nothing.

use super::{
    args::{Inputs, QuotaFlags, StateFile},
    console::{print, print_json, say},
    next_command::NextCommand,
    outputs::without_own_files,
};
use crate::{
    clock::Clock,
    config::RunSection,
    format::counted,
    job::{Error, Exit, JobFiles, OutputGuard, ScratchCopy, ScratchUse, Session, SessionSettings},
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
    let copy = scratch_copy(&args.inputs, &args.state, &file, ScratchUse::Plan)?;
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
    // A reader who closed the pipe has read enough.
    let _ = match args.json {
        true => print_json(&plan),
        false => print(&render(&plan, now)),
    };
    Ok(Exit::Done)
}

/// Makes a scratch job as if the inputs were imported, and says how many of its lines are invalid.
pub(super) fn scratch_copy(
    inputs: &Inputs,
    state: &StateFile,
    file: &RunSection,
    purpose: ScratchUse,
) -> Result<ScratchCopy, Error> {
    let options = inputs.options(file)?;
    let job_file = state.path(file, false);
    let guard = OutputGuard::of_job(&job_file, false)?;
    let inputs = without_own_files(inputs.list(), &guard, false)?;
    let copy = ScratchCopy::of(&job_file, &inputs, &options, purpose)?;
    if copy.invalid > 0 {
        let lines = counted(copy.invalid, "invalid line");
        say(&format!("{lines}; `idferry run` writes them to a file"));
    }
    Ok(copy)
}
