//! `idferry export`: the results as they stand, beside a run or after it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{
    Exit, Failure,
    retry::{split_states, state_file},
    say,
};
use crate::{
    export::{Filter, Format, Target, publish_results},
    intake::Input,
    model::State,
    report::style::counted,
    store::Reader,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the results go; - is standard output [default: the first input's stem + .links.csv].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The form of the results.
    #[arg(long, value_parser = format(), default_value_t = Format::ALL[0])]
    format: Format,
    /// Only subjects in this state (repeatable). Anything else names the state file.
    #[arg(long = "state", value_name = "STATE|FILE")]
    states: Vec<String>,
    /// Of the sandbox's state file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
    /// The configuration file [default: idferry.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Reads a name that [`Format`] lists.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let (states, file) = split_states(&args.states);
    let reader = Reader::open(&state_file(file, args.config.clone(), args.sandbox)?)?;
    let target = match &args.output {
        Some(output) => Target::parse(output),
        None => Target::File(default_output(&reader, &states, args.format)?),
    };
    target
        .check()
        .map_err(|why| Failure::usage(why.to_string()))?;
    match publish_results(&reader, &target, args.format, &Filter { states }) {
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

/// All results go where a run puts them; a part of them never takes their place.
fn default_output(reader: &Reader, states: &[State], format: Format) -> Result<PathBuf, Failure> {
    let stem = stem(reader)?;
    let part: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    let part = match part.is_empty() {
        true => "links".to_owned(),
        false => part.join("-"),
    };
    Ok(format!("{stem}.{part}.{format}").into())
}

/// What outputs are named after if no input is named: the first source.
pub(super) fn stem(reader: &Reader) -> Result<String, Failure> {
    let Some(first) = reader.sources()?.into_iter().next() else {
        return Ok("idferry".to_owned());
    };
    let input = match first.name {
        name if name == Input::Stdin.name() => Input::Stdin,
        name => Input::Path(name.into()),
    };
    Ok(input.stem())
}
