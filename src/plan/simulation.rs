//! One simulation of the windows: the arithmetic of the quota account itself, in chunks.

use std::time::Duration;

use super::ideal::earliest_millis;
use crate::{
    clock::Timestamp,
    model::{Limits, QuotaWindow},
    quota::{Account, CallKind, ForecastInput, Hold, HoldReason},
};

/// The most steps of a simulation; 7.5 million calls take a twentieth of it.
const STEPS: u32 = 300_000;
/// The chunks to choose from; all divide the slot of an hour window, 12 s.
const CHUNK_MILLIS: [i64; 7] = [200, 400, 1_000, 2_000, 4_000, 6_000, 12_000];
/// A job without holds is simulated in about as many chunks or more.
const LEAST_CHUNKS: f64 = 300.0;
/// The most points of [`Forecast::done_by`].
const POINTS: usize = 256;
const DAY_SECONDS: u64 = 86_400;

/// When a job is done, and what it waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// When the last call is sent, in ledger time; `Timestamp::MAX` for never.
    pub finish: Timestamp,
    /// From now until then, rounded up.
    pub seconds: u64,
    /// The window that held calls for the longest time in total; `None` if none did.
    pub binding: Option<QuotaWindow>,
    /// How long each window held calls, in the order of [`QuotaWindow::ALL`].
    pub held: [Duration; QuotaWindow::COUNT],
    /// The days from now, counted from 0, on which each window held calls, without windows that
    /// never did and without days that were extrapolated.
    pub bound_days: Vec<(QuotaWindow, Vec<u32>)>,
    /// When the month window first holds calls.
    pub month_wall: Option<Timestamp>,
    /// Times, and all calls sent by then: at most 256 points, the first now, the last at the finish.
    pub done_by: Vec<(Timestamp, u64)>,
    /// Calls not yet sent when the ticket expires; `None` without a ticket that ends.
    pub left_at_ticket_end: Option<u64>,
}

pub(super) struct Simulation {
    account: Account,
    limits: Limits,
    kind: CallKind,
    ticket_until: Option<Timestamp>,
    /// Where days are counted from.
    from: Timestamp,
    now: Timestamp,
    /// When the last call was sent.
    last: Timestamp,
    pace: Pace,
    chunk_millis: i64,
    left: u64,
    sent: u64,
    /// Calls sent as calls of this kind.
    sent_as_kind: u64,
    waits: Waits,
    done_by: Vec<(Timestamp, u64)>,
    left_at_ticket_end: Option<u64>,
}

/// What the windows held, each in the order of [`QuotaWindow::ALL`].
#[derive(Default)]
struct Waits {
    /// How long each one did.
    held: [Duration; QuotaWindow::COUNT],
    /// The days on which each one did.
    bound: [Vec<u32>; QuotaWindow::COUNT],
    /// When the month window first did.
    month_wall: Option<Timestamp>,
}

/// When the pacer admits calls.
struct Pace {
    /// When the first call may be sent.
    start: Timestamp,
    /// When the next one may be sent, in milliseconds after `start`.
    paced: f64,
    /// The time between two calls, in milliseconds.
    interval: f64,
}

impl Simulation {
    pub(super) fn new(input: &ForecastInput, calls: u64) -> Self {
        let from = input.now;
        let mut account = input.account.clone();
        // The simulation begins after it.
        account.clear_lockout(input.locked_until);
        let open = account.in_flight();
        // Their answers count among the calls to make.
        let calls = calls.saturating_sub(open.total());
        account.complete_many(from, CallKind::Standard, open.standard);
        account.complete_many(from, CallKind::WithTicket, open.with_ticket);
        let limits = account.limits();
        let interval = interval_millis(&limits, input.per_second);
        let start = from.max(input.locked_until);
        let has_ticket = input.kind == CallKind::WithTicket;
        Self {
            account,
            limits,
            kind: input.kind,
            ticket_until: input.ticket_until.filter(|_| has_ticket),
            from,
            pace: Pace {
                start,
                paced: 0.0,
                interval,
            },
            now: start,
            last: from,
            chunk_millis: chunk_millis(interval, calls),
            left: calls,
            sent: 0,
            sent_as_kind: 0,
            waits: Waits::default(),
            done_by: vec![(from, 0)],
            left_at_ticket_end: None,
        }
    }

