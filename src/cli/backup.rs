//! `idferry backup`: a copy of the job file, also during a run.

use std::path::PathBuf;

use super::{console::say, job_flags::JobFlags};
use crate::{
    format::counted,
    job::{Error, Exit, backup},
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the copy goes; it must not exist.
    #[arg(value_name = "FILE")]
    target: PathBuf,
    #[command(flatten)]
    job: JobFlags,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let path = args.job.path()?;
    let copied = backup(&path, &args.target)?;
    say(&format!(
        "{}: {}, {}, as of now",
        args.target.display(),
        counted(copied.subjects, "subject"),
        counted(copied.bytes, "byte"),
    ));
    Ok(Exit::Done)
}
