//! A run of a job, assembled in one place: open, import, begin, drive, end, export.
//!
//! `idferry run`, rehearsals, tests and benches all drive their runs through a [`Session`]; they
//! differ in the client they hand it and in the [`Operator`] who listens.

mod accounts;
mod come_back;
mod drawing;
mod exports;
mod matching;

pub use self::matching::ImportedContacts;
use super::{
    asked::AskedOnTerminal,
    contract::Contract,
    error::Error,
    exit::Exit,
    files::JobFiles,
    import::{self, ImportRules, ImportedInput},
    operator::Operator,
    passes::Refresh,
    paused::PausedRun,
    results,
    ticket::{self, TicketContext, TicketPolicy},
};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    gate::Concurrency,
    intake::{Input, ReadOptions},
    ledger::{TicketState, Tickets},
    model::{Api, State, SubjectId},
    quota::{CallKind, ForecastInput, Quota},
    runner::{
        RunOptions, Runner, RunningJob, Stop,
        decide::ATTEMPTS,
        event::{RunEvent, RunReport, StopReason, WindowUse},
        open_gate,
    },
    store::{OpeningNote, Pass, PassId, RunId, Store},
    wecom::{Client, Ticket, errcode},
};

/// How a session's run is driven.
#[derive(Debug, Clone, Default)]
pub struct SessionSettings {
    /// What the operator allows.
    pub quota: Quota,
    /// The most calls in flight.
    pub concurrency: Concurrency,
    /// When it stops, and what it tolerates.
    pub options: RunOptions,
    /// Whether a ticket is used and applied for.
    pub ticket: TicketPolicy,
    /// For a resync: how old answers may get.
    pub refresh: Option<Refresh>,
    /// Only so many subjects are asked, drawn at random: of those without an answer, for a resync of those
    /// with one.
    pub draw: Option<u64>,
    /// Whether pending_ids are asked for beside the lookups.
    pub pending_ids: bool,
    /// Obey `idferry pause` and its like.
    pub is_steered: bool,
    /// For rehearsals: the process is killed after so many commits that settled something.
    pub crash_after: Option<u64>,
}

/// How a run ended.
pub struct RunOutcome {
    /// Why it ended, and the counts.
    pub report: RunReport,
    /// Use of the windows at the end; empty if no call was made.
    pub windows: Vec<WindowUse>,
    /// How it stands with the ticket; `None` if there never was one, or it was not looked at.
    pub ticket: Option<TicketState>,
    /// Lines of all inputs that cannot be subjects.
    pub invalid_lines: u64,
    /// What the process exits with, unless the export fails.
    pub exit: Exit,
    /// If work is left: when the quota has room again; `None` for now.
    pub room_at: Option<Timestamp>,
    /// An operator has paused the job.
    pub is_paused: bool,
}

/// A job file, held for one run.
pub struct Session {
    pub(super) store: Store,
    files: JobFiles,
    pub(super) settings: SessionSettings,
    contract: Contract,
    /// The pass over those drawn.
    pub(super) drawn: Option<PassId>,
    pub(super) clock: Clock,
    /// Nothing of it is kept, so the disk is not waited for.
    is_scratch: bool,
}

impl Session {
    /// Opens or makes the job file and takes its lock. The ledger is opened when calls are made.
    ///
    /// # Errors
    ///
    /// If another process holds it, or it is not a job file of this version.
    pub fn open(files: JobFiles, settings: SessionSettings, clock: Clock) -> Result<Self, Error> {
        Self::open_noting(files, settings, clock, &mut |_| ())
    }

