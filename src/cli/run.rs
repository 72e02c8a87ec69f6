//! `idferry run`: import, ask, export. Typed again, it goes on.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use super::{
    Exit, Failure,
    args::{Inputs, QuotaFlags, StateFile, StopFlags, Talk, or_file},
    enrol::enrol,
    export::stem,
    log, rejects,
    remote::Remote,
    reporter::{self, Progress},
    results,
    say::sum_up,
    signals::Signals,
    ticket::{self, Consent, Job, Policy, Stage},
    typed::{command_line, state_flags},
};
use crate::{
    clock::Clock,
    config::File,
    export::Target,
    gate::Quota,
    intake::Input,
    model::{State, SubjectId},
    report::{Reporter, Summary},
    runner::{
        RunOptions, Runner, begin,
        decide::ATTEMPTS,
        event::{RunEvent, RunReport, Snapshot, StopReason},
        open_gate,
    },
    store::{Reader, RunId, Store, StoreError},
    wecom::{BaseUrl, errcode},
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    state: StateFile,
    /// Where the results go; - is standard output [default: INPUT's stem + .links.csv].
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where lines that cannot be subjects go [default: INPUT's stem + .rejects.csv].
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Ask a simulator inside this process: real HTTP, no credentials.
    #[arg(long, conflicts_with = "base_url")]
    sandbox: bool,
    /// The API's address [env: WECOM_BASE_URL] [default: https://qyapi.weixin.qq.com].
    #[arg(long, value_name = "URL")]
    base_url: Option<BaseUrl>,
    /// The bulk ticket (大批量调用凭据), obtainable once: auto, apply, stored or none
    /// [default: auto].
    #[arg(long, value_enum, value_name = "POLICY")]
    ticket: Option<Policy>,
    #[command(flatten)]
    quota: QuotaFlags,
    #[command(flatten)]
    stop: StopFlags,
    /// How progress is shown [default: auto].
    #[arg(long, value_enum, value_name = "HOW")]
    progress: Option<Progress>,
    /// Agree to whatever would be asked.
    #[arg(long)]
    yes: bool,
}

/// A run with all its settings found.
struct Plan {
    file: File,
    inputs: Vec<Input>,
    results: Target,
    rejects: PathBuf,
    remote: Remote,
    quota: Quota,
    orders: RunOptions,
    policy: Policy,
    consent: Consent,
    clock: Clock,
}

pub(super) fn run(args: Args, talk: &Talk) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let file = args.state.file()?;
    let progress = or_file(args.progress, file.run.progress.as_ref(), "progress")?;
    let mut reporter = reporter::start(progress.unwrap_or_default(), talk);
    let options = args.inputs.options(&file.run)?;
    let concurrency = args.quota.concurrency(&file.run);
    let path = args.state.path(&file.run, args.sandbox);
    let clock = Clock::system();
    let inputs = args.inputs.list();
    let named_after = match inputs.first() {
        Some(input) => input.stem(),
        None => first_source(&path)?,
    };
    let plan = args.plan(file, inputs, &named_after, clock)?;
    let mut store = Store::open(&path, clock.now())?;
    // Before the import: another corp's subjects must not come into this corp's file.
    if let Ok(who) = plan.remote.credentials(&plan.file) {
        store.check_corp(&who.corp_id)?;
    }
    let taken = enrol(&mut store, &plan.inputs, &options, talk.quiet);
    // Whatever came of this import: those of the sources before it are told.
    let told = rejects::publish(&store.reader()?, &plan.rejects);
    taken.and(told)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::internal(format!("the runtime cannot start: {why}")))?;
    let run = begin(&store, "run", &plan.quota, clock)?;
    let asked =
        runtime.block_on(plan.ask(&mut store, run, concurrency, reporter.as_mut(), &signals));
    // Every answer is committed: a signal while the results are written finds a run that has
    // ended, and status does not take it for broken off.
    let owed = asked
        .as_ref()
        .map_or_else(|failure| failure.exit, |asked| asked.exit(&store));
    let end = |exit: Exit| {
        store
            .journal()
            .end_run(run, i64::from(exit.code()), clock.now())
    };
    let mut ended = end(owed);
    signals.leave_at_once();
    reporter.finish();
    let done = asked.and_then(|asked| plan.close(&store, asked, talk));
    let exit = done
        .as_ref()
        .map_or_else(|failure| failure.exit, |exit| *exit);
    if exit != owed {
        ended = end(exit);
    }
    done?;
    ended?;
    Ok(exit)
}

