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
    /// Only ask this many of the linked and unlinked again, drawn at random: how many have changed, and
    /// which --linked-after that suggests.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "pending_ids")]
    sample: Option<u64>,
}

pub(super) fn run(args: Args, next: &NextCommand) -> Result<Exit, Error> {
    run::execute(
        args.run,
        RunKind::Resync {
            refresh: args.refresh,
            sample: args.sample,
        },
        next,
    )
}
