//! `idferry resync`: what `run` does, and answers that have grown old are asked for again. Made for
//! cron: a night that is too short continues in the next one.

use super::{
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

pub(super) fn run(args: Args, next: &NextCommand) -> Result<Exit, Error> {
    run::execute(args.run, RunKind::Resync(args.refresh), next)
}
