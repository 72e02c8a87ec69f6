//! What to ask next: subjects in the order of first appearance, then the retry pass.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Duration,
};

use super::decide::{ATTEMPTS, SentCall};
use crate::{
    clock::Timestamp,
    model::{Outcome, State, Subject, SubjectId},
    quota::CallKind,
    store::{Result, Settled, Store},
};

/// Subjects read at once.
const PAGE: u32 = 4096;
/// Subjects looked at in one go.
const SCAN: i64 = 200_000;

/// One subject on its way through its attempts.
#[derive(Debug)]
pub(super) struct Claim {
    subject: Subject,
    /// Its state on disk.
    was: State,
    /// The attempt that comes next; 1 is the first.
    attempt: u8,
    /// The errcode it met with the ticket: it is asked without, to try the ticket.
    refused_with_ticket: Option<i64>,
    /// Calls about it that the service failed, and when the last did.
    failures: u8,
    failed_at: Option<Timestamp>,
    /// When it may be sent.
    due: Timestamp,
}

impl Claim {
    pub(super) const fn id(&self) -> SubjectId {
        self.subject.id
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns how its next attempt is sent.
    pub(super) const fn sent(
        &self,
        at: Timestamp,
        kind: CallKind,
        token_generation: u32,
    ) -> SentCall {
        SentCall {
            at,
            kind,
            token_generation,
            attempt: self.attempt,
            // One more than others in the retry pass.
            last_attempt: match self.was {
                State::Parked => ATTEMPTS + 1,
                _ => ATTEMPTS,
            },
        }
    }

    /// When a call about it failed before; long ago for one that was parked.
    pub(super) const fn failed_at(&self) -> Option<Timestamp> {
        self.failed_at
    }

    /// The service failed a call about it. Returns how many it has failed by now.
    pub(super) const fn fail(&mut self, now: Timestamp) -> u8 {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(now);
        self.failures
    }

    /// The service failed a call about it while others were answered: an attempt is used up. The
    /// failure before this one is held against it from now on. Returns whether any are left.
    pub(super) fn count_attempt(&mut self, last_attempt: u8) -> bool {
        self.attempt = (self.attempt + 1).min(last_attempt);
        self.attempt < last_attempt
    }

    /// It was refused with `errcode` on a call with the ticket.
    pub(super) const fn put_on_trial(&mut self, errcode: i64) {
        self.refused_with_ticket = Some(errcode);
    }

    /// Whether it is asked without the ticket to try the ticket.
    pub(super) const fn is_on_trial(&self) -> bool {
        self.refused_with_ticket.is_some()
    }

    /// Returns the outcome of one whose refusal had nothing to do with the ticket.
    pub(super) const fn parked(&self) -> Outcome {
        self.parked_with(self.refused_with_ticket)
    }

    /// Returns the outcome of one that is given up; `None` if no reply could be read.
    pub(super) const fn parked_with(&self, errcode: Option<i64>) -> Outcome {
        Outcome {
            state: State::Parked,
            errcode,
            attempts: self.attempt,
            links: Vec::new(),
        }
    }

    /// Returns its answer, to be committed; `at` is wall time.
    pub(super) const fn settled(&self, outcome: Outcome, at: Timestamp) -> Settled {
        Settled {
            subject: self.subject.id,
            was: self.was,
            outcome,
            at,
        }
    }
}

/// Where the next claim comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    RetryPass,
    Done,
}

/// The queue of a run.
pub(super) struct WorkQueue {
    phase: Phase,
    page: VecDeque<Subject>,
    cursor: SubjectId,
    /// The last subject there is.
    end: SubjectId,
    /// The store has no more of this phase.
    exhausted: bool,
    /// Claims that wait for their time, by when and then by id.
    waiting: BinaryHeap<Reverse<(Timestamp, SubjectId)>>,
    claims: BTreeMap<SubjectId, Claim>,
    retry_codes: Vec<i64>,
}

impl WorkQueue {
    /// Begins after the store's watermark. A parked subject is retried if no reply could be read or its
    /// errcode is one of `retry_codes`.
    pub(super) fn open(store: &Store, retry_codes: Vec<i64>) -> Result<Self> {
        Ok(Self {
            phase: Phase::Queued,
            page: VecDeque::new(),
            cursor: store.queue().watermark()?,
            end: store.queue().last_subject()?,
            exhausted: false,
            waiting: BinaryHeap::new(),
            claims: BTreeMap::new(),
            retry_codes,
        })
    }

    /// Puts a claim back until `due`.
    pub(super) fn put_back(&mut self, mut claim: Claim, due: Timestamp) {
        claim.due = due;
        self.waiting.push(Reverse((due, claim.subject.id)));
        self.claims.insert(claim.subject.id, claim);
    }

    /// When the next claim may be sent: now, at a time, or never as there is none.
    pub(super) fn next_due(&mut self, store: &Store, now: Timestamp) -> Result<Option<Timestamp>> {
        self.refill(store)?;
        let waiting = self.first_waiting();
        if waiting.is_some_and(|due| due <= now) {
            return Ok(Some(now));
        }
        Ok(match (self.page.is_empty(), self.exhausted) {
            (false, _) => Some(now),
            (true, false) => Some(now.plus(Duration::from_millis(1))),
            (true, true) => waiting,
        })
    }

