//! `idferry runs`: what happened in which night.

use super::{
    args::StateFile,
    console::{print, print_json},
};
use crate::{
    job::{Error, Exit, RunList},
    report,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's job file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let path = args.state.path(&args.state.file()?.run, args.sandbox);
    let list = RunList::read(&path)?;
    if args.json {
        print_json(&list);
    } else {
        print(&report::runs::render(&list));
    }
    Ok(Exit::Done)
}
