//! `idferry retry`: subjects with chosen outcomes go back in the queue.

use super::{args::StateFile, console::say, next_command::NextCommand, values::outcome};
use crate::{
    clock::Clock,
    format::{count, counted},
    job::{Error, Exit},
    model::State,
    store::Store,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Look subjects with this outcome up again: parked, rejected, unlinked or linked (repeatable).
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
    /// Only outcomes with this errcode (repeatable).
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    errcode: Vec<i64>,
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's state file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
}

pub(super) fn run(args: &Args, next: &NextCommand) -> Result<Exit, Error> {
    let path = args.state.path(&args.state.file()?.run, args.sandbox);
    if args.outcomes.is_empty() && args.errcode.is_empty() {
        return Err(Error::usage(
            "retry what? For example --outcome parked, or --errcode 610017",
        ));
    }
    if !path.exists() {
        return Err(Store::missing(&path).into());
    }
    let note = &mut |note| say(&format!("{note}"));
    let mut store = Store::open_noting(&path, Clock::system().now(), note)?;
    let requeued = store.requeue(&args.outcomes, &args.errcode)?;
    let queued = store.tally().of(State::Queued);
    say(&format!(
        "{} put back in the queue, {} queued now; `{}` looks them up",
        counted(requeued, "subject"),
        count(queued),
        next.run()
    ));
    Ok(Exit::Done)
}
