//! `idferry report`: how a job went, as one HTML file, also during a run.

use std::path::PathBuf;

use super::{console::say, job_flags::JobFlags, outputs, values::environment};
use crate::{
    export::Target,
    format::counted,
    job::{Details, Error, Exit, JobFiles, publish_report, stem},
    report::html::{self, FirstLanguage},
    store::Reader,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    job: JobFlags,
    /// The file to write, - for standard output [default: the first input's stem + .report.html].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace an existing file that this job did not write.
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let file = args.job.file()?;
    let files = args.job.state.files(&file.run, args.job.sandbox)?;
    let reader = Reader::open(&files.job)?;
    let target = Target::parse(&args.target(&reader)?);
    let mut guard = outputs::guard(&args.job.state, &file, &files, args.overwrite)?;
    guard.admit_report(&target)?;
    let written = publish_report(&reader, &target, html(&files)?.as_bytes())?;
    if let Some(bytes) = written
        && target != Target::Stdout
    {
        say(&format!("{target}: {}", counted(bytes, "byte")));
    }
    Ok(Exit::Done)
}

fn html(files: &JobFiles) -> Result<String, Error> {
    Ok(html::report(&Details::read(files)?, first_language()))
}

impl Args {
    fn target(&self, reader: &Reader<'_>) -> Result<PathBuf, Error> {
        match &self.output {
            Some(output) => Ok(output.clone()),
            None => Ok(outputs::default_name(
                &stem(reader)?,
                self.job.sandbox,
                "report.html",
            )),
        }
    }
}

/// The language of the locale. Both are in the file; its reader can change it.
pub(super) fn first_language() -> FirstLanguage {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(environment);
    match locale.is_some_and(|locale| locale.starts_with("zh")) {
        true => FirstLanguage::Chinese,
        false => FirstLanguage::English,
    }
}
