//! `idferry plan`: how long it would take, with and without a ticket. Sends nothing, changes
//! nothing.

use std::io::Write;

use super::{
    Exit, Failure,
    args::{Inputs, QuotaFlags, StateFile},
    job::Job,
    typed,
};
use crate::{
    clock::Clock,
    gate::{CallKind, ForecastInput},
    model::State,
    plan::{Plan, Tally, render},
    runner::{open_gate, ticket},
    store::Store,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    quota: QuotaFlags,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let file = args.state.file()?.run;
    let job = Job::copy(&args.inputs, &args.state, &file)?;
    let tally = Tally {
        lines: job.lines,
        rejected: job.rejected,
        subjects: job.tally.total(),
        answered: job.tally.answered(),
        calls: job.tally.of(State::Queued),
    };
    let clock = Clock::system();
    let wall = clock.now();
    let plan = Plan::draw(
        tally,
        &args.outlook(&job, clock)?,
        wall,
        &typed::for_run("plan"),
    );
    let text = if args.json {
        serde_json::to_string(&plan).unwrap_or_default() + "\n"
    } else {
        render(&plan, wall)
    };
    // Whoever closed the pipe has read enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

impl Args {
    /// The very gate that would admit the calls, over the books as they were left.
    fn outlook(&self, job: &Job, clock: Clock) -> Result<ForecastInput, Failure> {
        let file = self.state.file()?.run;
        let store = Store::open(&job.scratch.state(), clock.now())?;
        let quota = self.quota.quota(&file)?;
        let concurrency = self.quota.concurrency(&file);
        let timeout = crate::runner::RunOptions::default().call_timeout;
        let (gate, books) = open_gate(&store, &quota, concurrency, clock, timeout)?;
        let (now, wall) = (books.now(), clock.now());
        let stored = ticket::stored(&store, clock)?;
        Ok(ForecastInput {
            ledger: gate.account().clone(),
            now,
            fare: stored
                .as_ref()
                .map_or(CallKind::Standard, |_| CallKind::WithTicket),
            ticket_until: stored.map(|ticket| now.plus(ticket.usable_until().since(wall))),
            blocked_until: gate.lockout().until,
            per_second: None,
        })
    }
}