    pub(super) fn run(&mut self) {
        for _ in 0..STEPS {
            if self.left == 0 {
                return;
            }
            self.now = self.now.max(self.at(self.pace.paced));
            if self.now == Timestamp::MAX {
                self.last = Timestamp::MAX;
                return;
            }
            self.expire_ticket();
            match self.account.charge(self.now, self.kind, self.chunk()) {
                Ok(permit) => self.send(u64::from(permit.calls())),
                Err(hold) => self.wait(hold),
            }
        }
        self.extrapolate();
    }

    fn expire_ticket(&mut self) {
        if self.ticket_until.is_some_and(|until| self.now >= until) {
            self.ticket_until = None;
            self.left_at_ticket_end = Some(self.left);
            self.kind = CallKind::Standard;
            self.sent_as_kind = 0;
        }
    }

    /// Returns the calls that the pace allows up to the end of the present chunk.
    fn chunk(&self) -> u32 {
        let now = self.now.as_millis();
        let end = (now.div_euclid(self.chunk_millis) + 1).saturating_mul(self.chunk_millis);
        let ticket = self.ticket_until.map_or(end, Timestamp::as_millis);
        let millis = end.min(ticket).saturating_sub(now);
        // The cast saturates: without a pace that is as many calls as are left.
        let paced = (millis as f64 / self.pace.interval).ceil() as u64;
        u32::try_from(paced.clamp(1, self.left)).unwrap_or(u32::MAX)
    }

    fn send(&mut self, calls: u64) {
        // All in the slot of the first: a chunk ends where a slot ends.
        self.account.complete_many(self.now, self.kind, calls);
        self.account.committed();
        let now = self
            .now
            .as_millis()
            .saturating_sub(self.pace.start.as_millis()) as f64;
        // Within the rounding to a millisecond the pace is more exact.
        let begin = if now - self.pace.paced < 1.0 {
            self.pace.paced
        } else {
            now
        };
        self.last = self.at((calls - 1) as f64 * self.pace.interval + begin);
        self.pace.paced = calls as f64 * self.pace.interval + begin;
        self.left -= calls;
        self.sent += calls;
        self.sent_as_kind += calls;
        self.mark(self.last);
    }

    fn wait(&mut self, hold: Hold) {
        let until = hold.until.unwrap_or(Timestamp::MAX);
        if let HoldReason::Window(window) = hold.reason {
            let held = &mut self.waits.held[window as usize];
            *held = held.saturating_add(until.since(self.now));
            if window == QuotaWindow::BusinessMonth {
                self.waits.month_wall.get_or_insert(self.now);
            }
            self.note_days(window, until);
        }
        self.mark(self.now);
        self.now = until;
    }

    /// Adds the days from now until `until`, at most 31.
    fn note_days(&mut self, window: QuotaWindow, until: Timestamp) {
        let day = |at: Timestamp| (at.since(self.from).as_secs() / DAY_SECONDS) as u32;
        let first = day(self.now);
        // The moment at which it ends does not belong to it.
        let last = day(Timestamp::from_millis(until.as_millis() - 1)).min(first.saturating_add(31));
        let days = &mut self.waits.bound[window as usize];
        let next = days.last().map_or(first, |known| first.max(known + 1));
        days.extend(next..=last);
    }

    /// Adds a point to `done_by`, which loses every other point when it is full.
    fn mark(&mut self, at: Timestamp) {
        if self.done_by.len() >= 16 * POINTS {
            thin(&mut self.done_by, 8 * POINTS);
        }
        self.done_by.push((at, self.sent));
    }

    fn at(&self, millis: f64) -> Timestamp {
        Timestamp::from_millis(
            self.pace
                .start
                .as_millis()
                .saturating_add(millis.ceil() as i64),
        )
    }

