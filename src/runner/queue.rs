//! What to ask next: subjects in the order of first appearance, then the passes over those that were
//! answered, then the retry pass over those that this run or an earlier one parked.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    time::Duration,
};

use super::{claim::Claim, decide::ATTEMPTS};
use crate::{
    clock::Timestamp,
    model::{State, Subject, SubjectId},
    store::{Cursor, Pass, Result, Store},
};

/// Subjects read at once.
const PAGE: u32 = 4096;
/// Subjects looked at in one go.
const SCAN: i64 = 200_000;

/// Where the next claim comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Queued,
    /// The first of the passes.
    Pass,
    RetryPass,
    /// Unlinked subjects without a pending_id.
    Unlinked,
    /// The same, once more from the first one on: what passes and retries have found since.
    UnlinkedAgain,
    Done,
}

/// What begins when a phase ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NextPhase {
    /// A pass over answered subjects.
    Pass(Pass),
    /// The parked are asked once more.
    RetryPass,
    /// Those who have become unlinked behind the first turn are asked about.
    UnlinkedAgain,
}

/// The queue of a run.
pub(super) struct WorkQueue {
    phase: Phase,
    /// Those to come, the present one included.
    passes: VecDeque<Pass>,
    /// Subjects and their states on disk.
    page: VecDeque<(Subject, State)>,
    cursor: SubjectId,
    /// The last subject there is.
    end: SubjectId,
    /// The store has no more of this phase.
    exhausted: bool,
    /// Claims that wait for their time, by when and then by id.
    waiting: BinaryHeap<Reverse<(Timestamp, SubjectId)>>,
    claims: BTreeMap<SubjectId, Claim>,
    retry_codes: Vec<i64>,
    /// When the run began, wall time.
    began: Timestamp,
}

impl WorkQueue {
    /// Begins with the first unlinked subject without a pending_id, as soon as the lookups have come so
    /// [far](Self::reach). `began`: when the run did, wall time.
    pub(super) fn of_unlinked(began: Timestamp) -> Self {
        Self {
            phase: Phase::Unlinked,
            passes: VecDeque::new(),
            page: VecDeque::new(),
            cursor: SubjectId(0),
            end: SubjectId(0),
            exhausted: true,
            waiting: BinaryHeap::new(),
            claims: BTreeMap::new(),
            retry_codes: Vec::new(),
            began,
        }
    }

    /// Every subject up to `end` has an outcome on disk.
    pub(super) fn reach(&mut self, end: SubjectId) {
        if end > self.end {
            (self.end, self.exhausted) = (end, false);
        }
    }

    /// The last subject there is.
    pub(super) const fn end(&self) -> SubjectId {
        self.end
    }

