//! `idferry export`: the results so far, during a run or after it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{args::StateFile, console::say, values::outcome};
use crate::{
    export::{Filter, Format, Target, publish_results},
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
    #[arg(long, value_parser = format(), default_value_t = Format::ALL[0])]
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

/// Reads a name that [`Format`] lists.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let path = args.state.path(&args.state.file()?.run, args.sandbox);
    let reader = Reader::open(&path)?;
    let target = match &args.output {
        Some(output) => Target::parse(output),
        None => Target::File(default_output(&reader, &args.outcomes, args.format)?),
    };
    target
        .check()
        .map_err(|why| Error::usage(why.to_string()))?;
    let filter = Filter {
        states: args.outcomes.clone(),
    };
    match publish_results(&reader, &target, args.format, &filter) {
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
fn default_output(reader: &Reader, outcomes: &[State], format: Format) -> Result<PathBuf, Error> {
    let stem = stem(reader)?;
    let part = if outcomes.is_empty() {
        "links".to_owned()
    } else {
        let names: Vec<_> = outcomes.iter().map(|state| state.as_str()).collect();
        names.join("-")
    };
    Ok(format!("{stem}.{part}.{format}").into())
}
