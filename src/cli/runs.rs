//! `idferry runs`: what happened in which night.

use super::{
    console::{print, print_json},
    job_flags::JobFlags,
};
use crate::{
    job::{Error, Exit, RunList},
    report,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    job: JobFlags,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let list = RunList::read(&args.job.path()?)?;
    if args.json {
        print_json(&list);
    } else {
        print(&report::runs::render(&list));
    }
    Ok(Exit::Done)
}