    /// Takes the claim that is due.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Claim> {
        if self.first_waiting().is_some_and(|due| due <= now) {
            let Reverse((_, id)) = self.waiting.pop()?;
            return self.claims.remove(&id);
        }
        self.fresh(now)
    }

    /// Takes the claim for a probe of a service that fails: one that has not failed before if there
    /// is any, so that no row that the service cannot bear keeps the others waiting; else the one that
    /// has waited longest, due or not.
    pub(super) fn take_probe(&mut self, now: Timestamp) -> Option<Claim> {
        if !self.page.is_empty() {
            return self.fresh(now);
        }
        let due = self.first_waiting()?;
        self.take(due.max(now))
    }

    /// The next subject of the page.
    fn fresh(&mut self, now: Timestamp) -> Option<Claim> {
        let subject = self.page.pop_front()?;
        let (was, attempt, failed_at) = match self.phase {
            // It has failed in this run or in an earlier one.
            Phase::RetryPass => (State::Parked, ATTEMPTS + 1, Some(Timestamp::default())),
            Phase::Queued | Phase::Done => (State::Queued, 1, None),
        };
        Some(Claim {
            subject,
            was,
            attempt,
            refused_with_ticket: None,
            failures: 0,
            failed_at,
            due: now,
        })
    }

    /// Takes a claim on trial that may be sent.
    pub(super) fn take_on_trial(&mut self, now: Timestamp) -> Option<Claim> {
        let mut on_trial = self.claims.values().filter(|claim| claim.is_on_trial());
        let id = on_trial.find(|claim| claim.due <= now)?.subject.id;
        self.claims.remove(&id)
    }

    /// Takes all claims on trial, whenever they may be sent.
    pub(super) fn take_all_on_trial(&mut self) -> Vec<Claim> {
        let is_on_trial = |_: &SubjectId, claim: &mut Claim| claim.is_on_trial();
        let on_trial = self.claims.extract_if(.., is_on_trial);
        on_trial.map(|(_, claim)| claim).collect()
    }

    /// Takes a claim that is not on trial and may be sent: a control of the ticket.
    pub(super) fn take_control(&mut self, now: Timestamp) -> Option<Claim> {
        let mut waiting = self.claims.values().filter(|claim| !claim.is_on_trial());
        match waiting.find(|claim| claim.due <= now) {
            Some(claim) => {
                let id = claim.subject.id;
                self.claims.remove(&id)
            }
            None => self.fresh(now),
        }
    }

    /// When the first claim on trial may be sent; `None` if all of them are in flight.
    #[must_use]
    pub(super) fn trial_due(&self) -> Option<Timestamp> {
        let on_trial = self.claims.values().filter(|claim| claim.is_on_trial());
        on_trial.map(|claim| claim.due).min()
    }

    /// When the first claim that waits may be sent. Entries whose claim was taken out of turn, or
    /// put back for another time since, are dropped here.
    fn first_waiting(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((due, id))) = self.waiting.peek() {
            if self.claims.get(id).is_some_and(|claim| claim.due == *due) {
                return Some(*due);
            }
            self.waiting.pop();
        }
        None
    }

    /// Claims ready to be sent, as far as is known without reading on.
    #[must_use]
    pub(super) fn ready(&self) -> usize {
        self.page.len() + self.claims.len()
    }

    /// Subjects that are left in this phase beside those in flight; a very large number while some
    /// have not been read.
    #[must_use]
    pub(super) fn left(&self) -> usize {
        match self.exhausted && self.page.is_empty() {
            true => self.claims.len(),
            false => usize::MAX,
        }
    }

    /// Begins the retry pass; returns whether there is another phase.
    pub(super) fn advance(&mut self) -> bool {
        self.phase = match self.phase {
            Phase::Queued => Phase::RetryPass,
            Phase::RetryPass | Phase::Done => Phase::Done,
        };
        (self.cursor, self.exhausted) = (SubjectId(0), false);
        self.phase != Phase::Done
    }

    /// The least subject that is still queued here: everything below it is answered or in flight.
    #[must_use]
    pub(super) fn lowest(&self) -> SubjectId {
        let waiting = self.claims.keys().next().copied();
        let page = self.page.front().map(|subject| subject.id);
        let next = SubjectId(self.cursor.0 + 1);
        waiting.into_iter().chain(page).fold(next, SubjectId::min)
    }

    /// Whether this is the first pass, not the retry pass.
    #[must_use]
    pub(super) fn is_first_pass(&self) -> bool {
        self.phase == Phase::Queued
    }

    /// Reads on, but no further than a moment's work: answers and signals must not wait for a scan
    /// over millions of subjects that are answered.
    fn refill(&mut self, store: &Store) -> Result<()> {
        if !self.page.is_empty() || self.exhausted {
            return Ok(());
        }
        let upto = SubjectId(self.cursor.0.saturating_add(SCAN)).min(self.end);
        let (page, upto) = match self.phase {
            Phase::Queued => (store.queue().queued(self.cursor, upto, PAGE)?, upto),
            // There is no list of the parked: they are looked for if there are any.
            Phase::RetryPass if store.tally().of(State::Parked) > 0 => {
                let queue = store.queue();
                let page = queue.due_for_retry(self.cursor, PAGE, ATTEMPTS, &self.retry_codes)?;
                (page, self.end)
            }
            Phase::RetryPass | Phase::Done => (Vec::new(), self.end),
        };
        let is_whole = page.len() < PAGE as usize;
        self.exhausted = is_whole && upto >= self.end;
        self.cursor = match page.last() {
            Some(last) if !is_whole => last.id,
            _ => upto.max(self.cursor),
        };
        self.page = page.into();
        Ok(())
    }
}
