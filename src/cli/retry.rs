//! `idferry retry`: chosen outcomes go back in the queue.

use std::path::PathBuf;

use super::{Exit, Failure, args::StateFile, say};
use crate::{
    clock::Clock,
    model::State,
    report::style::{count, counted},
    store::Store,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Outcomes to ask again: parked, rejected, unlinked or linked (repeatable). Anything else
    /// names the state file.
    #[arg(long = "state", value_name = "STATE|FILE")]
    states: Vec<String>,
    /// Outcomes with this errcode (repeatable).
    #[arg(long, value_name = "CODE", allow_hyphen_values = true)]
    errcode: Vec<i64>,
    /// In the sandbox's state file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
    /// The configuration file [default: idferry.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// `--state` names both a state of subjects and, as everywhere, the state file. The five words of
/// subjects come first; a file of such a name is written ./parked.
pub(super) fn split_states(words: &[String]) -> (Vec<State>, Option<PathBuf>) {
    let mut states = Vec::new();
    let mut file = None;
    for word in words {
        match word.parse() {
            Ok(state) => states.push(state),
            Err(_) => file = Some(PathBuf::from(word)),
        }
    }
    (states, file)
}

/// The state file of a command whose `--state` may also name states.
pub(super) fn state_file(
    file: Option<PathBuf>,
    config: Option<PathBuf>,
    sandbox: bool,
) -> Result<PathBuf, Failure> {
    let named = StateFile {
        state: file,
        config,
    };
    let configured = named.file()?;
    Ok(named.path(&configured.run, sandbox))
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let (states, file) = split_states(&args.states);
    let path = state_file(file, args.config.clone(), args.sandbox)?;
    if states.is_empty() && args.errcode.is_empty() {
        return Err(Failure::usage(
            "retry what? For example --state parked, or --errcode 610017",
        ));
    }
    if !path.exists() {
        return Err(crate::store::StoreError::Missing { path }.into());
    }
    let mut store = Store::open(&path, Clock::system().now())?;
    let requeued = store.requeue(&states, &args.errcode)?;
    let left = store.tally().of(State::Queued);
    let sandbox = if args.sandbox { " --sandbox" } else { "" };
    say(&format!(
        "{} put back in the queue, {} queued now; `idferry run{sandbox}` asks them",
        counted(requeued, "subject"),
        count(left)
    ));
    Ok(Exit::Done)
}
