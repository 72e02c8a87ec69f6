//! `idferry plan`: how long a run takes, with and without a ticket. Sends nothing, changes nothing.

use super::{
    args::{Inputs, QuotaFlags},
    console::{print, print_json, say},
    job_flags::StateFile,
    next_command::NextCommand,
    outputs::without_own_files,
    pending_ids::PendingIdsFlag,
    refresh::RefreshFlags,
};
use crate::{
    clock::{Clock, Timestamp},
    config::RunSection,
    format::counted,
    job::{Error, Exit, JobFiles, OutputGuard, ScratchCopy, ScratchUse, Session, SessionSettings},
    model::{Api, State},
    plan::{PendingIdPlan, Plan, PlannedSubjects, ResyncPlan, ResyncWork, render},
    store::{PassOrigin, Reader, StoreError},
};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    of: Option<PlanOf>,
    #[command(flatten)]
    planned: PlanArgs,
}

#[derive(clap::Subcommand)]
enum PlanOf {
    /// What tonight's resync costs, and how old answers get.
    Resync {
        #[command(flatten)]
        planned: PlanArgs,
        #[command(flatten)]
        refresh: RefreshFlags,
        /// Calls of one night [default: what a day's quota allows].
        #[arg(long, value_name = "N")]
        budget: Option<u64>,
    },
}

#[derive(clap::Args)]
struct PlanArgs {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    pending_ids: PendingIdsFlag,
    #[command(flatten)]
    quota: QuotaFlags,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    match &args.of {
        None => args.planned.run(next),
        Some(PlanOf::Resync {
            planned,
            refresh,
            budget,
        }) => planned.resync(refresh, *budget),
    }
}

impl PlanArgs {
    fn run(&self, next: &NextCommand) -> Result<Exit, Error> {
        let (copy, session, clock) = self.scratch()?;
        let tally = PlannedSubjects {
            lines: copy.lines,
            rejected: copy.invalid,
            subjects: copy.tally.total(),
            answered: copy.tally.answered(),
            calls: copy.left,
        };
        let now = clock.now();
        let input = session.forecast_input()?;
        let is_spent = session.ticket_is_spent()?;
        let plan = Plan::compute(tally, &input, is_spent, now, &next.arguments())
            .with_pending_ids(self.pending_ids(&copy, &session, now)?);
        // A reader who closed the pipe has read enough.
        let _ = match self.json {
            true => print_json(&plan),
            false => print(&render(&plan, now)),
        };
        Ok(Exit::Done)
    }

    /// The calls for pending_ids, if they are wanted.
    fn pending_ids(
        &self,
        copy: &ScratchCopy,
        session: &Session,
        now: Timestamp,
    ) -> Result<Option<PendingIdPlan>, Error> {
        let file = self.state.file()?.run;
        if !self.pending_ids.is_set(&file) {
            return Ok(None);
        }
        let due = match Reader::open(&self.state.path(&file, false)) {
            Ok(reader) => reader.pending_ids().count_due(now)?,
            Err(StoreError::Missing { .. }) => 0,
            Err(why) => return Err(why.into()),
        };
        let input = session.forecast_input_of(Api::PendingId)?;
        let (left, tally) = (copy.left, &copy.tally);
        Ok(Some(PendingIdPlan::compute(
            due,
            left,
            tally,
            (&input, now),
        )))
    }

    fn resync(&self, refresh: &RefreshFlags, budget: Option<u64>) -> Result<Exit, Error> {
        let file = self.state.file()?.run;
        let refresh = refresh.refresh(&file)?;
        let (copy, session, clock) = self.scratch()?;
        let due = match Reader::open(&self.state.path(&file, false)) {
            Ok(reader) => refresh.due(&reader, clock.now())?,
            Err(StoreError::Missing { .. }) => Vec::new(),
            Err(why) => return Err(why.into()),
        };
        let of = |origin| {
            due.iter()
                .filter(|(pass, _)| *pass == origin)
                .map(|(_, due)| due)
                .sum()
        };
        let work = ResyncWork {
            new: copy.tally.of(State::Queued),
            retried: of(PassOrigin::Retry),
            parked: of(PassOrigin::Parked),
            unlinked: of(PassOrigin::Unlinked),
            linked: of(PassOrigin::Linked),
            all_unlinked: (copy.tally.of(State::Unlinked), refresh.unlinked_after),
            all_linked: (copy.tally.of(State::Linked), refresh.linked_after),
        };
        let pending_ids = self.pending_ids(&copy, &session, clock.now())?;
        let plan = ResyncPlan::compute(&work, &session.forecast_input()?, budget)
            .with_pending_ids(pending_ids);
        let _ = match self.json {
            true => print_json(&plan),
            false => print(&plan.render()),
        };
        Ok(Exit::Done)
    }

    /// A scratch copy of the job with the inputs imported, and a session of it.
    fn scratch(&self) -> Result<(ScratchCopy, Session, Clock), Error> {
        let file = self.state.file()?.run;
        let copy = scratch_copy(&self.inputs, &self.state, &file, ScratchUse::Plan)?;
        let settings = SessionSettings {
            quota: self.quota.quota(&file)?,
            concurrency: self.quota.concurrency(&file),
            ..SessionSettings::default()
        };
        let clock = Clock::system();
        let files = JobFiles {
            job: copy.folder.job_file(),
            ..self.state.files(&file, false)?
        };
        let session = Session::open(files, settings, clock)?;
        Ok((copy, session, clock))
    }
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