    /// Begins after the store's watermark; `passes` come next. A parked subject is retried if no reply
    /// could be read or its errcode is one of `retry_codes`.
    pub(super) fn open(store: &Store, passes: Vec<Pass>, retry_codes: Vec<i64>) -> Result<Self> {
        Ok(Self {
            phase: Phase::Queued,
            passes: passes.into(),
            page: VecDeque::new(),
            cursor: store.queue().watermark()?,
            end: store.queue().last_subject()?,
            exhausted: false,
            waiting: BinaryHeap::new(),
            claims: BTreeMap::new(),
            retry_codes,
            began: Timestamp::default(),
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
        let (subject, was) = self.page.pop_front()?;
        let (attempt, last_attempt, failed_at) = match self.phase {
            // One attempt more than others. It has failed in this run or in an earlier one.
            Phase::RetryPass => (ATTEMPTS + 1, ATTEMPTS + 1, Some(Timestamp::default())),
            _ => (1, ATTEMPTS, None),
        };
        Some(Claim {
            subject,
            was,
            attempt,
            last_attempt,
            is_on_trial: false,
            was_on_trial: false,
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

    /// Begins the next phase, whose first subject is read when it is asked for; `None` at the end.
    pub(super) fn advance(&mut self) -> Option<NextPhase> {
        if self.phase == Phase::Pass {
            self.passes.pop_front();
        }
        self.exhausted = false;
        let next = match (self.phase, self.passes.front()) {
            (Phase::Queued | Phase::Pass, Some(pass)) => {
                (self.phase, self.cursor) = (Phase::Pass, pass.cursor);
                return Some(NextPhase::Pass(pass.clone()));
            }
            (Phase::Queued | Phase::Pass, None) => Phase::RetryPass,
            (Phase::Unlinked, _) => Phase::UnlinkedAgain,
            _ => Phase::Done,
        };
        (self.phase, self.cursor) = (next, SubjectId(0));
        match next {
            Phase::RetryPass => Some(NextPhase::RetryPass),
            Phase::UnlinkedAgain => Some(NextPhase::UnlinkedAgain),
            _ => None,
        }
    }

    /// The pass that is worked off.
    pub(super) fn pass(&self) -> Option<&Pass> {
        self.passes.front().filter(|_| self.phase == Phase::Pass)
    }

    /// Subjects of passes that are still to be asked, as far as is known without looking.
    pub(super) fn left_in_passes(&self) -> u64 {
        self.passes.iter().map(Pass::left).sum()
    }

    /// So many subjects of the present pass were asked and are on disk.
    pub(super) fn asked(&mut self, subjects: u64) {
        if self.phase == Phase::Pass
            && let Some(pass) = self.passes.front_mut()
        {
            pass.asked += subjects;
        }
    }

    /// How far the present phase has come if every subject below `lowest` is done; the retry pass
    /// keeps no account of that.
    #[must_use]
    pub(super) fn cursor(&self, lowest: SubjectId) -> Option<Cursor> {
        let upto = SubjectId(lowest.0 - 1);
        match self.phase {
            Phase::Queued => Some(Cursor::Queue(upto)),
            Phase::Pass => Some(Cursor::Pass(self.pass()?.id, upto)),
            _ => None,
        }
    }

    /// The least subject that is still to be asked here: everything below it is answered or in
    /// flight.
    #[must_use]
    pub(super) fn lowest(&self) -> SubjectId {
        let waiting = self.claims.keys().next().copied();
        let page = self.page.front().map(|(subject, _)| subject.id);
        let next = SubjectId(self.cursor.0 + 1);
        waiting.into_iter().chain(page).fold(next, SubjectId::min)
    }

    /// Whether subjects without an outcome are asked.
    #[must_use]
    pub(super) fn is_first_pass(&self) -> bool {
        self.phase == Phase::Queued
    }

    /// Whether the subjects asked now are those that failed before: their share of errors says nothing
    /// of the input or the service.
    #[must_use]
    pub(super) fn is_of_refused(&self) -> bool {
        let is_refused = |state: &State| matches!(state, State::Rejected | State::Parked);
        match self.pass() {
            Some(pass) => pass.selection.states.iter().any(is_refused),
            None => matches!(self.phase, Phase::RetryPass | Phase::Done),
        }
    }

    /// Reads on, but no further than a moment's work: answers and signals must not wait for a scan
    /// over millions of subjects that are answered.
    fn refill(&mut self, store: &Store) -> Result<()> {
        if !self.page.is_empty() || self.exhausted {
            return Ok(());
        }
        let upto = SubjectId(self.cursor.0.saturating_add(SCAN)).min(self.end);
        let (page, upto) = match (self.phase, self.passes.front()) {
            (Phase::Queued, _) => {
                let queued = store.queue().queued(self.cursor, upto, PAGE)?;
                (of_state(State::Queued, queued), upto)
            }
            (Phase::Pass, Some(pass)) => {
                let due = store.passes().due(pass, self.cursor, upto, PAGE)?;
                (due, upto)
            }
            (Phase::Unlinked | Phase::UnlinkedAgain, _) => {
                let span = (self.cursor, upto);
                let due = store.pending_ids().due(span, PAGE, self.began)?;
                (of_state(State::Unlinked, due), upto)
            }
            // There is no list of the parked: they are looked for if there are any.
            (Phase::RetryPass, _) if store.tally().of(State::Parked) > 0 => {
                let queue = store.queue();
                let page = queue.due_for_retry(self.cursor, PAGE, ATTEMPTS, &self.retry_codes)?;
                (of_state(State::Parked, page), self.end)
            }
            _ => (Vec::new(), self.end),
        };
        let is_whole = page.len() < PAGE as usize;
        self.exhausted = is_whole && upto >= self.end;
        self.cursor = match page.last() {
            Some((last, _)) if !is_whole => last.id,
            _ => upto.max(self.cursor),
        };
        self.page = page.into();
        Ok(())
    }
}

fn of_state(state: State, subjects: Vec<Subject>) -> Vec<(Subject, State)> {
    let subjects = subjects.into_iter();
    subjects.map(|subject| (subject, state)).collect()
}