    /// The same; `note` hears what an unclean end has left behind.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_noting(
        files: JobFiles,
        settings: SessionSettings,
        clock: Clock,
        note: &mut dyn FnMut(OpeningNote),
    ) -> Result<Self, Error> {
        Ok(Self {
            store: Store::open_noting(&files.job, clock.now(), note)?,
            files,
            settings,
            contract: Contract::default(),
            drawn: None,
            clock,
            is_scratch: false,
        })
    }

    /// Commits faster, at the price of the last moments if the power fails; for job files that are
    /// thrown away.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub fn disable_fsync(&mut self) -> Result<(), Error> {
        self.is_scratch = true;
        Ok(self.store.disable_fsync()?)
    }

    /// Returns an error if the job file belongs to another corp than `corp_id`.
    pub(crate) fn check_corp(&self, corp_id: &str) -> Result<(), Error> {
        Ok(self.store.check_corp(corp_id)?)
    }

    /// From here on every input must meet `contract`.
    pub(crate) fn require(&mut self, contract: Contract) {
        self.contract = contract;
    }

    /// Imports every input that the job file does not hold yet, and tells `each` of it. `stop` ends
    /// that between two lines: [`Exit::Interrupted`].
    pub(crate) fn import(
        &mut self,
        inputs: &[Input],
        options: &ReadOptions,
        stop: &Stop,
        each: &mut dyn FnMut(&ImportedInput),
    ) -> Result<(), Error> {
        let how = ImportRules {
            options,
            contract: &self.contract,
            stop,
        };
        import::import(&mut self.store, inputs, &how, each)
    }

    /// Returns the outcome of a run that has no call to make: nothing is due, or a budget of 0.
    pub(crate) fn outcome_without_calls(&self) -> Result<Option<RunOutcome>, Error> {
        let reason = if self.settings.options.budget == Some(0) && self.left()? > 0 {
            StopReason::Budget
        } else if self.settings.options.budget == Some(0) || !self.is_work_due()? {
            StopReason::Finished
        } else {
            return Ok(None);
        };
        self.outcome_before_calls(reason).map(Some)
    }

    /// Whether subjects are queued, due in a pass, or parked and due for their retry pass.
    fn is_work_due(&self) -> Result<bool, Error> {
        let tally = self.store.tally();
        if self.left()? > 0 || self.is_pending_id_due()? {
            return Ok(true);
        }
        if self.settings.draw.is_some() {
            return Ok(false);
        }
        let codes = errcode::retry_codes();
        let due = || {
            self.store
                .queue()
                .due_for_retry(SubjectId(0), 1, ATTEMPTS, &codes)
        };
        Ok(tally.of(State::Parked) > 0 && !due()?.is_empty())
    }

    /// Whether pending_ids are wanted and one is to be asked for.
    fn is_pending_id_due(&self) -> Result<bool, Error> {
        let all = (SubjectId(0), SubjectId(i64::MAX));
        let due = || self.store.pending_ids().due(all, 1, self.clock.now());
        Ok(self.settings.pending_ids && !due()?.is_empty())
    }

    /// How many subjects the run has to ask: the queued, and those of its passes.
    pub(crate) fn left(&self) -> Result<u64, Error> {
        let queued = match self.settings.draw {
            Some(_) => 0,
            None => self.store.tally().of(State::Queued),
        };
        let in_passes: u64 = self.passes()?.iter().map(Pass::left).sum();
        Ok(queued + in_passes)
    }

    /// Drives `run` to its end: binds the corp, opens the gate, decides on the ticket, makes the
    /// calls. Returns `None` if the run was to die on the way, as in rehearsals.
    ///
    /// # Errors
    ///
    /// If the job file belongs to another corp, or cannot be read or written.
    pub async fn drive(
        &mut self,
        run: RunId,
        client: Client,
        stop: Stop,
        operator: &mut dyn Operator,
    ) -> Result<Option<RunOutcome>, Error> {
        self.store.bind_corp(client.corp_id())?;
        match self.wait_while_paused(run, &stop, operator).await? {
            Some(reason) => self.outcome_before_calls(reason).map(Some),
            None => self.drive_calls(run, client, stop, operator).await,
        }
    }

    async fn drive_calls(
        &mut self,
        run: RunId,
        client: Client,
        stop: Stop,
        operator: &mut dyn Operator,
    ) -> Result<Option<RunOutcome>, Error> {
        let ledger = self.open_ledger()?;
        let corp = client.corp_id().to_owned();
        let ledger_clock = self.merge_counters(&ledger, &corp)?;
        let (lookups, pending_ids) = self.lanes(&ledger, &corp, run, &ledger_clock)?;
        let tickets = Tickets::of(&ledger, &corp);
        let context = TicketContext {
            tickets: &tickets,
            account: lookups.gate.account(),
            now: ledger_clock.now(),
            clock: self.clock,
            queued: self.left()?,
            options: &self.settings.options,
        };
        let mut asked = AskedOnTerminal {
            operator: &mut *operator,
            journal: self.store.journal(),
            run,
            clock: self.clock,
        };
        let (ticket, source) = ticket::choose(self.settings.ticket, &context, &mut asked)?;
        operator.calls_started();
        let mut windows = Vec::new();
        let listener = Box::new(|event: &RunEvent| {
            if let RunEvent::Progress(snapshot) = event {
                windows.clone_from(&snapshot.windows);
            }
            operator.event(event);
        });
        let options = self.settings.options.clone();
        let job = RunningJob {
            tokens: self.token_account(&ledger, &corp, run)?,
            passes: self.passes()?,
            store: &mut self.store,
            run,
        };
        let runner = Runner::new(job, (lookups, ledger_clock), client, options)?
            .reporting_to(listener)
            .with_ticket(ticket)
            .seeking_ticket(source)
            .with_pending_ids(pending_ids)?
            .stopping_at(stop)
            .obeying_wishes(self.settings.is_steered)
            .crashing_after(self.settings.crash_after);
        let Some(report) = runner.drive().await? else {
            return Ok(None);
        };
        let ticket = ticket::state(&tickets, self.clock.now())?;
        self.outcome(report, windows, ticket).map(Some)
    }

    async fn wait_while_paused(
        &self,
        run: RunId,
        stop: &Stop,
        operator: &mut dyn Operator,
    ) -> Result<Option<StopReason>, Error> {
        if !self.settings.is_steered {
            return Ok(None);
        }
        let paused = PausedRun {
            store: &self.store,
            run,
            clock: self.clock,
            deadline: self.settings.options.deadline,
        };
        paused.wait(stop, operator).await
    }

    /// Whether a ticket was ever applied for or imported, so that no other can be had.
    pub(crate) fn ticket_is_spent(&self) -> Result<bool, Error> {
        Ok(self.files.standing(&self.store.reader())?.ticket_is_spent)
    }

    /// What a forecast of this run needs: the account that would pay for its lookups, and the stored
    /// ticket.
    pub(crate) fn forecast_input(&self) -> Result<ForecastInput, Error> {
        self.forecast_input_of(Api::Lookup)
    }

    /// The same of the calls to `api`.
    pub(crate) fn forecast_input_of(&self, api: Api) -> Result<ForecastInput, Error> {
        let standing = self.files.standing(&self.store.reader())?;
        let ledger_clock = LedgerClock::resume(self.clock, standing.lookups.reading);
        let SessionSettings {
            quota, concurrency, ..
        } = &self.settings;
        let stored = match api {
            Api::PendingId => &standing.pending_ids,
            _ => &standing.lookups,
        };
        let gate = open_gate(api, stored, quota, *concurrency, &ledger_clock);
        let (now, wall) = (ledger_clock.now(), self.clock.now());
        let until = standing.ticket_expires.map(Ticket::last_use);
        let until = until.filter(|until| api == Api::Lookup && *until > wall);
        Ok(ForecastInput {
            account: gate.account().clone(),
            now,
            kind: until.map_or(CallKind::Standard, |_| CallKind::WithTicket),
            ticket_until: until.map(|until| now.plus(until.since(wall))),
            locked_until: gate.account().lockout().until,
            per_second: None,
        })
    }

    /// The outcome of a run that ended before its first call.
    fn outcome_before_calls(&self, reason: StopReason) -> Result<RunOutcome, Error> {
        let report = RunReport {
            pending_ids: None,
            reason,
            tally: self.store.tally(),
            left: self.left()?,
            kept: 0,
            calls: 0,
            took: std::time::Duration::ZERO,
            used_elsewhere: false,
            waits: Vec::new(),
        };
        self.outcome(report, Vec::new(), None)
    }

    fn outcome(
        &self,
        report: RunReport,
        windows: Vec<WindowUse>,
        ticket: Option<TicketState>,
    ) -> Result<RunOutcome, Error> {
        let invalid_lines = results::invalid_lines(&self.store.reader())?;
        let exit = match (&report.reason, self.settings.refresh) {
            // What is refused for good is no news every night.
            (StopReason::Finished, Some(_)) => Exit::Done,
            (reason, _) => Exit::of(reason, &report.tally, invalid_lines),
        };
        let is_work_left = exit == Exit::WorkLeft;
        Ok(RunOutcome {
            exit,
            room_at: is_work_left.then(|| self.room_at()).flatten(),
            is_paused: is_work_left && self.store.wishes()?.pause().is_some(),
            report,
            windows,
            ticket,
            invalid_lines,
        })
    }
}
