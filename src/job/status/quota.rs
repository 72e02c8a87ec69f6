//! The quota as a job file has it, and how long its queued subjects would take.

use std::time::Duration;

use super::WindowStatus;
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    job::quota_record::QuotaRecord,
    ledger::StoredAccount,
    plan,
    quota::{Account, CallKind, ForecastInput, LockoutLevel},
    runner::event::WindowUse,
};

/// The quota now.
pub(super) struct QuotaStanding {
    account: Account,
    /// The time in the ledger.
    now: Timestamp,
    clock: LedgerClock,
}

impl QuotaStanding {
    pub(super) fn of(stored: &StoredAccount, record: &QuotaRecord, clock: Clock) -> Self {
        let ledger_clock = LedgerClock::resume(clock, stored.reading);
        let now = ledger_clock.now();
        Self {
            account: Account::restore(record.limits(), record.kind(), &stored.snapshot),
            now,
            clock: ledger_clock,
        }
    }

    /// The lockout that the last run met and the next one heeds, with its end by the wall clock.
    pub(super) fn lockout(&self) -> Option<(LockoutLevel, Timestamp)> {
        let lockout = self.account.lockout();
        let standing = (lockout.level, self.clock.to_wall_time(lockout.until));
        lockout.is_active().then_some(standing)
    }

    /// Whether that lockout was met far below every limit.
    pub(super) fn is_used_elsewhere(&self) -> bool {
        self.account.is_used_elsewhere()
    }

    /// Use of the windows that have a limit.
    pub(super) fn windows(&mut self) -> Vec<WindowStatus> {
        let windows = WindowUse::of(&mut self.account, self.now);
        let status = |used: WindowUse| {
            let left = used.limit.saturating_sub(used.used);
            let frees = || self.account.frees_at(used.window);
            WindowStatus {
                window: used.window,
                used: used.used,
                limit: used.limit,
                left,
                room_at: (left == 0)
                    .then(frees)
                    .flatten()
                    .map(|at| self.clock.to_wall_time(at)),
            }
        };
        windows.into_iter().map(status).collect()
    }

    /// When `queued` subjects will be answered, by the wall clock that shows `wall` now; `ticket`
    /// is when the stored ticket expires.
    pub(super) fn finish(
        &self,
        queued: u64,
        ticket: Option<Timestamp>,
        wall: Timestamp,
    ) -> Option<Timestamp> {
        // A ticket is no longer used in its last hour.
        const EARLY: Duration = Duration::from_secs(3600);
        let until = ticket.map(|expires| self.now.plus(expires.since(wall).saturating_sub(EARLY)));
        let input = ForecastInput {
            account: self.account.clone(),
            now: self.now,
            kind: until.map_or(CallKind::Standard, |_| CallKind::WithTicket),
            ticket_until: until,
            locked_until: self.account.lockout().until,
            per_second: None,
        };
        let finish = plan::forecast(&input, queued).finish;
        (finish != Timestamp::MAX).then(|| wall.plus(finish.since(self.now)))
    }
}