/// Lines of all inputs that were no subjects.
fn bad_lines(store: &Store) -> Result<u64, Failure> {
    let sources = store.reader()?.sources()?;
    Ok(sources.iter().map(|source| source.rejected).sum())
}

/// What outputs of a run without inputs are named after. There must be something to go on with.
fn first_source(path: &Path) -> Result<String, Failure> {
    match Reader::open(path) {
        Ok(reader) => stem(&reader),
        Err(StoreError::Missing { path }) => Err(Failure::usage(format!(
            "there is no state file {} to go on with: name an INPUT, or another file with --state",
            path.display()
        ))),
        Err(why) => Err(why.into()),
    }
}

impl Args {
    fn plan(
        self,
        file: File,
        inputs: Vec<Input>,
        stem: &str,
        clock: Clock,
    ) -> Result<Plan, Failure> {
        let quota = self.quota.quota(&file.run)?;
        let remote = if self.sandbox {
            Remote::sandbox()?
        } else {
            Remote::at(self.base_url, &file)?
        };
        if quota.limits.is_none() && !remote.is_loopback() {
            return Err(Failure::usage(
                "--quota none is for loopback addresses only: the real API shuts callers out for \
                 up to thirty days (D90454)",
            ));
        }
        let named = |suffix: &str| PathBuf::from(format!("{stem}.{suffix}.csv"));
        let results = Target::parse(&self.output.unwrap_or_else(|| named("links")));
        results
            .check()
            .map_err(|why| Failure::usage(why.to_string()))?;
        let policy = or_file(self.ticket, file.run.ticket.as_ref(), "ticket")?;
        let consent = match self.yes || remote.is_sandbox() {
            true => Consent::Given,
            false => Consent::Ask,
        };
        let orders = RunOptions {
            budget: self.stop.budget,
            deadline: self.stop.deadline(clock.now()),
            on_quota: self.stop.on_quota(&file.run)?,
            error_budget: self.stop.error_budget(&file.run)?,
            seed: fastrand::u64(..),
            ..RunOptions::default()
        };
        Ok(Plan {
            file,
            inputs,
            results,
            rejects: self.rejects.unwrap_or_else(|| named("rejects")),
            remote,
            quota,
            orders,
            policy: policy.unwrap_or_default(),
            consent,
            clock,
        })
    }
}

/// A run that was driven, or did not have to be.
struct Asked {
    report: RunReport,
    /// The last snapshot, for the windows in the summary.
    last: Option<Snapshot>,
    ticket_until: Option<crate::clock::Timestamp>,
}

impl Asked {
    /// What it comes to if the results can be written.
    fn exit(&self, store: &Store) -> Exit {
        let RunReport { ending, tally, .. } = &self.report;
        bad_lines(store).map_or(Exit::Internal, |lines| Exit::of(ending, tally, lines))
    }
}

