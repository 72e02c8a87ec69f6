//! `idferry quota`: the corp's ledger over all jobs and processes.

use super::{
    args::StateFile,
    console::{self, say},
    values::{environment, window_calls},
};
use crate::{
    job::{self, Error, Exit, JobFiles},
    model::QuotaWindow,
    report,
    store::{Reader, StoreError},
};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    place: Place,
    /// Print one JSON array instead of text.
    #[arg(long)]
    json: bool,
}

/// Which ledger, and which corp.
#[derive(clap::Args)]
struct Place {
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's ledger, sandbox.ledger.db.
    #[arg(long)]
    sandbox: bool,
    /// The upstream corp [env: WECOM_CORP_ID] [default: that of the job file].
    #[arg(long, value_name = "ID")]
    corp: Option<String>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Charge calls that another program made, such as business.day=30000.
    Note {
        /// The window in which they were made, and how many; longer windows count them too.
        #[arg(value_name = "NAME=N", value_parser = noted)]
        calls: (QuotaWindow, u64),
        /// Who made them.
        #[arg(long, value_name = "WHO")]
        by: String,
        #[command(flatten)]
        place: Place,
    },
    /// Let the next call be sent in spite of a lockout (45009): if it is answered, the lockout is
    /// over; if it is refused, a longer one follows.
    Probe {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

fn noted(word: &str) -> Result<(QuotaWindow, u64), String> {
    window_calls(
        word,
        "write a window and a number such as business.day=30000",
    )
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    match &args.action {
        None => show(args),
        Some(Action::Note { calls, by, place }) => {
            let (window, calls) = *calls;
            let files = place.files()?;
            let corp = place.corp(&files)?;
            job::quota::note(&files.ledger, &corp, window, calls, by)?;
            say(&format!(
                "{corp}: {calls} calls of {by} count in {window} and in longer windows"
            ));
            Ok(Exit::Done)
        }
        Some(Action::Probe { yes, place }) => probe(place, *yes),
    }
}

fn show(args: &Args) -> Result<Exit, Error> {
    let files = args.place.files()?;
    let accounts = job::quota::accounts(&files.ledger, args.place.corp.as_deref())?;
    let text = if args.json {
        serde_json::to_string(&accounts).unwrap_or_default() + "\n"
    } else {
        report::quota::render(&accounts)
    };
    // A reader who closed the pipe has read enough.
    let _ = console::print(&text);
    Ok(Exit::Done)
}

fn probe(place: &Place, yes: bool) -> Result<Exit, Error> {
    let files = place.files()?;
    let corp = place.corp(&files)?;
    let question = "A probe that is refused makes the lockout longer. Send one call now?";
    if !yes && !console::agrees(question) {
        return Err(Error::usage("a probe needs consent: --yes"));
    }
    if job::quota::probe(&files.ledger, &corp)? {
        say(&format!(
            "{corp}: the next call is the probe; a run that waits sends it within half a minute, \
             otherwise type the run again"
        ));
    } else {
        say(&format!("{corp} is not locked out"));
    }
    Ok(Exit::Done)
}

impl Place {
    fn files(&self) -> Result<JobFiles, Error> {
        self.state.files(&self.state.file()?.run, self.sandbox)
    }

    fn corp(&self, files: &JobFiles) -> Result<String, Error> {
        let of_job = || match Reader::open(&files.job) {
            Ok(reader) => Ok(reader.corp_id()?),
            Err(StoreError::Missing { .. }) => Ok(None),
            Err(why) => Err(Error::from(why)),
        };
        let named = self.corp.clone().or_else(|| environment("WECOM_CORP_ID"));
        named
            .map_or_else(of_job, |corp| Ok(Some(corp)))?
            .ok_or_else(|| {
                Error::usage(
                    "which corp? Name it with --corp or WECOM_CORP_ID, or a job file with --state",
                )
            })
    }
}
