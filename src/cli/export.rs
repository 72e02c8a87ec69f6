//! `idferry export`: the results so far, during a run or after it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{args::StateFile, console::say, outputs, signals::Signals, values::outcome};
use crate::{
    export::{Filter, Format, Target},
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
    /// The format of the results.
    #[arg(long, value_parser = format(), default_value_t = Format::ALL[0])]
    format: Format,
    /// Only subjects with this outcome: queued, linked, unlinked, rejected or parked (repeatable).
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
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
    };
    let lines = job::export(&reader, &target, args.format, &filter)?;
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
        let names: Vec<_> = self.outcomes.iter().map(|state| state.as_str()).collect();
        let part = match &*names {
            [] => "links".to_owned(),
            names => names.join("-"),
        };
        let suffix = format!("{part}.{}", self.format);
        Ok(outputs::default_name(&stem(reader)?, self.sandbox, &suffix))
    }
}
