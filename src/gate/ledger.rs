//! The books of a lane: five windows, and the calls that are charged and have not landed.

use super::{CallKind, Hold, HoldReason, PaidCalls, Permit, SlidingWindow};
use crate::clock::Timestamp;
use crate::model::{Limits, QuotaWindow, WindowKind};

/// Calls charged and not landed, by fare.
///
/// They count in every window of their fare for as long as they are open, whatever the time: the
/// remote counts a call somewhere between its sending and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InFlight {
    /// Without a ticket.
    pub standard: u64,
    /// With one.
    pub with_ticket: u64,
}

impl InFlight {
    /// Open calls that `span` counts.
    #[must_use]
    pub const fn in_window(&self, span: QuotaWindow) -> u64 {
        if span.is_business() {
            self.standard
        } else {
            self.standard + self.with_ticket
        }
    }

    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.standard + self.with_ticket
    }

    const fn of(&mut self, fare: CallKind) -> &mut u64 {
        match fare {
            CallKind::Standard => &mut self.standard,
            CallKind::WithTicket => &mut self.with_ticket,
        }
    }
}

/// A line of the books as the state file keeps it: calls landed in one slot of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotUpdate {
    /// The window.
    pub span: QuotaWindow,
    /// The slot's start.
    pub slot: Timestamp,
    /// The calls in it, all told.
    pub calls: u64,
}

/// The books as they were left by the last commit.
#[derive(Debug, Clone, Default)]
pub struct LedgerSnapshot {
    /// Every slot that has not left its window.
    pub slots: Vec<SlotUpdate>,
    /// What was open.
    pub open: InFlight,
}

/// All windows of one lane at once.
#[derive(Debug, Clone)]
pub struct Ledger {
    windows: [SlidingWindow; 5],
    open: InFlight,
    changes: Vec<SlotUpdate>,
    sent: u64,
}

impl Ledger {
    /// The books under `limits`, with everything that an earlier process charged.
    ///
    /// Calls that were open when it ended may still be on their way to the remote (a machine may
    /// have slept with a request in its buffers), so they are taken to have landed at
    /// `landed_by`: a call's time-out from *now*.
    #[must_use]
    pub fn restore(
        limits: Limits,
        counting: WindowKind,
        books: &LedgerSnapshot,
        landed_by: Timestamp,
    ) -> Self {
        let windows =
            QuotaWindow::ALL.map(|span| SlidingWindow::new(span, limits.of(span), counting));
        let mut ledger = Self {
            windows,
            open: InFlight::default(),
            changes: Vec::new(),
            sent: 0,
        };
        for slot in &books.slots {
            ledger.windows[slot.span as usize].land(slot.slot, slot.calls);
        }
        for window in &mut ledger.windows {
            let open = books.open.in_window(window.span());
            if open > 0 {
                let (slot, calls) = window.land(landed_by, open);
                let span = window.span();
                ledger.changes.push(SlotUpdate { span, slot, calls });
            }
        }
        ledger
    }

    /// Empty books.
    #[must_use]
    pub fn new(limits: Limits, counting: WindowKind) -> Self {
        Self::restore(
            limits,
            counting,
            &LedgerSnapshot::default(),
            Timestamp::default(),
        )
    }