    /// Computes what is left when the steps are used up.
    fn extrapolate(&mut self) {
        if let Some(until) = self.ticket_until {
            let sent = self.most_within(until.since(self.now).as_millis());
            self.skip(sent);
            if self.left > 0 {
                self.now = until;
                self.expire_ticket();
            }
        }
        self.skip(self.left);
    }

    /// Sends `calls` of the present kind without simulating them.
    fn skip(&mut self, calls: u64) {
        if calls == 0 {
            return;
        }
        let millis = i64::try_from(self.millis_for(calls)).unwrap_or(i64::MAX);
        self.now = Timestamp::from_millis(self.now.as_millis().saturating_add(millis));
        self.last = self.now;
        self.left -= calls;
        self.sent += calls;
        self.mark(self.now);
    }

    fn millis_for(&self, calls: u64) -> u128 {
        // A charge leaves its window up to one slot late: a three-hundredth of its length.
        let length = |window: QuotaWindow| window.span().as_millis() * 301 / 300;
        let earliest = |calls| earliest_millis(&self.limits, self.kind, calls, length);
        let (before, after) = (
            earliest(self.sent_as_kind),
            earliest(self.sent_as_kind + calls),
        );
        let windows = after.unwrap_or(u128::MAX) - before.unwrap_or(0);
        windows.max((calls as f64 * self.pace.interval) as u128)
    }

    /// Returns how many of the calls left can be sent within `millis`.
    fn most_within(&self, millis: u128) -> u64 {
        let (mut fit, mut too_many) = (0, self.left.saturating_add(1));
        while too_many - fit > 1 {
            let middle = fit + (too_many - fit) / 2;
            if self.millis_for(middle) <= millis {
                fit = middle;
            } else {
                too_many = middle;
            }
        }
        fit
    }

    pub(super) fn forecast(mut self) -> Forecast {
        if self.ticket_until.is_some() {
            self.left_at_ticket_end = Some(self.left);
        }
        thin(&mut self.done_by, POINTS - 1);
        self.done_by.push((self.last, self.sent));
        let longest = QuotaWindow::ALL
            .into_iter()
            .max_by_key(|window| self.waits.held[*window as usize]);
        let bound = QuotaWindow::ALL.into_iter().zip(self.waits.bound);
        Forecast {
            finish: self.last,
            seconds: self.last.since(self.from).as_millis().div_ceil(1000) as u64,
            binding: longest.filter(|window| !self.waits.held[*window as usize].is_zero()),
            held: self.waits.held,
            bound_days: bound.filter(|(_, days)| !days.is_empty()).collect(),
            month_wall: self.waits.month_wall,
            done_by: self.done_by,
            left_at_ticket_end: self.left_at_ticket_end,
        }
    }
}

/// Returns the milliseconds between two calls: the pace of the minute limit, or a slower measured
/// rate.
pub(super) fn interval_millis(limits: &Limits, per_second: Option<f64>) -> f64 {
    let minute = limits.of(QuotaWindow::BasicMinute);
    let paced = minute.map_or(0.0, |calls| 60_000.0 / calls.max(1) as f64);
    let rate = per_second.filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.map_or(paced, |rate| paced.max(1000.0 / rate))
}

/// Returns the longest chunk of which the job has enough.
fn chunk_millis(interval: f64, calls: u64) -> i64 {
    let most = interval * calls as f64 / LEAST_CHUNKS;
    let fitting = CHUNK_MILLIS
        .into_iter()
        .rev()
        .find(|chunk| *chunk as f64 <= most);
    fitting.unwrap_or(CHUNK_MILLIS[0])
}

/// Removes points evenly until at most `most` are left; the first one stays.
fn thin(points: &mut Vec<(Timestamp, u64)>, most: usize) {
    let every = points.len().div_ceil(most).max(1);
    let mut index = 0;
    points.retain(|_| {
        index += 1;
        (index - 1_usize).is_multiple_of(every)
    });
}
