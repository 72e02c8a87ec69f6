//! `idferry run`: import, look up, export. Run again, it resumes.

use std::{net::TcpListener, path::PathBuf};

use super::{
    address::connection,
    args::{FileFlags, Inputs, OutputFlags, QuotaFlags, StopFlags, TicketFlag, ticket_policy},
    console::{self, say},
    contract::contract,
    job_flags::StateFile,
    listen::{self, ListenFlag},
    next_command::NextCommand,
    open_files,
    operator::{Consent, TerminalOperator},
    outputs,
    pending_ids::PendingIdsFlag,
    progress::{self, ProgressMode},
    refresh::RunKind,
    signals::Signals,
    values::{environment, or_file},
};
use crate::{
    clock::Clock,
    config::{self, ConfigFile, WecomSection},
    export::Target,
    format::about,
    gate::Concurrency,
    intake::{Input, ReadOptions},
    job::{
        Connection, Contract, Credentials, Error, Exit, JobFiles, RunOutcome, Session,
        SessionSettings, Status,
    },
    report::{Obstacles, Summary, json, phrases},
    runner::RunOptions,
    store::RunId,
    wecom::{BaseUrl, Client, errcode},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    #[command(flatten)]
    files: FileFlags,
    /// Call a simulator inside this process: real HTTP, no credentials.
    #[arg(long, conflicts_with = "base_url")]
    sandbox: bool,
    /// The API's address [env: WECOM_BASE_URL] [default: https://qyapi.weixin.qq.com].
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
    /// The bulk ticket (大批量调用凭据), obtainable once: auto, apply, stored,
    /// postpone or none [default: auto].
    #[arg(long, value_enum, value_name = "POLICY")]
    ticket: Option<TicketFlag>,
    #[command(flatten)]
    pending_ids: PendingIdsFlag,
    #[command(flatten)]
    quota: QuotaFlags,
    #[command(flatten)]
    stop: StopFlags,
    /// How progress is shown [default: auto].
    #[arg(long, value_enum, value_name = "HOW")]
    progress: Option<ProgressMode>,
    #[command(flatten)]
    listen: ListenFlag,
    /// What an input must look like, a rule a line, such as rows >= 0.8 x last; one that does not is
    /// refused before the first call [default: [contract] of the configuration].
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// Assume yes to all prompts.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputFlags,
}

#[derive(clap::Args)]
#[group(id = "run")]
pub(super) struct RunArgs {
    #[command(flatten)]
    run: Args,
    /// Only ask this many subjects, drawn at random: hit rate, errors, and what the others will take.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "pending_ids")]
    pilot: Option<u64>,
}

pub(super) fn run(args: RunArgs, next: &NextCommand) -> Result<Exit, Error> {
    execute(args.run, RunKind::Run { pilot: args.pilot }, next)
}

/// Imports, makes the calls, exports.
pub(super) fn execute(args: Args, kind: RunKind, next: &NextCommand) -> Result<Exit, Error> {
    // Before anything else opens files.
    open_files::bounded(Concurrency::Fixed(1), false)?;
    let signals = Signals::listen()?;
    let file = args.state.file()?;
    let reporter = progress::start(args.progress(&file)?, &args.output);
    let mut settings = RunSettings::resolve(args, file, &kind)?;
    let mut operator = TerminalOperator::new(reporter, signals, settings.consent);
    let mut session = settings.open_session()?;
    let run = session.begin(kind.command())?;
    // Dropped before the session, which closes the job file: no reader is to have it open then.
    let _page = listen::serve(settings.page.take(), &settings.job, settings.quiet)?;
    session.record_next_command(run, &next.run())?;
    if let Err(error) = import(&mut session, run, &settings, &operator) {
        return Err(failed(&session, run, error, next));
    }
    session.draw()?;
    let driven = drive(&mut session, run, &settings, &mut operator);
    // Recorded before the export: an interrupt of that finds a run that has ended.
    let exit = driven
        .as_ref()
        .map_or_else(|error| error.exit, |outcome| outcome.exit);
    let mut recorded = session.end(run, exit);
    operator.calls_finished();
    let outcome = driven.map_err(|error| failed(&session, run, error, next))?;

    let exported = settings.files.export(&session);
    let exit = exported.as_ref().map_or_else(|error| error.exit, |_| exit);
    if exit != outcome.exit {
        recorded = session.end(run, exit);
    }
    // The counts are printed before why the results are missing.
    let lines = exported.as_ref().ok().copied().flatten();
    let summary = Summary {
        exit,
        ..settings.summary(&session, run, outcome, lines, next)?
    };
    recorded = recorded.and(session.record_summary(run, &json::ended(&summary)));
    console::summarise(&summary, settings.quiet);
    exported?;
    recorded?;
    Ok(exit)
}

