//! `idferry export`: the results so far, during a run or after it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{args::StateFile, console::say, outputs, signals::Signals, values::outcome};
use crate::{
    export::{Filter, Format, Target, file_stem},
    format::counted,
    job::{self, Error, Exit, stem},
    model::State,
    store::Reader,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the results go; - is standard output, .gz and .zst are compressed [default: the first
    /// input's stem + .links.csv].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace an existing file that this job did not write; never an input or the job file.
    #[arg(long)]
    overwrite: bool,
    /// The format of the results [default: that of FILE's suffix, else csv].
    #[arg(long, value_parser = format())]
    format: Option<Format>,
    /// Only subjects with this outcome: queued, linked, unlinked, rejected or parked (repeatable).
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
    /// Only the lines of this downstream corp.
    #[arg(long, value_name = "ID")]
    corpid: Option<String>,
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's job file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
}

/// Reads a name that [`Format`] lists.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let _signals = Signals::listen()?;
    let file = args.state.file()?;
    let files = args.state.files(&file.run, args.sandbox)?;
    let reader = Reader::open(&files.job)?;
    let target = match &args.output {
        Some(output) => Target::parse(output),
        None => Target::File(args.default_output(&reader)?),
    };
    outputs::guard(&args.state, &file, &files, args.overwrite)?.admit_results(&target)?;
    let filter = Filter {
        states: args.outcomes.clone(),
        corpid: args.corpid.clone(),
    };
    let format = args.format.unwrap_or_else(|| Format::of(&target));
    let lines = job::export(&reader, &target, format, &filter)?;
    if let Some(lines) = lines
        && target != Target::Stdout
    {
        say(&format!("{target}: {}", counted(lines, "line")));
    }
    Ok(Exit::Done)
}

impl Args {
    /// All results go where a run writes them; a part of them never replaces them.
    fn default_output(&self, reader: &Reader) -> Result<PathBuf, Error> {
        let outcomes = self.outcomes.iter().map(|state| state.as_str().to_owned());
        let corpid = self.corpid.as_deref().map(file_stem);
        let names: Vec<_> = corpid.into_iter().chain(outcomes).collect();
        let part = match &*names {
            [] => "links".to_owned(),
            names => names.join("-"),
        };
        let format = self.format.unwrap_or(Format::ALL[0]);
        let suffix = format!("{part}.{format}");
        Ok(outputs::default_name(&stem(reader)?, self.sandbox, &suffix))
    }
}
