//! One play of the windows: the ledger's own arithmetic, in chunks.

use std::time::Duration;

use super::ideal::earliest_millis;
use crate::{
    clock::Timestamp,
    model::{Limits, QuotaWindow},
    quota::{CallKind, ForecastInput, Hold, HoldReason, Ledger},
};

/// Steps of one play: 7.5 million calls take a twentieth of it.
const STEPS: u32 = 300_000;
/// The chunks to choose from: all divide the hour's slot of 12 s.
const CHUNK_MILLIS: [i64; 7] = [200, 400, 1_000, 2_000, 4_000, 6_000, 12_000];
/// A job without holds is played in at least about so many chunks.
const CHUNKS: f64 = 300.0;
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
    /// The window that held longest in total; `None` if none did.
    pub binding: Option<QuotaWindow>,
    /// How long each window held, in the order of [`QuotaWindow::ALL`].
    pub held: [Duration; QuotaWindow::COUNT],
    /// The days from now, counted from 0, on which each window held; windows that never did are
    /// left out, and so is what is beyond a simulation that was cut off.
    pub bound_days: Vec<(QuotaWindow, Vec<u32>)>,
    /// The first moment at which the month window holds.
    pub month_wall: Option<Timestamp>,
    /// Calls sent by then, in all; at most 256 points, the first at now, the last at the finish.
    pub done_by: Vec<(Timestamp, u64)>,
    /// Calls not yet sent when the ticket expires; `None` without a ticket that ends.
    pub left_at_ticket_end: Option<u64>,
}

/// The state of a simulation.
pub(super) struct Simulation {
    ledger: Ledger,
    limits: Limits,
    fare: CallKind,
    ticket_until: Option<Timestamp>,
    /// What days are counted from.
    from: Timestamp,
    /// The time in the simulation.
    now: Timestamp,
    /// When the last call was sent.
    last: Timestamp,
    pace: Pace,
    chunk_millis: i64,
    left: u64,
    sent: u64,
    /// Calls sent as the present kind.
    at_fare: u64,
    waits: Waits,
    done_by: Vec<(Timestamp, u64)>,
    left_at_ticket_end: Option<u64>,
}

/// What each window held, in the order of [`QuotaWindow::ALL`].
#[derive(Default)]
struct Waits {
    /// How long.
    held: [Duration; QuotaWindow::COUNT],
    /// On which days.
    bound: [Vec<u32>; QuotaWindow::COUNT],
    /// The first moment at which the month window held.
    month_wall: Option<Timestamp>,
}

/// When the pacer lets calls through.
struct Pace {
    /// When the first call may be sent.
    start: Timestamp,
    /// When the next one may be sent, in milliseconds after `start`.
    paced: f64,
    /// Between two calls, in milliseconds.
    interval: f64,
}