/// Records how a run failed, as far as that is possible, for `status`.
fn failed(session: &Session, run: RunId, error: Error, next: &NextCommand) -> Error {
    let _ = session.end(run, error.exit);
    let said = json::failed(&error, Clock::system().now(), &next.run());
    let _ = session.record_summary(run, &said);
    error
}

/// Imports the inputs; their invalid lines become a file, even if a later input cannot be read.
fn import(
    session: &mut Session,
    run: RunId,
    settings: &RunSettings,
    operator: &TerminalOperator,
) -> Result<(), Error> {
    let names: Vec<_> = settings.files.inputs.iter().map(Input::name).collect();
    let activity = format!("importing {}", names.join(", "));
    session.record_activity(run, (!names.is_empty()).then_some(activity.as_str()))?;
    operator.import_started();
    let imported = session.import(
        &settings.files.inputs,
        &settings.input_options,
        &operator.stop(),
        &mut |input| {
            if !settings.quiet {
                phrases::imported(input).iter().for_each(|line| say(line));
            }
        },
    );
    operator.import_finished();
    let published = session.export_rejects(&settings.files.rejects);
    imported.and(published)?;
    session.record_activity(run, None)
}

/// Makes the calls, if there are any to make.
fn drive(
    session: &mut Session,
    run: RunId,
    settings: &RunSettings,
    operator: &mut TerminalOperator,
) -> Result<RunOutcome, Error> {
    if let Some(outcome) = session.outcome_without_calls()? {
        return Ok(outcome);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Error::internal(format!("the runtime cannot start: {why}")))?;
    let outcome = runtime.block_on(async {
        let client = settings.connect()?;
        session.drive(run, client, operator.stop(), operator).await
    })?;
    outcome.ok_or_else(|| Error::internal("the run broke off"))
}

/// What a run is to do: its flags, completed by environment, file and defaults.
struct RunSettings {
    job: JobFiles,
    files: RunFiles,
    input_options: ReadOptions,
    contract: Contract,
    connection: Connection,
    wecom: WecomSection,
    session: SessionSettings,
    consent: Consent,
    /// Where the page is served.
    page: Option<TcpListener>,
    quiet: bool,
    clock: Clock,
}

impl RunSettings {
    fn resolve(args: Args, file: ConfigFile, kind: &RunKind) -> Result<Self, Error> {
        let input_options = args.inputs.options(&file.run)?;
        let job = args.state.files(&file.run, args.sandbox)?;
        let clock = Clock::system();
        let connection = connection(args.sandbox, args.base_url.clone(), &file.wecom)?;
        let quota = args.quota.quota_at(&connection, &file.run)?;
        let concurrency = args.quota.concurrency(&file.run);
        let concurrency = open_files::bounded(concurrency, connection.is_sandbox())?;
        let files = RunFiles::resolve(&args, &file, &job, &input_options)?;
        progress::start_log_file(&args.output)?;
        let session = SessionSettings {
            quota,
            concurrency,
            ticket: ticket_policy(args.ticket, &file.run)?,
            options: RunOptions {
                seed: fastrand::u64(..),
                ..args.stop.options(&file.run, clock.now())?
            },
            refresh: kind.refresh(&file.run)?,
            draw: kind.draw(),
            pending_ids: args.pending_ids.is_set(&file.run) && kind.draw().is_none(),
            is_steered: true,
            crash_after: None,
        };
        Ok(Self {
            job,
            files,
            input_options,
            contract: contract(args.contract.as_deref(), &file)?,
            consent: if args.yes || connection.is_sandbox() {
                Consent::Given
            } else {
                Consent::Ask
            },
            connection,
            wecom: file.wecom,
            page: args.listen.bind(&file.run)?,
            quiet: args.output.quiet,
            session,
            clock,
        })
    }

    /// Opens the job file. Credentials are checked before the import: what takes minutes is not to end
    /// with one that is missing, and subjects of another corp must not come into the file.
    fn open_session(&self) -> Result<Session, Error> {
        let credentials = match self.credentials() {
            Ok(credentials) => Some(credentials),
            // Nothing is called.
            Err(_) if self.session.options.budget == Some(0) => None,
            Err(why) => return Err(why),
        };
        let (settings, note) = (self.session.clone(), &mut |note| say(&format!("{note}")));
        let opened = Session::open_noting(self.job.clone(), settings, self.clock, note);
        let mut session = opened.map_err(|error| held(error, &self.job))?;
        session.require(self.contract.clone());
        if self.files.changes.is_some() {
            session.begin_changes()?;
        }
        if let Some(credentials) = credentials {
            session.check_corp(&credentials.corp_id)?;
        }
        Ok(session)
    }

