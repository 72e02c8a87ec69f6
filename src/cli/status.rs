//! `idferry status`: what the job does and why it waits, also during a run.

use std::{io::IsTerminal, time::Duration};

use super::{
    console::{print_json, print_raw},
    job_flags::JobFlags,
};
use crate::{
    job::{Error, Exit, Status},
    report::{self, style::printable_painted},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    job: JobFlags,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print again every two seconds, until interrupted.
    #[arg(long)]
    watch: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let files = args.job.files()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    loop {
        let status = Status::read(&files)?;
        if !show(&status, args) || !args.watch {
            return Ok(Exit::Done);
        }
        runtime.block_on(async { tokio::time::sleep(Duration::from_secs(2)).await });
    }
}

/// Returns whether the reader is still there.
fn show(status: &Status, args: &Args) -> bool {
    if args.json {
        return print_json(status);
    }
    let text = printable_painted(&report::status::render(status));
    // Overwritten line by line, so that it does not flicker.
    if args.watch && std::io::stdout().is_terminal() {
        print_raw(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))
    } else {
        print_raw(&text)
    }
}
