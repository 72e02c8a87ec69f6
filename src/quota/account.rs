//! The account of one API of a corp: every window, the calls that are charged and not completed,
//! and the lockout.

mod refusals;
mod unwritten;

use std::time::Duration;

use self::refusals::ToldByRefusals;
use super::{
    AccountSnapshot, CallCount, CallKind, Hold, HoldReason, Lockout, PaidCalls, Permit,
    SlidingWindow, SlotCalls,
    limits::slot_of,
    lockout::{Probe, QuotaRefusal},
};
use crate::{
    clock::Timestamp,
    model::{Limits, Period, QuotaWindow, WindowKind},
};

/// The limits of an account, from which those of its windows follow.
#[derive(Debug, Clone)]
struct AccountLimits {
    /// The most calls that the operator allows.
    allowed: Limits,
    /// The remote's limits, before margin and reserve: what explains a 45009.
    remote: Limits,
    /// Limits of the remote that are lower than published.
    learnt: Vec<(QuotaWindow, u64)>,
    /// Another API counts in the same business windows.
    is_shared: bool,
}

/// Whether calls with a ticket count in the business windows.
#[derive(Debug, Clone, Copy, Default)]
struct TicketDoubt {
    /// The remote may count them there.
    in_doubt: bool,
    /// A trial that finds it out is under way here: they do not stand in its way.
    on_trial: bool,
}

/// Calls in flight of other writers.
#[derive(Debug, Clone, Copy, Default)]
struct OthersInFlight {
    of_corp: CallCount,
    /// Those of other corps, which use the same IP.
    of_other_corps: CallCount,
    /// Those to another API that counts in the same business windows.
    of_shared: CallCount,
}

/// Every window of one API, the calls in flight and the lockout.
///
/// Calls in flight count in every window of their kind for as long as they are: the remote counts
/// a call somewhere between its sending and its answer.
#[derive(Debug, Clone)]
pub struct Account {
    windows: [SlidingWindow; QuotaWindow::COUNT],
    limits: AccountLimits,
    /// What the lockout that has just ended tells.
    observed: Option<(QuotaWindow, u64)>,
    in_flight: CallCount,
    others_in_flight: OthersInFlight,
    ticket: TicketDoubt,
    /// Calls completed since the account was restored.
    completed: u64,
    lockout: Lockout,
    /// Whether the probe of the lockout is of this account.
    probes: bool,
    /// What refusals since the last exchange tell of others.
    told: ToldByRefusals,
    /// The lockout as the last exchange left it.
    known_lockout: Lockout,
    /// What happened to the lockout since.
    refusals: Vec<QuotaRefusal>,
    /// Completed calls that are not on disk.
    completions: Vec<SlotCalls>,
    /// Calls charged that are not on disk.
    charged: CallCount,
    /// Calls completed or given back, where that is not on disk.
    done: CallCount,
}

impl Account {
    /// Returns the account under `limits`, with everything that is in the ledger.
    #[must_use]
    pub fn restore(limits: Limits, kind: WindowKind, snapshot: &AccountSnapshot) -> Self {
        let mut account = Self {
            windows: QuotaWindow::ALL
                .map(|window| SlidingWindow::new(window, limits.of(window), kind)),
            limits: AccountLimits {
                allowed: limits,
                remote: limits,
                learnt: Vec::new(),
                is_shared: false,
            },
            observed: None,
            in_flight: CallCount::default(),
            others_in_flight: OthersInFlight::default(),
            ticket: TicketDoubt::default(),
            completed: 0,
            lockout: Lockout::default(),
            probes: false,
            told: ToldByRefusals::default(),
            known_lockout: Lockout::default(),
            refusals: Vec::new(),
            completions: Vec::new(),
            charged: CallCount::default(),
            done: CallCount::default(),
        };
        account.refresh(snapshot);
        account
    }

    /// Returns an empty account.
    #[must_use]
    pub fn new(limits: Limits, kind: WindowKind) -> Self {
        Self::restore(limits, kind, &AccountSnapshot::default())
    }

