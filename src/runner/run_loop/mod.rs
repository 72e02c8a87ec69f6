//! The loop: works off what completed, dispatches, commits, waits.

mod completion;
mod dispatch;
mod exchange;
mod phases;
mod ticket;
mod token;
mod wishes;

use std::time::Duration;

use self::{dispatch::DispatchOutcome, wishes::ObeyedWishes};
use super::{
    OnQuota, RunOptions, Stop,
    calls::InFlightCalls,
    clock::RunClock,
    event::{PassProgress, RunEvent, RunReport, Snapshot, StopReason, Waiting},
    health::Health,
    pending::PendingCommit,
    progress::{Listener, ProgressReports},
    queue::WorkQueue,
    ticket_trial::TicketTrial,
    token_account::TokenAccount,
    tokens::Tokens,
};
use crate::{
    clock::LedgerClock,
    gate::Gate,
    ledger::LedgerAccount,
    quota::{ForecastInput, Hold, LockoutLevel},
    store::{Cursor, Pass, Result, RunId, RunProgress, Store},
    wecom::{Client, errcode},
};

/// Waits are cut to this where other processes have calls in flight that may make room, or operators
/// may ask something of the run.
const LOOK_AT_OTHERS: Duration = Duration::from_secs(1);

/// The job that is run: its file and its row in the list of runs, and the account that pays.
pub struct RunningJob<'s> {
    /// The job file.
    pub store: &'s mut Store,
    /// The corp's account.
    pub ledger: LedgerAccount<'s>,
    /// What fetches of tokens cost.
    pub tokens: TokenAccount<'s>,
    /// The run.
    pub run: RunId,
    /// Answers to be asked for again once the queue is empty.
    pub passes: Vec<Pass>,
}

/// When to stop or to pause, and why it does.
#[derive(Default)]
struct Stopping {
    signal: Stop,
    wishes: ObeyedWishes,
    /// Set once no more calls are to be sent.
    reason: Option<StopReason>,
}

/// A run: the one owner of job, gate and queue.
pub struct Runner<'s> {
    job: RunningJob<'s>,
    gate: Gate,
    client: Client,
    clock: RunClock,
    options: RunOptions,
    chance: fastrand::Rng,
    queue: WorkQueue,
    calls: InFlightCalls,
    tokens: Tokens,
    trial: TicketTrial,
    health: Health,
    pending: PendingCommit,
    reports: ProgressReports<'s>,
    stopping: Stopping,
}

impl<'s> Runner<'s> {
    /// Returns the run of `job`, with the gate that [`super::open_gate`] opened.
    pub fn new(
        mut job: RunningJob<'s>,
        (gate, ledger_clock): (Gate, LedgerClock),
        client: Client,
        options: RunOptions,
    ) -> Result<Self> {
        let clock = RunClock::start(ledger_clock, options.deadline);
        let passes = std::mem::take(&mut job.passes);
        Ok(Self {
            queue: WorkQueue::open(job.store, passes, errcode::retry_codes())?,
            pending: PendingCommit::new(Cursor::Queue(job.store.queue().watermark()?)),
            health: Health::new(options.error_budget),
            chance: fastrand::Rng::with_seed(options.seed),
            trial: TicketTrial::new(clock.now()),
            calls: InFlightCalls::new(clock.now()),
            job,
            gate,
            client,
            clock,
            options,
            tokens: Tokens::default(),
            reports: ProgressReports::to(Box::new(|_| {})),
            stopping: Stopping::default(),
        })
    }

    /// Reports what happens to `listener`.
    #[must_use]
    pub fn reporting_to(mut self, listener: Listener<'s>) -> Self {
        self.reports = ProgressReports::to(listener);
        self
    }

    /// Stops when `stop` asks for it.
    #[must_use]
    pub fn stopping_at(mut self, stop: Stop) -> Self {
        self.stopping.signal = stop;
        self
    }

    /// Obeys what operators ask by rows in the job file.
    #[must_use]
    pub const fn obeying_wishes(mut self, is_obeying: bool) -> Self {
        if is_obeying {
            self.stopping.wishes.obey(self.clock.now());
        }
        self
    }

    /// For rehearsals: forgets everything that is not on disk after so many commits that settled
    /// something, as a killed process does.
    #[must_use]
    pub const fn crashing_after(mut self, commits: Option<u64>) -> Self {
        self.pending.crash_after(commits);
        self
    }

    /// Drives the job to its end. `None` if it was to crash on the way. After an error everything
    /// committed is safe.
    pub async fn drive(mut self) -> Result<Option<RunReport>> {
        let tally = self.job.store.tally();
        self.reports.report(&RunEvent::Started { tally });
        self.forget_charges()?;
        loop {
            self.clock.tick();
            self.hear_date();
            self.expire_ticket();
            self.obey_wishes()?;
            self.work_off_completed()?;
            self.seek_ticket()?;
            let mut want = None;
            let mut hold = None;
            match self.dispatch()? {
                DispatchOutcome::Charge(kind, calls) => want = Some((kind, calls)),
                DispatchOutcome::Wait(until) => hold = until,
            }
            let due = self.pending.is_due(self.clock.now(), self.calls.is_empty());
            if want.is_some() || due {
                if self.job_file_is_gone() {
                    want = None;
                }
                hold = self.commit(want)?.err();
                if self.pending.is_to_crash() {
                    return Ok(None);
                }
                if hold.is_none() {
                    continue;
                }
            }
            self.report(hold)?;
            if self.calls.is_empty() {
                if !self.should_continue(hold)? {
                    return self.finish().map(Some);
                }
                if hold.is_none() {
                    // The next phase has begun.
                    continue;
                }
            }
            self.wait(hold).await;
            self.exchange_while_waiting(hold)?;
        }
    }

