//! The loop. It owns the store and the gate; calls in flight own nothing but a paid claim.

use std::{future::Future, pin::Pin, time::Duration};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use super::{
    RunOptions, Stop,
    breaker::Breaker,
    event::{RunEvent, RunReport, StopReason, Waiting},
    outage::Outage,
    progress::LastReported,
    queue::{Claim, WorkQueue},
    rate::RateEstimator,
    tokens::Tokens,
};
use crate::{
    clock::{LedgerClock, Timestamp},
    gate::{CallKind, Gate, Hold, LockoutLevel, PaidCalls, Permit},
    model::SubjectId,
    store::{Batch, Result, RunId, Settled, Store},
    wecom::{CallError, Client, Ticket, Token, Verdict, errcode},
};

/// Waits are cut to this, so that a suspended machine looks at its clock soon after it wakes.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A call in the air.
pub(super) type CallFuture = Pin<Box<dyn Future<Output = Completion>>>;

/// What comes back.
pub(super) enum Completion {
    Token(Timestamp, std::result::Result<Token, CallError>),
    Call(Box<CompletedCall>),
}

/// A call that came back.
pub(super) struct CompletedCall {
    pub(super) claim: Claim,
    pub(super) fare: CallKind,
    pub(super) sent: Timestamp,
    pub(super) generation: u32,
    pub(super) verdict: Verdict,
}

/// What launching came to.
pub(super) enum DispatchOutcome {
    /// These calls fit the windows: commit them.
    Charge(Permit),
    /// Nothing can leave; `None` if there is nothing to leave.
    Wait(Option<Hold>),
}

/// Hears what happens.
pub type Listener<'s> = Box<dyn FnMut(&RunEvent) + 's>;

/// A run.
pub struct Runner<'s> {
    pub(super) store: &'s mut Store,
    pub(super) gate: Gate,
    pub(super) client: Client,
    pub(super) books: LedgerClock,
    pub(super) options: RunOptions,
    pub(super) run: RunId,
    pub(super) listener: Listener<'s>,
    pub(super) stop: Stop,

    /// The time in the books, read once a turn.
    pub(super) now: Timestamp,
    pub(super) started: Timestamp,
    pub(super) deadline: Option<Timestamp>,
    pub(super) chance: fastrand::Rng,

    pub(super) feed: WorkQueue,
    pub(super) tokens: Tokens,
    pub(super) ticket: Option<Ticket>,
    pub(super) ticket_until: Option<Timestamp>,
    /// Subjects being asked without the ticket to find out whether it still works.
    pub(super) suspects: usize,
    /// When the last of them became one.
    pub(super) suspected: Timestamp,
    /// A control, another subject asked with the ticket meanwhile, became one too.
    pub(super) control_refused: bool,
    pub(super) outage: Outage,
    pub(super) breaker: Breaker,
    pub(super) tempo: RateEstimator,

    pub(super) purse: PaidCalls,
    pub(super) launched: u64,
    pub(super) airborne: Vec<SubjectId>,
    pub(super) in_flight: FuturesUnordered<CallFuture>,
    pub(super) landed: Vec<Completion>,
    pub(super) settled: Vec<Settled>,
    pub(super) settle_by: Option<Timestamp>,
    pub(super) told: LastReported,

    /// Set once no more calls are to leave.
    pub(super) ending: Option<StopReason>,
    commits: u64,
    watermark: SubjectId,
}