    fn credentials(&self) -> Result<Credentials, Error> {
        match self.connection.sandbox_credentials() {
            Some(credentials) => Ok(credentials),
            None => Ok(config::credentials(environment, &self.wecom)?),
        }
    }

    fn connect(&self) -> Result<Client, Error> {
        let timeout = self.session.options.call_timeout;
        self.connection.client(self.credentials()?, timeout)
    }

    /// The summary of a run whose results have so many lines, if they were written.
    fn summary(
        &self,
        session: &Session,
        run: RunId,
        outcome: RunOutcome,
        lines: Option<u64>,
        next: &NextCommand,
    ) -> Result<Summary, Error> {
        Ok(Summary {
            report: outcome.report,
            ended_at: self.clock.now(),
            results: lines.map(|lines| (self.files.results.to_string(), lines)),
            rejects: Some((
                self.files.rejects.display().to_string(),
                outcome.invalid_lines,
            )),
            changes: session.changes(run)?,
            drawn: session.drawn_report()?,
            refusals: session.reader().refusals()?,
            obstacles: Obstacles {
                room_at: outcome.room_at,
                resume_command: outcome.is_paused.then(|| next.on_same_job("resume")),
            },
            lookup: errcode::lookup,
            windows: outcome.windows,
            ticket: outcome.ticket,
            address: self.connection.address(),
            command: next.run(),
            retry_command: next.on_same_job("retry --outcome parked"),
            exit: outcome.exit,
            paint: progress::paint(),
        })
    }
}

/// What a run reads and writes.
struct RunFiles {
    inputs: Vec<Input>,
    results: Target,
    changes: Option<Target>,
    rejects: PathBuf,
}

impl RunFiles {
    /// Checks before anything is done that no output replaces a file of the user's.
    fn resolve(
        args: &Args,
        file: &ConfigFile,
        job: &JobFiles,
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let flags = &args.files;
        let mut guard = outputs::guard(&args.state, file, job, flags.overwrite)?;
        let inputs = outputs::without_own_files(args.inputs.list(), &guard, args.output.quiet)?;
        let stem = match inputs.first() {
            Some(input) => input.stem(),
            None => outputs::first_stem(&job.job)?,
        };
        let named = |flag: &Option<PathBuf>, suffix| {
            let default = || outputs::default_name(&stem, args.sandbox, suffix);
            flag.clone().unwrap_or_else(default)
        };
        let results = Target::parse(&named(&flags.output, "links.csv"));
        let rejects = named(&flags.rejects, "rejects.csv");
        guard.protect_inputs(&inputs);
        let changes = flags.changes.as_deref().map(Target::parse);
        if let Some(contract) = &args.contract {
            guard.protect(contract, "the contract");
        }
        guard.admit_results(&results)?;
        if let Some(changes) = &changes {
            guard.admit_changes(changes)?;
        }
        guard.admit_rejects(&rejects, options)?;
        let log = args.output.log_file.as_deref();
        log.map_or(Ok(()), |log| guard.admit_log(log))?;
        Ok(Self {
            inputs,
            results,
            changes,
            rejects,
        })
    }

    /// Writes the results, and what has changed of them. Returns the lines of the results.
    fn export(&self, session: &Session) -> Result<Option<u64>, Error> {
        let lines = session.export(&self.results)?;
        if let Some(changes) = &self.changes {
            session.export_changes(changes)?;
        }
        Ok(lines)
    }
}

impl Args {
    fn progress(&self, file: &ConfigFile) -> Result<ProgressMode, Error> {
        let mode = or_file(self.progress, file.run.progress.as_ref(), "progress")?;
        Ok(mode.unwrap_or_default())
    }
}

/// The error of a job that another process holds says when that is likely to be done.
fn held(mut error: Error, job: &JobFiles) -> Error {
    let status = (error.exit == Exit::Held).then(|| Status::read(job).ok());
    if let Some(status) = status.flatten()
        && let Some(finish) = status.eta.filter(|_| status.running)
    {
        let finish = about(finish, status.now);
        error.message += &format!("; it has everything answered about {finish}");
    }
    error
}
