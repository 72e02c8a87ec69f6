//! `idferry export`: the results so far, during a run or after it.

use std::path::PathBuf;

use super::{args::StateFile, console::say, values::outcome};
use crate::{
    export::{Filter, Target, publish_csv},
    format::counted,
    job::{Error, Exit, stem},
    model::State,
    store::Reader,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the results go; - is standard output [default: the first input's stem + .links.csv].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The format of the results.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Only subjects with this outcome: queued, linked, unlinked, rejected or parked (repeatable).
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's state file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// One line per link.
    Csv,
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let Format::Csv = args.format;
    let path = args.state.path(&args.state.file()?.run, args.sandbox);
    let reader = Reader::open(&path)?;
    let target = match &args.output {
        Some(output) => Target::parse(output),
        None => Target::File(default_output(&reader, &args.outcomes)?),
    };
    target
        .check()
        .map_err(|why| Error::usage(why.to_string()))?;
    let filter = Filter {
        states: args.outcomes.clone(),
    };
    match publish_csv(&reader, &target, &filter) {
        Err(why) if why.is_closed_pipe() => Ok(Exit::Done),
        Err(why) => Err(why.into()),
        Ok(lines) => {
            if target != Target::Stdout {
                say(&format!("{target}: {}", counted(lines, "line")));
            }
            Ok(Exit::Done)
        }
    }
}

/// All results go where a run writes them; a part of them never replaces them.
fn default_output(reader: &Reader, outcomes: &[State]) -> Result<PathBuf, Error> {
    let stem = stem(reader)?;
    let part = if outcomes.is_empty() {
        "links".to_owned()
    } else {
        let names: Vec<_> = outcomes.iter().map(|state| state.as_str()).collect();
        names.join("-")
    };
    Ok(format!("{stem}.{part}.csv").into())
}
