//! The account of one API: every window, the calls that are charged and not completed, and the
//! lockout.

use super::{CallKind, Hold, HoldReason, Lockout, PaidCalls, Permit, SlidingWindow};
use crate::{
    clock::{ClockReading, Timestamp},
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

    /// Those of one kind.
    const fn calls(&self, kind: CallKind) -> u64 {
        match kind {
            CallKind::Standard => self.standard,
            CallKind::WithTicket => self.with_ticket,
        }
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
    pub window: QuotaWindow,
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
    pub in_flight: InFlight,
    /// The lockout.
    pub lockout: Lockout,
}

/// What changed since the last commit, to be added to what is on disk.
#[derive(Debug, Clone, Default)]
pub struct Deltas {
    /// Completed calls, by slot.
    pub slots: Vec<SlotUpdate>,
    /// Calls in flight without a ticket, more or fewer.
    pub standard: i64,
    /// Calls in flight with a ticket, more or fewer.
    pub with_ticket: i64,
    /// The lockout, if it was imposed or cleared.
    pub lockout: Option<Lockout>,
}

/// Every window of one API, the calls in flight and the lockout.
#[derive(Debug, Clone)]
pub struct Ledger {
    windows: [SlidingWindow; QuotaWindow::COUNT],
    in_flight: InFlight,
    lockout: Lockout,
    /// Calls completed since the account was restored.
    completed: u64,
    /// In flight and lockout as they are on disk.
    committed: (InFlight, Lockout),
    /// Completed calls that are not on disk.
    completions: Vec<SlotUpdate>,
    /// Calls charged that are not on disk.
    charged: InFlight,
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
            lockout: snapshot.lockout,
            completed: 0,
            committed: (snapshot.in_flight, snapshot.lockout),
            completions: Vec::new(),
            charged: InFlight::default(),
        };
        for update in &snapshot.slots {
            account.windows[update.window as usize].add(update.slot, update.calls);
        }
        for window in QuotaWindow::ALL {
            let calls = snapshot.in_flight.in_window(window);
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
    pub const fn in_flight(&self) -> InFlight {
        self.in_flight
    }

    /// The lockout in force, if any is.
    #[must_use]
    pub const fn lockout(&self) -> Lockout {
        self.lockout
    }

    /// Calls completed since the account was restored.
    #[must_use]
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// Calls that `window` holds at `now`: completed and in flight.
    pub fn used(&mut self, now: Timestamp, window: QuotaWindow) -> u64 {
        let in_flight = self.in_flight.in_window(window);
        let window = &mut self.windows[window as usize];
        window.expire(now);
        window.completed() + in_flight
    }

    /// Whether every window that counts a call of `kind` has room for one.
    ///
    /// # Errors
    ///
    /// The hold of the window that stays full the longest.
    pub fn check(&mut self, now: Timestamp, kind: CallKind) -> Result<(), Hold> {
        self.room(now, kind).map(|_| ())
    }

    /// Returns how many of `want` calls of `kind` may be charged; at least one. Charges nothing.
    ///
    /// # Errors
    ///
    /// The hold, if there is none: of a lockout, or of the window that stays full the longest.
    pub fn admit(&mut self, now: Timestamp, kind: CallKind, want: u32) -> Result<u32, Hold> {
        let in_flight = usize::try_from(self.in_flight.total()).unwrap_or(usize::MAX);
        self.lockout.check(now, in_flight)?;
        let room = self.room(now, kind)?.min(u64::from(want.max(1)));
        Ok(u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Charges up to `want` calls of `kind`, each in every window that counts it or in none.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn charge(&mut self, now: Timestamp, kind: CallKind, want: u32) -> Result<Permit, Hold> {
        let calls = self.admit(now, kind, want)?;
        *self.in_flight.of(kind) += u64::from(calls);
        *self.charged.of(kind) += u64::from(calls);
        Ok(Permit::new(kind, calls))
    }

    /// Completes one call of `kind`: its charge ages from `now` on.
    pub fn complete(&mut self, now: Timestamp, kind: CallKind) {
        self.complete_many(now, kind, 1);
    }

    /// Completes `calls` calls of `kind`.
    pub fn complete_many(&mut self, now: Timestamp, kind: CallKind, calls: u64) {
        let in_flight = self.in_flight.of(kind);
        *in_flight = in_flight.saturating_sub(calls);
        self.completed += calls;
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

    /// A call that was sent at `sent` as `kind` was refused with 45009. Returns the lockout if it
    /// is new: calls sent before a lockout was known belong to it.
    ///
    /// Its level is that of the longest window that is all but full, or the next one up after a
    /// probe. `jitter`, 0 to 1, adds up to a tenth of a minute.
    pub fn impose_lockout(
        &mut self,
        sent: Timestamp,
        kind: CallKind,
        now: &ClockReading,
        jitter: f64,
    ) -> Option<Lockout> {
        let (at, wall) = (now.at, now.wall);
        let before = self.lockout;
        if before.is_active() && sent < before.until {
            return None;
        }
        let explained = if before.is_active() {
            None
        } else {
            self.nearly_full(at, kind)
        };
        self.lockout = before.next(explained, at, wall, jitter);
        Some(self.lockout)
    }

    /// A call that was sent at `sent` got past the limits. Returns whether it was the probe of a
    /// lockout, which is over then.
    pub fn clear_lockout(&mut self, sent: Timestamp) -> bool {
        let is_over = self.lockout.is_active() && sent >= self.lockout.until;
        if is_over {
            self.lockout = Lockout::default();
        }
        is_over
    }

    /// What is to be added to the rows on disk.
    #[must_use]
    pub fn deltas(&self) -> Deltas {
        let delta = |now: u64, then: u64| now.cast_signed() - then.cast_signed();
        let (in_flight, lockout) = self.committed;
        Deltas {
            slots: self.completions.clone(),
            standard: delta(self.in_flight.standard, in_flight.standard),
            with_ticket: delta(self.in_flight.with_ticket, in_flight.with_ticket),
            lockout: (self.lockout != lockout).then_some(self.lockout),
        }
    }

    /// The [`deltas`](Self::deltas) are on disk.
    pub fn committed(&mut self) {
        self.completions.clear();
        self.charged = InFlight::default();
        self.committed = (self.in_flight, self.lockout);
    }

    /// The [`deltas`](Self::deltas) are not on disk, and calls charged since the last commit are
    /// never sent. Everything else stays to be committed.
    pub fn roll_back(&mut self) {
        let charged = std::mem::take(&mut self.charged);
        for kind in CallKind::ALL {
            let in_flight = self.in_flight.of(kind);
            *in_flight = in_flight.saturating_sub(charged.calls(kind));
        }
    }

    /// How many calls of `kind` fit in every window that counts them; at least one.
    fn room(&mut self, now: Timestamp, kind: CallKind) -> Result<u64, Hold> {
        let mut room = u64::MAX;
        for window in &mut self.windows {
            if kind.counts_in(window.window()) {
                window.expire(now);
                room = room.min(window.room(self.in_flight.in_window(window.window())));
            }
        }
        if room == 0 {
            return Err(self.full(kind));
        }
        Ok(room)
    }

    /// The longest window within 2 % of its limit, of those that count a call of `kind`.
    fn nearly_full(&mut self, now: Timestamp, kind: CallKind) -> Option<QuotaWindow> {
        let limits = self.limits();
        let full = QuotaWindow::ALL.into_iter().filter(|window| {
            let used = self.used(now, *window);
            let limit = limits.of(*window);
            kind.counts_in(*window) && limit.is_some_and(|limit| used >= limit - limit / 50)
        });
        full.max_by_key(|window| window.span())
    }

    fn add(&mut self, window: QuotaWindow, at: Timestamp, calls: u64) {
        let slot = self.windows[window as usize].add(at, calls);
        // The last few entries are where the same slot would stand.
        let recent = self.completions.iter_mut().rev().take(QuotaWindow::COUNT);
        let mut same = recent.filter(|update| update.window == window && update.slot == slot);
        match same.next() {
            Some(update) => update.calls += calls,
            None => self.completions.push(SlotUpdate {
                window,
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
