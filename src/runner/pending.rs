//! What the next commit writes, and the calls that commits have paid for.

use std::time::Duration;

use crate::{
    clock::Timestamp,
    quota::{CallKind, PaidCalls},
    store::{Cursor, Settled},
};

/// The commit to come.
pub(super) struct PendingCommit {
    settled: Vec<Settled>,
    /// When it is to be made, if there is something to settle or to make durable.
    due: Option<Timestamp>,
    /// How far the work has come on disk.
    cursor: Option<Cursor>,
    /// Calls paid for and not sent.
    paid: PaidCalls,
    /// Answers that stand although their subjects were asked again: that was refused, or failed.
    kept: u64,
    /// Commits that settled something.
    commits: u64,
    /// A rehearsed kill: forget everything that is not on disk after so many of them.
    crash_after: Option<u64>,
}

impl PendingCommit {
    pub(super) const fn new(cursor: Option<Cursor>) -> Self {
        Self {
            settled: Vec::new(),
            due: None,
            cursor,
            paid: PaidCalls::empty(CallKind::Standard),
            kept: 0,
            commits: 0,
            crash_after: None,
        }
    }

    pub(super) const fn crash_after(&mut self, commits: Option<u64>) {
        self.crash_after = commits;
    }

    /// Whether a rehearsal kills the process here.
    pub(super) fn is_to_crash(&self) -> bool {
        self.crash_after.is_some_and(|most| self.commits >= most)
    }

    /// Adds an answer, to be on disk `within` this time.
    pub(super) fn settle(&mut self, settled: Settled, now: Timestamp, within: Duration) {
        self.kept += u64::from(!settled.outcome.state.replaces(settled.was));
        self.settled.push(settled);
        self.due.get_or_insert(now.plus(within));
    }

    /// Something must be on disk before anything else happens.
    pub(super) const fn commit_at_once(&mut self, now: Timestamp) {
        self.due = Some(now);
    }

    /// When the commit is to be made.
    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Whether the commit is to be made now; with nothing in flight there is nothing to wait for.
    pub(super) fn is_due(&self, now: Timestamp, nothing_in_flight: bool) -> bool {
        self.due.is_some_and(|due| due <= now || nothing_in_flight)
    }

    /// Answers to be settled.
    pub(super) const fn answers(&self) -> usize {
        self.settled.len()
    }

    /// Answers that stand although their subjects were asked again.
    pub(super) const fn kept(&self) -> u64 {
        self.kept
    }

    /// The answers, in the order in which they are appended.
    pub(super) fn sorted(&mut self) -> &[Settled] {
        self.settled.sort_unstable_by_key(|settled| settled.subject);
        &self.settled
    }

    /// How far the work has come on disk.
    pub(super) const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// How many of the answers bring a pending_id.
    pub(super) fn pending_ids(&self) -> usize {
        let has_id = |settled: &&Settled| settled.outcome.pending_id.is_some();
        self.settled.iter().filter(has_id).count()
    }

    /// Returns `cursor` if this commit has to write it.
    pub(super) fn advance(&mut self, cursor: Option<Cursor>) -> Option<Cursor> {
        let has_moved = cursor.is_some() && cursor != self.cursor;
        let asked_in_pass = !self.settled.is_empty() && matches!(cursor, Some(Cursor::Pass(..)));
        (has_moved || asked_in_pass).then(|| {
            self.cursor = cursor;
            cursor
        })?
    }

    /// The commit was made.
    pub(super) fn committed(&mut self) {
        self.commits += u64::from(!self.settled.is_empty());
        self.settled.clear();
        self.due = None;
    }

    /// Calls paid for and not sent.
    pub(super) const fn paid(&self) -> &PaidCalls {
        &self.paid
    }

    /// The same, to take from and to add to.
    pub(super) const fn paid_mut(&mut self) -> &mut PaidCalls {
        &mut self.paid
    }

    /// Takes the calls that were paid for and cannot be sent, to be given back.
    pub(super) fn take_unless(
        &mut self,
        is_usable: impl FnOnce(&PaidCalls) -> bool,
    ) -> Option<PaidCalls> {
        (self.paid.calls() > 0 && !is_usable(&self.paid)).then(|| self.take_paid())
    }

    /// Takes all calls that were paid for, to be given back.
    pub(super) fn take_paid(&mut self) -> PaidCalls {
        std::mem::replace(&mut self.paid, PaidCalls::empty(CallKind::Standard))
    }
}
