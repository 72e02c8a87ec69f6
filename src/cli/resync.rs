//! `idferry resync`: what `run` does, and answers that have grown old are asked for again. Made for
//! cron: a night that is too short goes on in the next one.

use super::{
    args::OutputFlags,
    next_command::NextCommand,
    refresh::{RefreshFlags, RunKind},
    run,
};
use crate::job::{Error, Exit};

#[derive(clap::Args)]
#[group(id = "resync")]
pub(super) struct Args {
    #[command(flatten)]
    run: run::Args,
    #[command(flatten)]
    refresh: RefreshFlags,
}

pub(super) fn run(args: Args, output: &OutputFlags, next: &NextCommand) -> Result<Exit, Error> {
    run::execute(args.run, RunKind::Resync(args.refresh), output, next)
}