    /// Sets the remote's own limits, where the account keeps below them.
    #[must_use]
    pub const fn under(mut self, remote_limits: Limits) -> Self {
        self.limits.remote = remote_limits;
        self
    }

    /// Takes over what others have changed. Calls of this account that are not on disk are to be
    /// counted in the slots of `snapshot` already.
    pub fn refresh(&mut self, snapshot: &AccountSnapshot) {
        for window in &mut self.windows {
            let slots = match &snapshot.shared {
                _ if window.window().is_of_ip() => &snapshot.ip_slots,
                Some(shared) if window.window().is_business() => &shared.slots,
                _ => &snapshot.slots,
            };
            let period = window.window().period();
            for update in slots.iter().filter(|update| update.period == period) {
                window.set(update.slot, update.calls);
            }
        }
        let shared = snapshot.shared.as_ref().map(|shared| shared.in_flight);
        self.others_in_flight = OthersInFlight {
            of_corp: snapshot.others_in_flight,
            of_other_corps: snapshot.other_corps_in_flight,
            of_shared: shared.unwrap_or_default(),
        };
        self.limits.is_shared = shared.is_some() || self.told.shares_counter;
        self.learn(snapshot.learnt.clone());
        self.doubt_ticket(snapshot.ticket_in_doubt);
        if snapshot.lockout != self.known_lockout {
            self.known_lockout = snapshot.lockout;
            self.lockout = snapshot.lockout;
            for refusal in std::mem::take(&mut self.refusals) {
                self.impose_lockout(refusal);
            }
        }
    }

    /// While the ticket is in doubt, calls with it count in the business windows too: the remote may
    /// count them there.
    pub(crate) fn doubt_ticket(&mut self, is_in_doubt: bool) {
        self.ticket.in_doubt = is_in_doubt;
        for window in &mut self.windows {
            window.doubt_ticket(is_in_doubt && !self.ticket.on_trial);
        }
    }

    /// Whether this account tries the ticket, a call at a time: calls with it do not stand in the way
    /// of the trial.
    pub(crate) fn try_ticket(&mut self, tries: bool) {
        self.ticket.on_trial = tries;
        self.doubt_ticket(self.ticket.in_doubt);
    }

    /// Whether nothing but a ticket that the remote ignores explains a 45009 at `now`: the windows that
    /// count every call are far from full, and with the calls with a ticket a business window is full.
    pub(crate) fn is_ticket_to_blame(&self, now: Timestamp) -> bool {
        let mut counted = self.clone();
        counted.ticket.on_trial = false;
        counted.doubt_ticket(true);
        let remote = counted.limits.remote;
        let mut is_used = |window, percent| {
            let limit = remote.of(window);
            limit.is_some_and(|limit| counted.used(now, window) * 100 >= limit * percent)
        };
        let (business, basic): (Vec<_>, Vec<_>) = QuotaWindow::ALL
            .into_iter()
            .partition(|window| window.is_business());
        !basic.into_iter().any(|window| is_used(window, 80))
            && business.into_iter().any(|window| is_used(window, 99))
    }