impl Plan {
    /// Asks what is queued.
    async fn ask(
        &self,
        store: &mut Store,
        run: RunId,
        concurrency: crate::gate::Concurrency,
        reporter: &mut dyn Reporter,
        signals: &Signals,
    ) -> Result<Asked, Failure> {
        let queued = store.tally().of(State::Queued);
        if self.orders.budget == Some(0) || !has_work(store)? {
            let ending = match queued {
                0 => StopReason::Finished,
                _ => StopReason::Budget,
            };
            return Ok(unasked(store, ending));
        }
        let who = self.remote.credentials(&self.file)?;
        store.bind_corp(&who.corp_id)?;
        let client = self.remote.client(who, self.orders.call_timeout)?;
        let (gate, books) = open_gate(
            store,
            &self.quota,
            concurrency,
            self.clock,
            self.orders.call_timeout,
        )?;
        let job = Job {
            store,
            ledger: &gate.ledger,
            now: books.now(),
            client: &client,
            signals,
            clock: self.clock,
            queued,
        };
        let (ticket, token) = match ticket::choose(self.policy, self.consent, job).await? {
            Stage::GoOn(ticket, token) => (ticket, token),
            Stage::Halted(halt) => return Ok(unasked(store, StopReason::Refused(*halt))),
            Stage::Unreachable(failure) => {
                return Ok(unasked(store, StopReason::Unreachable(failure)));
            }
        };
        let ticket_until = ticket.as_ref().map(crate::wecom::Ticket::usable_until);
        let last = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&last);
        let listener = Box::new(move |event: &RunEvent| {
            if let RunEvent::Progress(snapshot) = event {
                seen.replace(Some(snapshot.clone()));
            }
            log::event(event);
            reporter.event(event);
        });
        let runner = Runner::new(
            store,
            run,
            gate,
            client,
            books,
            self.orders.clone(),
            listener,
        )?
        .with_ticket(ticket)
        .with_token(token)
        .stopping_at(signals.stop());
        signals.drain();
        let report = runner.drive().await?;
        let report = report.ok_or_else(|| Failure::internal("the run broke off"))?;
        let last = last.take();
        Ok(Asked {
            report,
            last,
            ticket_until,
        })
    }

    /// Exports, sums up, and says how it ended.
    fn close(self, store: &Store, asked: Asked, talk: &Talk) -> Result<Exit, Failure> {
        let reader = store.reader()?;
        let bad_lines = bad_lines(store)?;
        let exit = Exit::of(&asked.report.ending, &asked.report.tally, bad_lines);
        let ended_at = self.clock.now();
        let written = results::publish(store, &self.results);
        let exit = written.as_ref().map_or(Exit::Internal, |_| exit);
        let (written, unwritten) = match written {
            Ok(lines) => (lines.map(|lines| (self.results.to_string(), lines)), None),
            Err(why) => (None, Some(why)),
        };
        let summary = Summary {
            ended_at,
            results: written,
            rejects: Some((self.rejects.display().to_string(), bad_lines)),
            refusals: reader.refusals()?,
            lookup: errcode::lookup,
            windows: asked.last.map(|last| last.windows).unwrap_or_default(),
            ticket_until: asked.ticket_until,
            address: self.remote.address(),
            command: command_line(),
            state_flags: state_flags(),
            exit_code: exit.code(),
            paint: reporter::paint(),
            report: asked.report,
        };
        sum_up(&summary, talk);
        // What the run came to is said before why its results are not where they should be.
        unwritten.map_or(Ok(exit), Err)
    }
}

/// A run that ends before it has asked anything.
fn unasked(store: &Store, ending: StopReason) -> Asked {
    Asked {
        report: RunReport {
            ending,
            tally: store.tally(),
            calls: 0,
            took: Duration::ZERO,
        },
        last: None,
        ticket_until: None,
    }
}

/// Whether anything is queued, or owed one more try.
fn has_work(store: &Store) -> Result<bool, Failure> {
    let tally = store.tally();
    if tally.of(State::Queued) > 0 {
        return Ok(true);
    }
    let codes = errcode::retry_codes();
    Ok(tally.of(State::Parked) > 0
        && !store
            .queue()
            .due_for_retry(SubjectId(0), 1, ATTEMPTS, &codes)?
            .is_empty())
}