    /// The limits it holds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::none();
        for window in &self.windows {
            limits.set(window.span(), window.limit());
        }
        limits
    }

    /// The windows, in the order of [`QuotaWindow::ALL`].
    #[must_use]
    pub const fn windows(&self) -> &[SlidingWindow; 5] {
        &self.windows
    }

    /// Calls charged and not landed.
    #[must_use]
    pub const fn open(&self) -> InFlight {
        self.open
    }

    /// Calls that have landed since these books were opened.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// What `span` holds at `now`: landed and open.
    pub fn used(&mut self, now: Timestamp, span: QuotaWindow) -> u64 {
        let window = &mut self.windows[span as usize];
        window.expire(now);
        window.landed() + self.open.in_window(span)
    }

    /// Would one call of `fare` fit?
    ///
    /// # Errors
    ///
    /// The hold, if not.
    pub fn check(&mut self, now: Timestamp, fare: CallKind) -> Result<(), Hold> {
        match self.room(now, fare) {
            0 => Err(self.full(fare)),
            _ => Ok(()),
        }
    }

    /// How many calls of `fare` fit in every window it counts in.
    fn room(&mut self, now: Timestamp, fare: CallKind) -> u64 {
        let windows = self.windows.iter_mut();
        let counting = windows.filter(|window| fare.counts_in(window.span()));
        let rooms = counting.map(|window| {
            window.expire(now);
            window.room(self.open.in_window(window.span()))
        });
        rooms.min().unwrap_or(u64::MAX)
    }

    /// Charges up to `want` calls of `fare`, each in every window or in none.
    ///
    /// # Errors
    ///
    /// The hold of the window that stays full the longest, if not even one fits.
    pub fn charge(&mut self, now: Timestamp, fare: CallKind, want: u32) -> Result<Permit, Hold> {
        let room = u32::try_from(self.room(now, fare)).unwrap_or(u32::MAX);
        let calls = want.max(1).min(room);
        if calls == 0 {
            return Err(self.full(fare));
        }
        *self.open.of(fare) += u64::from(calls);
        Ok(Permit::new(fare, calls))
    }

    /// One call of `fare` has landed: its charge is dated.
    pub fn land(&mut self, now: Timestamp, fare: CallKind) {
        self.land_many(now, fare, 1);
    }

    /// Many have.
    pub fn land_many(&mut self, now: Timestamp, fare: CallKind, calls: u64) {
        let open = self.open.of(fare);
        *open = open.saturating_sub(calls);
        self.sent += calls;
        for window in &mut self.windows {
            if fare.counts_in(window.span()) {
                let (slot, calls) = window.land(now, calls);
                let span = window.span();
                note(&mut self.changes, SlotUpdate { span, slot, calls });
            }
        }
    }

    /// A call that landed with a ticket that may not have worked: the remote may have counted it in
    /// the windows that a ticket lifts, so it is charged there too.
    pub fn doubt(&mut self, now: Timestamp) {
        for window in &mut self.windows {
            if window.span().is_business() {
                let (slot, calls) = window.land(now, 1);
                let span = window.span();
                note(&mut self.changes, SlotUpdate { span, slot, calls });
            }
        }
    }

    /// Takes back calls that were paid for and will not be sent.
    pub fn refund(&mut self, purse: PaidCalls) {
        let open = self.open.of(purse.fare());
        *open = open.saturating_sub(u64::from(purse.calls()));
    }

    /// The slots that changed since this was last asked, to be committed; asking forgets them.
    pub fn take_changes(&mut self) -> Vec<SlotUpdate> {
        std::mem::take(&mut self.changes)
    }

    fn full(&self, fare: CallKind) -> Hold {
        let full = self.windows.iter().filter(|window| {
            fare.counts_in(window.span()) && window.room(self.open.in_window(window.span())) == 0
        });
        let frees = full.map(|window| {
            let until = window.frees_at(self.open.in_window(window.span()));
            (until, window.span())
        });
        // A window that only a landing can free does not know its time: the others may.
        let (until, span) = frees
            .max_by_key(|(until, span)| (*until, *span))
            .unwrap_or((None, QuotaWindow::BasicMinute));
        let reason = HoldReason::Window(span);
        Hold { until, reason }
    }
}

/// Remembers a slot's latest count; the last few entries are where a repeat would stand.
fn note(changes: &mut Vec<SlotUpdate>, change: SlotUpdate) {
    let known = changes
        .iter_mut()
        .rev()
        .take(QuotaWindow::ALL.len())
        .find(|known| known.span == change.span && known.slot == change.slot);
    match known {
        Some(known) => known.calls = change.calls,
        None => changes.push(change),
    }
}