    /// Whether the ticket is in doubt.
    #[must_use]
    pub(crate) const fn is_ticket_in_doubt(&self) -> bool {
        self.ticket.in_doubt
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

    /// Calls of this account that are charged and not completed.
    #[must_use]
    pub const fn in_flight(&self) -> CallCount {
        self.in_flight
    }

    /// Whether what there is room for may change without a call of this account: calls of others
    /// are in flight, or another process probes a lockout.
    #[must_use]
    pub fn depends_on_others(&self, now: Timestamp) -> bool {
        let others = self.others_in_flight;
        others.of_corp.total() + others.of_other_corps.total() > 0 || self.lockout.is_probed(now)
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
        let in_flight = self.in_flight_in(window);
        let window = &mut self.windows[window as usize];
        window.expire(now);
        window.completed() + window.counted(in_flight)
    }

    /// When `window` has room for one call more; `None` if only a completion can tell.
    #[must_use]
    pub fn frees_at(&self, window: QuotaWindow) -> Option<Timestamp> {
        self.windows[window as usize].frees_at(self.in_flight_in(window))
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
        self.lockout.check_others(now)?;
        let want = if self.lockout.is_active() { 1 } else { want };
        let room = self.room(now, kind)?.min(u64::from(want.max(1)));
        Ok(u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// Charges up to `want` calls of `kind`, each in every window that counts it or in none. During
    /// a lockout that is one, the probe.
    ///
    /// # Errors
    ///
    /// As [`admit`](Self::admit).
    pub fn charge(&mut self, now: Timestamp, kind: CallKind, want: u32) -> Result<Permit, Hold> {
        let calls = self.admit(now, kind, want)?;
        if self.lockout.is_active() {
            self.lockout.probe = Probe::until(now.plus(PROBE));
            self.probes = true;
        }
        let charged = CallCount::of(kind, u64::from(calls));
        self.in_flight.add(charged);
        self.charged.add(charged);
        Ok(Permit::new(kind, calls, now))
    }

    /// Completes one call of `kind`: its charge ages from `now` on.
    pub fn complete(&mut self, now: Timestamp, kind: CallKind) {
        self.complete_many(now, kind, 1);
    }

    /// Completes `calls` calls of `kind`.
    pub fn complete_many(&mut self, now: Timestamp, kind: CallKind, calls: u64) {
        let count = CallCount::of(kind, calls);
        self.leave_flight(count);
        self.completed += calls;
        self.add(now, count);
    }

    /// Takes back calls that were paid for and are not going to be sent.
    pub fn give_back(&mut self, paid: PaidCalls) {
        self.leave_flight(CallCount::of(paid.kind(), u64::from(paid.calls())));
    }

    fn leave_flight(&mut self, calls: CallCount) {
        self.in_flight = self.in_flight.minus(calls);
        self.done.add(calls);
        if self.probes && self.in_flight.total() == 0 {
            // Whatever became of the probe, it is not under way any more.
            self.lockout.probe = Probe::default();
            self.probes = false;
        }
    }

    /// The calls in flight, of whomever `window` counts.
    fn in_flight_in(&self, window: QuotaWindow) -> CallCount {
        let mut all = self.in_flight;
        all.add(self.others_in_flight.of_corp);
        if window.is_of_ip() {
            all.add(self.others_in_flight.of_other_corps);
        }
        if window.is_business() {
            all.add(self.others_in_flight.of_shared);
        }
        all
    }

    /// How many more calls fit in `window`.
    fn room_in(&self, window: &SlidingWindow) -> u64 {
        window.room(self.in_flight_in(window.window()))
    }

    /// How many calls of `kind` fit in every window that counts them; at least one.
    fn room(&mut self, now: Timestamp, kind: CallKind) -> Result<u64, Hold> {
        let one = CallCount::of(kind, 1);
        for window in &mut self.windows {
            window.expire(now);
        }
        let counting = self.windows.iter().filter(|window| window.counted(one) > 0);
        let room = counting.map(|window| self.room_in(window));
        let room = room.min().unwrap_or(u64::MAX);
        if room == 0 {
            return Err(self.full(kind));
        }
        Ok(room)
    }

    fn add(&mut self, at: Timestamp, calls: CallCount) {
        for window in &mut self.windows {
            window.add(at, calls);
        }
        for period in Period::ALL {
            let slot = slot_of(period, at);
            // The last few entries are where the same slot would stand.
            let recent = self.completions.iter_mut().rev().take(Period::ALL.len());
            let mut same = recent.filter(|update| update.period == period && update.slot == slot);
            match same.next() {
                Some(update) => update.calls.add(calls),
                None => self.completions.push(SlotCalls {
                    period,
                    slot,
                    calls,
                }),
            }
        }
    }

    fn full(&self, kind: CallKind) -> Hold {
        let one = CallCount::of(kind, 1);
        let full = self
            .windows
            .iter()
            .filter(|window| window.counted(one) > 0 && self.room_in(window) == 0);
        let frees = full.map(|window| (self.frees_at(window.window()), window.window()));
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

/// For how long the result of another process's probe is awaited: longer than a block of paid calls
/// and the time-out of a call.
const PROBE: Duration = Duration::from_secs(45);
