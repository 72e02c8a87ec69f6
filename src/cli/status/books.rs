//! The quota as a state file knows it, and how long what is queued would take.

use std::time::Duration;

use super::WindowJson;
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    gate::{CallKind, ForecastInput, Ledger, Lockout, LockoutLevel},
    model::{Limits, QuotaWindow, WindowKind},
    plan,
    store::{QuotaStatus, RunStatus},
};

/// A block (45009) in force.
#[derive(Clone, Copy)]
pub(super) struct Penalty {
    pub(super) rung: LockoutLevel,
    /// By the wall.
    pub(super) until: Timestamp,
}

/// The quota as it stands now.
pub(super) struct Books {
    ledger: Ledger,
    now: Timestamp,
    block: Lockout,
    /// When the block ends, by the wall.
    block_until: Timestamp,
}

impl Books {
    pub(super) fn of(lane: QuotaStatus, held: &Held, clock: Clock) -> Self {
        let books = LedgerClock::resume(clock, lane.reading);
        let now = books.now();
        let ledger = Ledger::restore(held.limits, held.counting, &lane.ledger, now);
        Self {
            ledger,
            now,
            block: lane.lockout,
            block_until: books.to_wall_time(lane.lockout.until),
        }
    }

    /// The penalty that the last run met and the next one heeds.
    pub(super) fn penalty(&self) -> Option<Penalty> {
        let (rung, until) = (self.block.rung, self.block_until);
        self.block.stands().then_some(Penalty { rung, until })
    }

    pub(super) fn windows(&mut self) -> Vec<WindowJson> {
        let limits = self.ledger.limits();
        let windows = QuotaWindow::ALL.into_iter().filter_map(|span| {
            let (limit, used) = (limits.of(span)?, self.ledger.used(self.now, span));
            let left = limit.saturating_sub(used);
            let window = span.name();
            Some(WindowJson {
                window,
                used,
                limit,
                left,
            })
        });
        windows.collect()
    }

    /// By the wall.
    pub(super) fn finish(
        &self,
        queued: u64,
        ticket: Option<Timestamp>,
        wall: Timestamp,
    ) -> Option<Timestamp> {
        const EARLY: Duration = Duration::from_secs(3600);
        let until = ticket.map(|expires| self.now.plus(expires.since(wall).saturating_sub(EARLY)));
        let outlook = ForecastInput {
            ledger: self.ledger.clone(),
            now: self.now,
            fare: until.map_or(CallKind::Standard, |_| CallKind::WithTicket),
            ticket_until: until,
            blocked_until: self.block.until,
            per_second: None,
        };
        let finish = plan::forecast(&outlook, queued).finish;
        (finish != Timestamp::MAX).then(|| wall.plus(finish.since(self.now)))
    }
}

/// The limits that a run held, and how it counted.
pub(super) struct Held {
    limits: Limits,
    counting: WindowKind,
}

impl Held {
    pub(super) fn published() -> Self {
        Self {
            limits: Limits::published(),
            counting: WindowKind::default(),
        }
    }

    pub(super) const fn counting_name(&self) -> &'static str {
        match self.counting {
            WindowKind::Sliding => "sliding",
            WindowKind::Calendar => "calendar",
        }
    }

    pub(super) fn by(run: &RunStatus) -> Self {
        let held: serde_json::Value = serde_json::from_str(&run.quota).unwrap_or_default();
        let mut limits = Limits::none();
        for span in QuotaWindow::ALL {
            limits.set(span, held[span.name()].as_u64());
        }
        let counting = held["counting"].as_str().unwrap_or_default().parse();
        Self {
            limits,
            counting: counting.unwrap_or_default(),
        }
    }
}
