//! The account of one API: every window, and the calls that are charged and not completed.

use super::{CallKind, Hold, HoldReason, PaidCalls, Permit, SlidingWindow};
use crate::{
    clock::Timestamp,
    model::{Limits, QuotaWindow, WindowKind},
};

/// Calls charged and not completed, by kind.
///
/// They count in every window of their kind for as long as they are in flight: the remote counts
/// a call somewhere between its sending and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// Without a ticket.
    pub standard: u64,
    /// With one.
    pub with_ticket: u64,
}

impl InFlight {
    /// Calls in flight that `window` counts.
    #[must_use]
    pub const fn in_window(&self, window: QuotaWindow) -> u64 {
        if window.is_business() {
            self.standard
        } else {
            self.total()
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.standard + self.with_ticket
    }

    const fn of(&mut self, kind: CallKind) -> &mut u64 {
        match kind {
            CallKind::Standard => &mut self.standard,
            CallKind::WithTicket => &mut self.with_ticket,
        }
    }
}

/// Calls of one slot of one window: all of them in a snapshot, those that were added in an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotUpdate {
    /// The window.
    pub span: QuotaWindow,
    /// The slot's start, in ledger time.
    pub slot: Timestamp,
    /// Calls.
    pub calls: u64,
}

/// The account as the last commit left it.
#[derive(Debug, Clone, Default)]
pub struct LedgerSnapshot {
    /// Every slot that has not left its window.
    pub slots: Vec<SlotUpdate>,
    /// Calls in flight.
    pub open: InFlight,
}

/// What changed since the last commit, to be added to what is on disk.
#[derive(Debug, Clone, Default)]
pub struct Deltas {
    /// Completed calls, by slot.
    pub slots: Vec<SlotUpdate>,
    /// Calls in flight, more or fewer.
    pub standard: i64,
    /// The same, with a ticket.
    pub with_ticket: i64,
}

/// Every window of one API, and the calls in flight.
#[derive(Debug, Clone)]
pub struct Ledger {
    windows: [SlidingWindow; QuotaWindow::COUNT],
    in_flight: InFlight,
    /// As the last commit wrote it.
    committed: InFlight,
    changes: Vec<SlotUpdate>,
    sent: u64,
}

impl Ledger {
    /// Returns the account under `limits`, with everything that an earlier process charged.
    ///
    /// Calls that were in flight when it ended may still be on their way to the remote (a machine
    /// may have been suspended with a request in its buffers), so they complete at `completed_by`:
    /// a call's time-out from *now*.
    #[must_use]
    pub fn restore(
        limits: Limits,
        kind: WindowKind,
        snapshot: &LedgerSnapshot,
        completed_by: Timestamp,
    ) -> Self {
        let mut account = Self {
            windows: QuotaWindow::ALL
                .map(|window| SlidingWindow::new(window, limits.of(window), kind)),
            in_flight: InFlight::default(),
            committed: snapshot.open,
            changes: Vec::new(),
            sent: 0,
        };
        for slot in &snapshot.slots {
            account.windows[slot.span as usize].add(slot.slot, slot.calls);
        }
        for window in QuotaWindow::ALL {
            let calls = snapshot.open.in_window(window);
            if calls > 0 {
                account.add(window, completed_by, calls);
            }
        }
        account
    }

    /// Returns an empty account.
    #[must_use]
    pub fn new(limits: Limits, kind: WindowKind) -> Self {
        Self::restore(
            limits,
            kind,
            &LedgerSnapshot::default(),
            Timestamp::default(),
        )
    }

