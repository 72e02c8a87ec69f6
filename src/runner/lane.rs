//! A lane: the calls to one API, with all that they do not share with those to another.
//!
//! A run has one lane or two: the lookups, and beside them the calls for pending_ids. Each has an
//! account and a gate of its own, for its windows and lockouts are; a queue, calls in flight, judgement
//! of the service, and the commit to come. They share the loop, which gives each its turn, the job
//! file, the client with its token, the time, and whatever stops the run. So a lane that waits, or
//! whose API is out of order, holds nobody but itself, and one that ends leaves the other at work.
//!
//! The second lane follows the first: it asks about subjects that are unlinked on disk, up to where
//! the lookups have an outcome for everybody, and at their end once more about those who became
//! unlinked behind that. What it found is on disk before it reads on, so nobody is asked about twice.

use super::{
    calls::InFlightCalls,
    event::{PendingIdProgress, StopReason, Waiting},
    health::Health,
    pending::PendingCommit,
    queue::WorkQueue,
    ticket_trial::TicketTrial,
};
use crate::{
    clock::Timestamp,
    gate::Gate,
    ledger::LedgerAccount,
    model::{Api, State, SubjectId},
    quota::{CallKind, Hold},
    store::{Cursor, Pass, Result, Store},
    wecom::errcode,
};

/// The account that pays for the calls to one API of the corp, and its gate.
pub struct LaneAccount<'l> {
    /// The account on disk.
    pub ledger: LedgerAccount<'l>,
    /// What [`open_gate`](super::open_gate) opened over it.
    pub gate: Gate,
}

/// The calls to one API.
pub(super) struct Lane<'l> {
    pub(super) ledger: LedgerAccount<'l>,
    pub(super) gate: Gate,
    pub(super) queue: WorkQueue,
    pub(super) calls: InFlightCalls,
    /// Without a ticket where the API accepts none.
    pub(super) trial: TicketTrial,
    pub(super) health: Health,
    pub(super) pending: PendingCommit,
    /// Why nothing more could be sent at its last turn.
    pub(super) hold: Option<Hold>,
    /// The same, as it was reported.
    pub(super) waiting: Option<Waiting>,
    /// Set once no more of its calls are to be sent, whatever the other lane does.
    pub(super) ended: Option<StopReason>,
    found: FoundPendingIds,
}

/// What came of asking for pending_ids.
#[derive(Debug, Clone, Copy, Default)]
struct FoundPendingIds {
    /// Due as the run began, and how many subjects were unlinked then.
    due: u64,
    unlinked: u64,
    /// Settled since, and how many of them with an id.
    settled: u64,
    obtained: u64,
}

impl<'l> Lane<'l> {
    fn open(account: LaneAccount<'l>, queue: WorkQueue, error_budget: f64, now: Timestamp) -> Self {
        Self {
            queue,
            pending: PendingCommit::new(None),
            health: Health::new(error_budget),
            trial: TicketTrial::new(now),
            calls: InFlightCalls::new(now),
            ledger: account.ledger,
            gate: account.gate,
            hold: None,
            waiting: None,
            ended: None,
            found: FoundPendingIds::default(),
        }
    }

    /// The lookups: the queue, and then `passes`.
    pub(super) fn of_lookups(
        account: LaneAccount<'l>,
        (store, passes): (&Store, Vec<Pass>),
        error_budget: f64,
        now: Timestamp,
    ) -> Result<Self> {
        let queue = WorkQueue::open(store, passes, errcode::retry_codes())?;
        let mut lane = Self::open(account, queue, error_budget, now);
        let watermark = store.queue().watermark()?;
        lane.pending = PendingCommit::new(Some(Cursor::Queue(watermark)));
        Ok(lane)
    }

    /// The calls for pending_ids in a run that began at `wall`.
    pub(super) fn of_pending_ids(
        account: LaneAccount<'l>,
        store: &Store,
        error_budget: f64,
        (now, wall): (Timestamp, Timestamp),
    ) -> Result<Self> {
        let queue = WorkQueue::of_unlinked(wall);
        let mut lane = Self::open(account, queue, error_budget, now);
        lane.found.due = store.pending_ids().count_due(wall)?;
        lane.found.unlinked = store.tally().of(State::Unlinked);
        Ok(lane)
    }

    /// Whether it is that of the lookups.
    pub(super) fn is_of_lookups(&self) -> bool {
        self.gate.api() == Api::Lookup
    }

    /// The subject up to which everybody has an outcome on disk.
    pub(super) fn done_upto(&self) -> SubjectId {
        match self.pending.cursor() {
            Some(Cursor::Queue(upto)) if self.queue.is_first_pass() => upto,
            _ => self.queue.end(),
        }
    }

    /// The answers that wait for their commit are on disk.
    pub(super) fn committed(&mut self) {
        let (answers, ids) = (self.pending.answers() as u64, self.pending.pending_ids());
        self.queue.asked(answers);
        self.found.settled += answers;
        self.found.obtained += ids as u64;
        self.pending.committed();
    }

    /// How it stands with pending_ids, with so many subjects `unlinked`.
    pub(super) fn pending_ids(&mut self, now: Timestamp, unlinked: u64) -> PendingIdProgress {
        let found = self.found;
        let due = (found.due + unlinked).saturating_sub(found.unlinked);
        PendingIdProgress {
            obtained: found.obtained,
            refused: found.settled - found.obtained,
            left: match &self.ended {
                Some(StopReason::Finished) => 0,
                _ => due.saturating_sub(found.settled),
            },
            calls: self.gate.account().completed(),
            in_flight: self.calls.lookups(),
            windows: self.gate.windows(now, CallKind::Standard),
            hold: self.waiting,
        }
    }
}
