//! `idferry quota`: the corp's ledger over all jobs and processes.

use super::{
    address::connection,
    console::{self, say},
    job_flags::StateFile,
    values::{environment, window_calls},
};
use crate::{
    config::{self, ConfigFile},
    job::{self, Error, Exit, JobFiles},
    model::QuotaWindow,
    report,
    runner::RunOptions,
    store::{Reader, StoreError},
    wecom::BaseUrl,
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
pub(super) struct Place {
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's ledger, sandbox.ledger.db.
    #[arg(long)]
    sandbox: bool,
    /// The upstream corp [env: WECOM_CORP_ID] [default: that of the job file].
    #[arg(long, value_name = "ID")]
    corp: Option<String>,
}

/// One call that needs the operator's consent.
#[derive(clap::Args)]
pub(super) struct ConsentedCall {
    /// The API's address [env: WECOM_BASE_URL] [default: https://qyapi.weixin.qq.com].
    #[arg(long, value_name = "URL")]
    pub(super) base_url: Option<BaseUrl>,
    /// Do not ask.
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) place: Place,
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
    /// Send one call in spite of a lockout (45009), about a subject of the job file: if it is
    /// answered, the lockout is over; if it is refused, a longer one follows.
    Probe(ConsentedCall),
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
        Some(Action::Probe(call)) => probe(call),
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

fn probe(call: &ConsentedCall) -> Result<Exit, Error> {
    let place = &call.place;
    let (file, files) = (place.config()?, place.files()?);
    let connection = connection(false, call.base_url.clone(), &file.wecom)?;
    let credentials = config::credentials(environment, &file.wecom)?;
    let corp = credentials.corp_id.clone();
    place.check_corp(&corp)?;
    let question = "A probe that is refused makes the lockout longer. Send one call now?";
    if !call.yes && !console::agrees(question) {
        return Err(Error::usage("a probe needs consent: --yes"));
    }
    let timeout = RunOptions::default().call_timeout;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let probed = runtime.block_on(async {
        let client = connection.client(credentials, timeout)?;
        job::probe(&files, &client, timeout).await
    })?;
    let (words, exit) = report::quota::probed(&probed);
    say(&format!("{corp}: {words}"));
    Ok(exit)
}

impl Place {
    pub(super) fn config(&self) -> Result<ConfigFile, Error> {
        self.state.file()
    }

    pub(super) fn files(&self) -> Result<JobFiles, Error> {
        self.state.files(&self.state.file()?.run, self.sandbox)
    }

    /// Returns an error if another corp is named than that of the credentials.
    pub(super) fn check_corp(&self, corp: &str) -> Result<(), Error> {
        match &self.corp {
            Some(other) if !other.eq_ignore_ascii_case(corp) => Err(Error::usage(format!(
                "the credentials are those of {corp}, not of {other}"
            ))),
            _ => Ok(()),
        }
    }

    pub(super) fn corp(&self, files: &JobFiles) -> Result<String, Error> {
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
