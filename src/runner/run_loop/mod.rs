//! The loop: works off what completed, dispatches, commits, waits.

mod completion;
mod dispatch;
mod exchange;
mod lanes;
mod phases;
mod reports;
mod ticket;
mod token;
mod wishes;

use std::time::Duration;

use self::{dispatch::DispatchOutcome, lanes::Turn, wishes::ObeyedWishes};
use super::{
    OnQuota, RunOptions, Stop,
    clock::RunClock,
    event::{RunEvent, RunReport, StopReason, Waiting},
    lane::{Lane, LaneAccount},
    progress::{Listener, ProgressReports},
    token_account::TokenAccount,
    tokens::Tokens,
};
use crate::{
    clock::{LedgerClock, Timestamp},
    quota::LockoutLevel,
    store::{Pass, Result, RunId, Store},
    wecom::Client,
};

/// Waits are cut to this where other processes have calls in flight that may make room, or operators
/// may ask something of the run.
const LOOK_AT_OTHERS: Duration = Duration::from_secs(1);

/// The job that is run: its file and its row in the list of runs, and the account that pays.
pub struct RunningJob<'s> {
    /// The job file.
    pub store: &'s mut Store,
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

/// A run: the one owner of job and lanes.
pub struct Runner<'s> {
    job: RunningJob<'s>,
    /// The lane whose turn it is; between turns that of the lookups.
    lane: Lane<'s>,
    /// The other one.
    other: Option<Lane<'s>>,
    client: Client,
    clock: RunClock,
    options: RunOptions,
    chance: fastrand::Rng,
    tokens: Tokens,
    reports: ProgressReports<'s>,
    stopping: Stopping,
}

impl<'s> Runner<'s> {
    /// Returns the run of `job`, whose lookups `lookups` pays for.
    pub fn new(
        mut job: RunningJob<'s>,
        (lookups, ledger_clock): (LaneAccount<'s>, LedgerClock),
        client: Client,
        options: RunOptions,
    ) -> Result<Self> {
        let clock = RunClock::start(ledger_clock, options.deadline);
        let asked = (&*job.store, std::mem::take(&mut job.passes));
        Ok(Self {
            lane: Lane::of_lookups(lookups, asked, options.error_budget, clock.now())?,
            other: None,
            chance: fastrand::Rng::with_seed(options.seed),
            job,
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
    pub fn crashing_after(mut self, commits: Option<u64>) -> Self {
        for lane in lanes::all(&mut self.lane, &mut self.other) {
            lane.pending.crash_after(commits);
        }
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
            match self.turn_of_each_lane()? {
                Turn::Crashed => return Ok(None),
                Turn::Again => {}
                Turn::Waits => {
                    self.wait().await;
                    self.exchange_while_waiting()?;
                }
                Turn::Over => return self.finish().map(Some),
            }
        }
    }

    /// Gives the lane its turn: works off what completed, dispatches, commits.
    fn turn(&mut self) -> Result<Turn> {
        self.work_off_completed()?;
        self.seek_ticket()?;
        let (mut want, mut hold) = match self.dispatch()? {
            DispatchOutcome::Charge(kind, calls) => (Some((kind, calls)), None),
            DispatchOutcome::Wait(hold) => (None, hold),
        };
        let nothing_in_flight = self.lane.calls.is_empty();
        if want.is_some()
            || self
                .lane
                .pending
                .is_due(self.clock.now(), nothing_in_flight)
        {
            if self.job_file_is_gone() {
                want = None;
            }
            hold = self.commit(want)?.err();
            if self.lane.pending.is_to_crash() {
                return Ok(Turn::Crashed);
            }
            if hold.is_none() {
                return Ok(Turn::Again);
            }
        }
        self.lane.hold = hold;
        self.report()?;
        match nothing_in_flight {
            true => self.at_rest(),
            false => Ok(Turn::Waits),
        }
    }

    /// The one place that waits.
    async fn wait(&mut self) {
        let now = self.clock.now();
        let sleep = self.longest_wait(now);
        for lane in lanes::all(&mut self.lane, &mut self.other) {
            let is_of_quota = lane.hold.is_some_and(|hold| hold.reason.is_quota());
            if lane.calls.is_empty() || is_of_quota {
                lane.calls.idle_until(now.plus(sleep));
            }
        }
        tokio::select! {
            biased;
            () = self.stopping.signal.requested(), if self.stopping.reason.is_none() => {
                self.stop(StopReason::Interrupted);
            }
            () = self.lane.calls.complete(), if !self.lane.calls.is_empty() => {}
            () = lanes::complete(&mut self.other) => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }

    /// How long nothing is to be done, if nothing completes.
    fn longest_wait(&mut self, now: Timestamp) -> Duration {
        let next = [
            self.clock.deadline_ahead(),
            self.lane.trial.search.looks_after(now),
        ];
        let mut next = next.into_iter().flatten().min();
        let mut looks = self.stopping.wishes.are_looked_for();
        for lane in lanes::all(&mut self.lane, &mut self.other) {
            let until = lane.hold.and_then(|hold| hold.until);
            next = next
                .into_iter()
                .chain(until)
                .chain(lane.pending.due())
                .min();
            looks |= lane.gate.account().depends_on_others(now);
        }
        let longest = match looks {
            true => LOOK_AT_OTHERS,
            false => self.options.longest_sleep,
        };
        next.map_or(longest, |at| at.since(now)).min(longest)
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
        let in_flight = lanes::all(&mut self.lane, &mut self.other)
            .map(|lane| lane.calls.lookups())
            .sum();
        if in_flight > 0 {
            self.reports.report(&RunEvent::Draining { in_flight });
        }
    }

    /// With nothing in flight and nothing to settle: whether there is anything to wait for.
    fn at_rest(&mut self) -> Result<Turn> {
        if self.stopping.reason.is_some() || self.lane.ended.is_some() {
            return Ok(Turn::Over);
        }
        let Some(hold) = self.lane.hold else {
            return self.start_next_phase();
        };
        // Thirty days are not waited for unasked: a lockout of that length is reported.
        let level = self.lane.gate.account().lockout().level;
        let exits = self.options.on_quota == OnQuota::Exit && level != LockoutLevel::Minute;
        if !hold.reason.is_quota() || !(exits || level == LockoutLevel::Month) {
            return Ok(Turn::Waits);
        }
        self.lane.ended = Some(StopReason::Quota(Waiting {
            reason: hold.reason,
            until: hold.until.map(|until| self.clock.to_wall_time(until)),
        }));
        Ok(Turn::Over)
    }
}