    /// The one place that waits.
    async fn wait(&mut self, hold: Option<Hold>) {
        let now = self.clock.now();
        let until = hold.and_then(|hold| hold.until);
        let times = [
            until,
            self.pending.due(),
            self.clock.deadline_ahead(),
            self.trial.search.looks_after(now),
        ];
        let next = times.into_iter().flatten().min();
        let looks = self.stopping.wishes.are_looked_for();
        let longest = match looks || self.gate.account().depends_on_others(now) {
            true => LOOK_AT_OTHERS,
            false => self.options.longest_sleep,
        };
        let sleep = next.map_or(longest, |at| at.since(now)).min(longest);
        if self.calls.is_empty() || hold.is_some_and(|hold| hold.reason.is_quota()) {
            self.calls.idle_until(now.plus(sleep));
        }
        tokio::select! {
            biased;
            () = self.stopping.signal.requested(), if self.stopping.reason.is_none() => {
                self.stop(StopReason::Interrupted);
            }
            () = self.calls.complete(), if !self.calls.is_empty() => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }

    /// Whether the run is over because its file is not where it was: what is sent now would be
    /// asked again by the next run.
    fn job_file_is_gone(&mut self) -> bool {
        let is_gone = !self.job.store.is_in_place();
        if is_gone {
            let path = self.job.store.path().to_owned();
            self.stop(StopReason::JobFileMoved(path));
        }
        is_gone
    }

    /// No more calls are sent from here on; the first reason stands.
    fn stop(&mut self, reason: StopReason) {
        if self.stopping.reason.is_some() {
            return;
        }
        self.stopping.reason = Some(reason);
        let in_flight = self.calls.lookups();
        if in_flight > 0 {
            self.reports.report(&RunEvent::Draining { in_flight });
        }
    }

    /// With nothing in flight and nothing to settle: whether there is anything to wait for. If
    /// not, the reason to stop is set.
    fn should_continue(&mut self, hold: Option<Hold>) -> Result<bool> {
        if self.stopping.reason.is_some() {
            return Ok(false);
        }
        let Some(hold) = hold else {
            return self.start_next_phase();
        };
        // Thirty days are not waited for unasked: a lockout of that length is reported.
        let level = self.gate.account().lockout().level;
        let exits = self.options.on_quota == OnQuota::Exit && level != LockoutLevel::Minute;
        if hold.reason.is_quota() && (exits || level == LockoutLevel::Month) {
            self.stopping.reason = Some(StopReason::Quota(Waiting {
                reason: hold.reason,
                until: hold.until.map(|until| self.clock.to_wall_time(until)),
            }));
        }
        Ok(self.stopping.reason.is_none())
    }

    fn progress(&self) -> RunProgress {
        let hold = self.reports.hold();
        RunProgress {
            seen_at: self.clock.wall_now(),
            calls: self.gate.account().completed(),
            hold: hold.map(|hold| hold.reason.to_string()),
            hold_code: hold.map(|hold| hold.reason.full_code()),
            hold_until: hold.and_then(|hold| hold.until),
        }
    }

    /// Reports how the run stands, if it is time or the reason for waiting has changed.
    fn report(&mut self, hold: Option<Hold>) -> Result<()> {
        let due = self
            .reports
            .due(hold, &self.clock, self.pending.answers() == 0);
        if due.snapshot {
            let kind = self.next_kind();
            let windows = self.gate.windows(self.clock.now(), kind);
            self.reports.snapshot(Snapshot {
                at: self.clock.wall_now(),
                windows,
                tally: self.job.store.tally(),
                left: self.left(),
                pass: self.queue.pass().map(PassProgress::of),
                calls: self.gate.account().completed(),
                in_flight: self.calls.lookups(),
                concurrency: self.gate.concurrency(),
                hold: due.hold,
            });
        }
        if due.forecast {
            self.forget_charges()?;
            let input = ForecastInput {
                kind: self.next_kind(),
                account: self.gate.account().clone(),
                now: self.clock.now(),
                ticket_until: self.trial.until(),
                locked_until: self.gate.account().lockout().until,
                per_second: self.calls.rate().per_second(),
            };
            self.reports
                .report(&RunEvent::ForecastInput(Box::new(input)));
        }
        if due.hold_changed || due.forecast {
            let progress = self.progress();
            let journal = self.job.store.journal();
            journal.save_progress(self.job.run, &progress, 0)?;
        }
        Ok(())
    }

    /// Gives back what was paid for and not sent, and closes the ledger.
    fn finish(mut self) -> Result<RunReport> {
        self.gate.give_back(self.pending.take_paid());
        let _closed = self.commit(None)?;
        if !self.job.store.is_in_place() {
            // The last answers came after it was looked for.
            self.stopping.reason = None;
            self.job_file_is_gone();
        }
        self.reports.last();
        self.report(None)?;
        Ok(RunReport {
            reason: self.stopping.reason.take().unwrap_or(StopReason::Finished),
            tally: self.job.store.tally(),
            left: self.left(),
            kept: self.pending.kept(),
            calls: self.gate.account().completed(),
            took: self.clock.took(),
            used_elsewhere: self.gate.is_used_elsewhere(),
            waits: self.reports.waits(),
        })
    }
}