impl<'s> Runner<'s> {
    /// The run `run` over `store`, whose quota slots `gate` was opened with.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn new(
        store: &'s mut Store,
        run: RunId,
        gate: Gate,
        client: Client,
        books: LedgerClock,
        options: RunOptions,
        listener: Listener<'s>,
    ) -> Result<Self> {
        let (now, wall) = (books.now(), books.clock().now());
        let in_books = |at: Timestamp| now.plus(at.since(wall));
        Ok(Self {
            feed: WorkQueue::open(store, errcode::retry_codes())?,
            watermark: store.watermark()?,
            deadline: options.deadline.map(in_books),
            breaker: Breaker::new(options.error_budget),
            chance: fastrand::Rng::with_seed(options.seed),
            store,
            gate,
            client,
            books,
            options,
            run,
            listener,
            stop: Stop::default(),
            now,
            started: now,
            tokens: Tokens::default(),
            ticket: None,
            ticket_until: None,
            suspects: 0,
            suspected: now,
            control_refused: false,
            outage: Outage::default(),
            tempo: RateEstimator::new(now),
            purse: PaidCalls::empty(CallKind::Standard),
            launched: 0,
            airborne: Vec::new(),
            in_flight: FuturesUnordered::new(),
            landed: Vec::new(),
            settled: Vec::new(),
            settle_by: None,
            told: LastReported::default(),
            ending: None,
            commits: 0,
        })
    }

    /// Sends this ticket with every call until an hour before it expires.
    #[must_use]
    pub fn with_ticket(mut self, ticket: Option<Ticket>) -> Self {
        let wall = self.books.clock().now();
        let ticket = ticket.filter(|ticket| ticket.usable_until() > wall);
        self.ticket_until = ticket
            .as_ref()
            .map(|ticket| self.now.plus(ticket.usable_until().since(wall)));
        self.ticket = ticket;
        self
    }

    /// Begins with a token that is at hand.
    #[must_use]
    pub fn with_token(mut self, token: Option<Token>) -> Self {
        if let Some(token) = token {
            self.tokens.fetched(token, self.now);
        }
        self
    }

    /// Stops when `stop` asks for it.
    #[must_use]
    pub fn stopping_at(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Drives the job to its end. `None` if a rehearsal wanted it to crash on the way.
    ///
    /// # Errors
    ///
    /// What the disk says; everything committed is safe.
    pub async fn drive(mut self) -> Result<Option<RunReport>> {
        let tally = self.store.tally();
        self.tell(&RunEvent::Started { tally });
        self.store.forget_charges(self.now)?;
        loop {
            self.now = self.books.now();
            self.lay_down_expired_ticket();
            self.settle_landed()?;
            let hold = match self.launch()? {
                DispatchOutcome::Charge(permit) => {
                    self.commit(permit)?;
                    if self.is_to_crash() {
                        return Ok(None);
                    }
                    continue;
                }
                DispatchOutcome::Wait(hold) => hold,
            };
            if self.is_due_to_settle() {
                self.commit(Permit::nothing(self.purse.fare()))?;
                if self.is_to_crash() {
                    return Ok(None);
                }
                continue;
            }
            self.report(hold)?;
            if self.in_flight.is_empty() && !self.goes_on(hold)? {
                return self.finish().map(Some);
            }
            self.wait(hold).await;
        }
    }

    /// The one place that waits.
    async fn wait(&mut self, hold: Option<Hold>) {
        let due = hold.and_then(|hold| hold.until);
        let times = [
            due,
            self.settle_by,
            self.deadline.filter(|at| *at > self.now),
        ];
        let sleep = times
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.since(self.now));
        let sleep = sleep.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        if self.in_flight.is_empty() || hold.is_some_and(|hold| hold.reason.is_quota()) {
            self.tempo.rested(self.now.plus(sleep));
        }
        tokio::select! {
            biased;
            () = self.stop.requested(), if self.ending.is_none() => self.end(StopReason::Interrupted),
            Some(landed) = self.in_flight.next(), if !self.in_flight.is_empty() => {
                self.landed.push(landed);
                while let Some(Some(landed)) = self.in_flight.next().now_or_never() {
                    self.landed.push(landed);
                }
            }
            () = tokio::time::sleep(sleep) => {}
        }
    }

    /// No more calls leave from here; the first reason stands.
    pub(super) fn end(&mut self, ending: StopReason) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(ending);
        let in_flight = self.airborne.len();
        if in_flight > 0 {
            self.tell(&RunEvent::Draining { in_flight });
        }
    }

    /// With nothing in the air and nothing to settle: is there anything to wait for? If not, the
    /// ending is set.
    fn goes_on(&mut self, hold: Option<Hold>) -> Result<bool> {
        if self.ending.is_some() {
            return Ok(false);
        }
        let Some(hold) = hold else {
            return self.begins_second_try();
        };
        // Nobody should wait thirty days unasked: a block of that length is reported.
        let month = self.gate.block.rung == LockoutLevel::Month;
        let minute = self.gate.block.rung == LockoutLevel::Minute;
        let leaves = self.options.on_quota == super::OnQuota::Exit && !minute;
        if hold.reason.is_quota() && (leaves || month) {
            self.ending = Some(StopReason::Quota(Waiting {
                reason: hold.reason,
                until: hold.until.map(|until| self.books.to_wall_time(until)),
            }));
        }
        Ok(self.ending.is_none())
    }

    fn begins_second_try(&mut self) -> Result<bool> {
        while self.feed.advance() {
            if self.feed.next_due(self.store, self.now)?.is_some() {
                self.tell(&RunEvent::RetryPassStarted);
                return Ok(true);
            }
        }
        self.ending = Some(StopReason::Finished);
        Ok(false)
    }

    fn is_due_to_settle(&self) -> bool {
        // With nothing in the air there is nothing to wait for.
        self.settle_by
            .is_some_and(|by| by <= self.now || self.in_flight.is_empty())
    }

    /// The one commit: settles what landed and charges the next block.
    fn commit(&mut self, permit: Permit) -> Result<()> {
        self.settled.sort_unstable_by_key(|settled| settled.subject);
        let changes = self.gate.ledger.take_changes();
        let progress = self.progress();
        let watermark = self.watermark();
        let batch = Batch {
            settled: &self.settled,
            charges: &changes,
            open: self.gate.ledger.open(),
            reading: self.books.reading(),
            block: self.gate.block,
            watermark,
            progress: (self.run, &progress),
        };
        self.purse.fill(self.store.commit(&batch, permit)?);
        self.commits += u64::from(!self.settled.is_empty());
        self.settled.clear();
        self.settle_by = None;
        Ok(())
    }

    /// Below it every subject has an outcome by this commit; told once a page.
    fn watermark(&mut self) -> Option<SubjectId> {
        if !self.feed.is_first_pass() {
            return None;
        }
        let airborne = self.airborne.iter().copied();
        let lowest = airborne.fold(self.feed.lowest(), SubjectId::min);
        let upto = SubjectId(lowest.0 - 1);
        (upto != self.watermark).then(|| {
            self.watermark = upto;
            upto
        })
    }

    fn lay_down_expired_ticket(&mut self) {
        if self.ticket_until.is_some_and(|until| self.now >= until) {
            self.ticket = None;
            self.ticket_until = None;
            self.suspects = 0;
        }
    }

    fn is_to_crash(&self) -> bool {
        self.options
            .crash_after
            .is_some_and(|most| self.commits >= most)
    }

    /// Gives back what was paid for and not sent, and closes the books.
    fn finish(mut self) -> Result<RunReport> {
        let purse = std::mem::replace(&mut self.purse, PaidCalls::empty(CallKind::Standard));
        self.gate.ledger.refund(purse);
        self.commit(Permit::nothing(CallKind::Standard))?;
        self.report_end()?;
        Ok(RunReport {
            ending: self.ending.take().unwrap_or(StopReason::Finished),
            tally: self.store.tally(),
            calls: self.gate.ledger.sent(),
            took: self.now.since(self.started),
        })
    }
}