impl Simulation {
    pub(super) fn new(outlook: &ForecastInput, calls: u64) -> Self {
        let from = outlook.now;
        let mut ledger = outlook.ledger.clone();
        let open = ledger.in_flight();
        // Their answers are among those that are wanted.
        let calls = calls.saturating_sub(open.total());
        ledger.complete_many(from, CallKind::Standard, open.standard);
        ledger.complete_many(from, CallKind::WithTicket, open.with_ticket);
        let limits = ledger.limits();
        let interval = interval_millis(&limits, outlook.per_second);
        let start = from.max(outlook.locked_until);
        let is_ticketed = outlook.kind == CallKind::WithTicket;
        Self {
            ledger,
            limits,
            fare: outlook.kind,
            ticket_until: outlook.ticket_until.filter(|_| is_ticketed),
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
            at_fare: 0,
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
            match self.ledger.charge(self.now, self.fare, self.chunk()) {
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
            self.fare = CallKind::Standard;
            self.at_fare = 0;
        }
    }

    /// What the pace allows up to the end of the chunk that now lies in.
    fn chunk(&self) -> u32 {
        let now = self.now.as_millis();
        let end = (now.div_euclid(self.chunk_millis) + 1).saturating_mul(self.chunk_millis);
        let ticket = self.ticket_until.map_or(end, Timestamp::as_millis);
        let millis = end.min(ticket).saturating_sub(now);
        // A float saturates as it is cast: without a pace that is as many as there are.
        let paced = (millis as f64 / self.pace.interval).ceil() as u64;
        u32::try_from(paced.clamp(1, self.left)).unwrap_or(u32::MAX)
    }

    fn send(&mut self, calls: u64) {
        // All of them in the slot of the first: a chunk does not reach over a slot's end.
        self.ledger.complete_many(self.now, self.fare, calls);
        self.ledger.committed();
        let now = self
            .now
            .as_millis()
            .saturating_sub(self.pace.start.as_millis()) as f64;
        // Where only the rounding to a millisecond lies between them, the pace knows better.
        let begin = if now - self.pace.paced < 1.0 {
            self.pace.paced
        } else {
            now
        };
        self.last = self.at((calls - 1) as f64 * self.pace.interval + begin);
        self.pace.paced = calls as f64 * self.pace.interval + begin;
        self.left -= calls;
        self.sent += calls;
        self.at_fare += calls;
        self.mark(self.last);
    }

    fn wait(&mut self, hold: Hold) {
        let until = hold.until.unwrap_or(Timestamp::MAX);
        if let HoldReason::Window(span) = hold.reason {
            self.waits.held[span as usize] =
                self.waits.held[span as usize].saturating_add(until.since(self.now));
            if span == QuotaWindow::BusinessMonth {
                self.waits.month_wall.get_or_insert(self.now);
            }
            self.note_days(span, until);
        }
        self.mark(self.now);
        self.now = until;
    }

    /// The days from now till `until`; a hold without an end counts as a month.
    fn note_days(&mut self, span: QuotaWindow, until: Timestamp) {
        let day = |at: Timestamp| (at.since(self.from).as_secs() / DAY_SECONDS) as u32;
        let first = day(self.now);
        // The moment at which it ends does not belong to it.
        let last = day(Timestamp::from_millis(until.as_millis() - 1)).min(first.saturating_add(31));
        let days = &mut self.waits.bound[span as usize];
        let next = days.last().map_or(first, |known| first.max(known + 1));
        days.extend(next..=last);
    }

    /// Remembers how far it is; every other point goes when there are too many.
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

    /// The play was cut off: the rest by arithmetic.
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

    /// Sends `calls` at the fare in force, without playing it.
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
        // A charge leaves a slot later than its span: a three-hundredth of it.
        let length = |span: QuotaWindow| span.span().as_millis() * 301 / 300;
        let earliest = |calls| earliest_millis(&self.limits, self.fare, calls, length);
        let (before, after) = (earliest(self.at_fare), earliest(self.at_fare + calls));
        let windows = after.unwrap_or(u128::MAX) - before.unwrap_or(0);
        windows.max((calls as f64 * self.pace.interval) as u128)
    }

    /// The most of the calls left that leave within `millis`.
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
            .max_by_key(|span| self.waits.held[*span as usize]);
        let bound = QuotaWindow::ALL.into_iter().zip(self.waits.bound);
        Forecast {
            finish: self.last,
            seconds: self.last.since(self.from).as_millis().div_ceil(1000) as u64,
            binding: longest.filter(|span| !self.waits.held[*span as usize].is_zero()),
            held: self.waits.held,
            bound_days: bound.filter(|(_, days)| !days.is_empty()).collect(),
            month_wall: self.waits.month_wall,
            done_by: self.done_by,
            left_at_ticket_end: self.left_at_ticket_end,
        }
    }
}

/// Between two calls: the pace of the minute limit, or a slower rate that was measured.
pub(super) fn interval_millis(limits: &Limits, per_second: Option<f64>) -> f64 {
    let minute = limits.of(QuotaWindow::BasicMinute);
    let paced = minute.map_or(0.0, |calls| 60_000.0 / calls.max(1) as f64);
    let rate = per_second.filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.map_or(paced, |rate| paced.max(1000.0 / rate))
}

/// The longest chunk of which the job has enough.
fn chunk_millis(interval: f64, calls: u64) -> i64 {
    let most = interval * calls as f64 / CHUNKS;
    let fitting = CHUNK_MILLIS
        .into_iter()
        .rev()
        .find(|chunk| *chunk as f64 <= most);
    fitting.unwrap_or(CHUNK_MILLIS[0])
}

/// Leaves at most `most` points, evenly, the first among them.
fn thin(points: &mut Vec<(Timestamp, u64)>, most: usize) {
    let every = points.len().div_ceil(most).max(1);
    let mut index = 0;
    points.retain(|_| {
        index += 1;
        (index - 1_usize).is_multiple_of(every)
    });
}