    /// The limits of the windows.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let windows = self.windows.iter();
        windows.fold(Limits::none(), |limits, window| {
            limits.with(window.window(), window.limit())
        })
    }

    /// The windows, in the order of [`QuotaWindow::ALL`].
    #[must_use]
    pub const fn windows(&self) -> &[SlidingWindow; QuotaWindow::COUNT] {
        &self.windows
    }

    /// Calls charged and not completed.
    #[must_use]
    pub const fn open(&self) -> InFlight {
        self.in_flight
    }

    /// Calls completed since the account was restored.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Calls that `window` holds at `now`: completed and in flight.
    pub fn used(&mut self, now: Timestamp, window: QuotaWindow) -> u64 {
        let in_flight = self.in_flight.in_window(window);
        let window = &mut self.windows[window as usize];
        window.expire(now);
        window.completed() + in_flight
    }

    /// Whether one call of `kind` fits.
    ///
    /// # Errors
    ///
    /// The hold, if not.
    pub fn check(&mut self, now: Timestamp, kind: CallKind) -> Result<(), Hold> {
        self.admit(now, kind, 1).map(|_| ())
    }

    /// Returns how many of `want` calls of `kind` fit in every window that counts them; at least
    /// one. Charges nothing.
    ///
    /// # Errors
    ///
    /// The hold of the window that stays full the longest, if not even one fits.
    pub fn admit(&mut self, now: Timestamp, kind: CallKind, want: u32) -> Result<u32, Hold> {
        let mut room = u64::from(want.max(1));
        for window in &mut self.windows {
            if kind.counts_in(window.window()) {
                window.expire(now);
                room = room.min(window.room(self.in_flight.in_window(window.window())));
            }
        }
        match u32::try_from(room).unwrap_or(u32::MAX) {
            0 => Err(self.full(kind)),
            room => Ok(room),
        }
    }

    /// Charges up to `want` calls of `kind`, each in every window that counts it or in none.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn charge(&mut self, now: Timestamp, kind: CallKind, want: u32) -> Result<Permit, Hold> {
        let calls = self.admit(now, kind, want)?;
        *self.in_flight.of(kind) += u64::from(calls);
        Ok(Permit::new(kind, calls))
    }

    /// Completes one call of `kind`: its charge ages from `now` on.
    pub fn land(&mut self, now: Timestamp, kind: CallKind) {
        self.land_many(now, kind, 1);
    }

    /// Completes `calls` calls of `kind`.
    pub fn land_many(&mut self, now: Timestamp, kind: CallKind, calls: u64) {
        let in_flight = self.in_flight.of(kind);
        *in_flight = in_flight.saturating_sub(calls);
        self.sent += calls;
        for window in QuotaWindow::ALL {
            if kind.counts_in(window) {
                self.add(window, now, calls);
            }
        }
    }

    /// Charges a completed call in the business windows too: its ticket may not have worked, and
    /// the remote may have counted it there.
    pub fn charge_business_too(&mut self, now: Timestamp) {
        for window in QuotaWindow::ALL {
            if window.is_business() {
                self.add(window, now, 1);
            }
        }
    }

    /// Takes back calls that were paid for and are not going to be sent.
    pub fn give_back(&mut self, paid: PaidCalls) {
        let in_flight = self.in_flight.of(paid.kind());
        *in_flight = in_flight.saturating_sub(u64::from(paid.calls()));
    }

    /// What is to be added to the rows on disk.
    #[must_use]
    pub fn deltas(&self) -> Deltas {
        let delta = |now: u64, then: u64| now.cast_signed() - then.cast_signed();
        Deltas {
            slots: self.changes.clone(),
            standard: delta(self.in_flight.standard, self.committed.standard),
            with_ticket: delta(self.in_flight.with_ticket, self.committed.with_ticket),
        }
    }

    /// The [`deltas`](Self::deltas) are on disk.
    pub fn committed(&mut self) {
        self.changes.clear();
        self.committed = self.in_flight;
    }

    fn add(&mut self, window: QuotaWindow, at: Timestamp, calls: u64) {
        let slot = self.windows[window as usize].add(at, calls);
        // The last few entries are where the same slot would stand.
        let recent = self.changes.iter_mut().rev().take(QuotaWindow::COUNT);
        let mut same = recent.filter(|change| change.span == window && change.slot == slot);
        match same.next() {
            Some(change) => change.calls += calls,
            None => self.changes.push(SlotUpdate {
                span: window,
                slot,
                calls,
            }),
        }
    }

    fn full(&self, kind: CallKind) -> Hold {
        let full = self.windows.iter().filter(|window| {
            let in_flight = self.in_flight.in_window(window.window());
            kind.counts_in(window.window()) && window.room(in_flight) == 0
        });
        let frees = full.map(|window| {
            let in_flight = self.in_flight.in_window(window.window());
            (window.frees_at(in_flight), window.window())
        });
        // A window that only a completion can free does not know its time: the others may.
        let (until, window) = frees
            .max_by_key(|(until, window)| (*until, *window))
            .unwrap_or((None, QuotaWindow::BasicMinute));
        Hold {
            until,
            reason: HoldReason::Window(window),
        }
    }
}
