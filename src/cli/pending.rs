//! `idferry pending match`: external_userids of downstream corps become links, by their pending_ids.

use super::{
    address::connection,
    args::{Inputs, QuotaFlags, StopFlags},
    console::{print, print_json, say},
    job_flags::StateFile,
    signals::Signals,
    values::{duration, environment},
};
use crate::{
    clock::Clock,
    config::{self, ConfigFile},
    format::{count, counted},
    job::{Credentials, Error, Exit, ImportedContacts, Session, SessionSettings, stop_code},
    report::matching,
    runner::{MatchingOptions, RunOptions},
    store::Store,
    wecom::{BaseUrl, errcode},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: PendingCommand,
}

#[derive(clap::Subcommand)]
enum PendingCommand {
    /// Match external_userids of downstream corps with subjects: CSV with a column external_userid,
    /// and corpid and chat_id if they are known.
    Match(Box<MatchArgs>),
}

#[derive(clap::Args)]
struct MatchArgs {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    /// Call a simulator inside this process: real HTTP, no credentials.
    #[arg(long, conflicts_with = "base_url")]
    sandbox: bool,
    /// The API's address [env: WECOM_BASE_URL] [default: https://qyapi.weixin.qq.com].
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
    /// The app's agentid in the upstream corp: downstream corps are listed by it, and asked with a
    /// token of their own [env: WECOM_AGENT_ID] [default: all are asked with the app's own token].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    agentid: Option<i64>,
    /// Ask again about those that were not known once that is older than this.
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = duration)]
    unmatched_after: std::time::Duration,
    #[command(flatten)]
    quota: QuotaFlags,
    #[command(flatten)]
    stop: StopFlags,
    /// Do not say what was read.
    #[arg(short, long)]
    quiet: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Error> {
    let PendingCommand::Match(args) = args.command;
    args.run()
}

impl MatchArgs {
    fn run(&self) -> Result<Exit, Error> {
        let signals = Signals::listen()?;
        let file = self.state.file()?;
        let connection = connection(self.sandbox, self.base_url.clone(), &file.wecom)?;
        let credentials = match connection.sandbox_credentials() {
            Some(credentials) => credentials,
            None => config::credentials(environment, &file.wecom)?,
        };
        let clock = Clock::system();
        let mut session = self.open(&file, &credentials, clock)?;
        let options = self.inputs.options(&file.run)?;
        for input in self.inputs.list() {
            let imported = session.import_contacts(&input, &options)?;
            if !self.quiet {
                say(&told(&imported));
            }
        }
        let run = session.begin("pending match")?;
        let matching = self.matching(&file, clock)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| Error::internal(format!("the runtime cannot start: {why}")))?;
        let timeout = matching.run.call_timeout;
        let matched = runtime.block_on(async {
            let client = connection.client(credentials, timeout)?;
            signals.calls_started();
            session
                .match_contacts(run, client, matching, signals.stop())
                .await
        });
        let exit = match &matched {
            Ok((report, _)) => stop_code(&report.reason).1,
            Err(error) => error.exit,
        };
        session.end(run, exit)?;
        signals.calls_finished();
        let (report, links) = matched?;
        let counts = session.contact_counts()?;
        let _ = match self.json {
            true => print_json(&matching::to_json(&report, links, &counts, exit)),
            false => print(&matching::render(
                &report,
                links,
                &counts,
                (clock.now(), errcode::lookup),
            )),
        };
        Ok(exit)
    }

    fn open(
        &self,
        file: &ConfigFile,
        credentials: &Credentials,
        clock: Clock,
    ) -> Result<Session, Error> {
        let settings = SessionSettings {
            quota: self.quota.quota(&file.run)?,
            ..SessionSettings::default()
        };
        let files = self.state.files(&file.run, self.sandbox)?;
        if std::fs::symlink_metadata(&files.job).is_err() {
            return Err(Store::missing(&files.job).into());
        }
        let session = Session::open(files, settings, clock)?;
        session.check_corp(&credentials.corp_id)?;
        Ok(session)
    }

    fn matching(&self, file: &ConfigFile, clock: Clock) -> Result<MatchingOptions, Error> {
        let exported = || environment("WECOM_AGENT_ID")?.trim().parse().ok();
        Ok(MatchingOptions {
            run: RunOptions {
                seed: fastrand::u64(..),
                ..self.stop.options(&file.run, clock.now())?
            },
            agentid: self.agentid.or_else(exported),
            unmatched_after: self.unmatched_after,
        })
    }
}

fn told(imported: &ImportedContacts) -> String {
    let ImportedContacts {
        name,
        lines,
        new,
        invalid,
        first_invalid,
    } = imported;
    let (lines, new) = (counted(*lines, "line"), count(*new));
    let mut text = format!("{name}: {lines}, {new} new external_userids");
    if let Some((line, why)) = first_invalid {
        let invalid = counted(*invalid, "invalid line");
        text += &format!(", {invalid}: in line {line} {why}");
    }
    text
}
