//! One process after the other over one disk, and the remote that judges them.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::super::limits::leaves;
use super::super::{CallKind, InFlight, Ledger, LedgerSnapshot};
use crate::clock::{Clock, ClockReading, ClockSkew, LedgerClock, Timestamp};
use crate::model::{Limits, QuotaWindow, WindowKind};

/// What happens next, some time after what happened last.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Charge, commit, send; `patient` waits for a hold to end, so that the very moment is hit.
    Send {
        fare: CallKind,
        want: u32,
        patient: bool,
        /// How many of the paid calls are sent, 0 to 1; the others are refunded.
        sent: f64,
        /// When the remote counts, and when the answer lands, 0 to 1 of the call time-out.
        counted: f64,
        landed: f64,
    },
    /// Commit what landed.
    Settle,
    /// `kill -9` and start again; with a charge that was never committed.
    Kill { charging: u32 },
    /// Somebody sets the date, by so many steps.
    SetWall(f64),
    /// The lid is closed, for so many steps.
    Suspend(f64),
}

#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) limits: Limits,
    pub(super) counting: WindowKind,
    pub(super) start: Timestamp,
    /// The longest pause between two deeds; what brings minutes, hours, days or months into play.
    pub(super) step_millis: i64,
    pub(super) timeout_millis: i64,
    /// Whether a suspend also stops requests on their way out. The time-out does not count a sleep,
    /// so such a call is counted as late as one time-out after a restart.
    pub(super) sleeping: bool,
    pub(super) deeds: Vec<(f64, Deed)>,
}

/// A call in the air: when the remote counts it and when its answer lands, in the remote's time.
#[derive(Debug, Clone, Copy)]
struct Flight {
    fare: CallKind,
    counted: i64,
    lands: i64,
}

/// What a state file would hold.
#[derive(Default)]
struct Disk {
    slots: BTreeMap<(QuotaWindow, Timestamp), u64>,
    open: InFlight,
    reading: Option<ClockReading>,
}

impl Disk {
    fn books(&self) -> LedgerSnapshot {
        let slot = |(&(span, slot), &calls)| super::super::SlotUpdate { span, slot, calls };
        LedgerSnapshot {
            slots: self.slots.iter().map(slot).collect(),
            open: self.open,
        }
    }
}

/// One process after the other, one disk and the remote.
struct World<'a> {
    story: &'a Story,
    skew: &'static ClockSkew,
    clock: Clock,
    books: LedgerClock,
    ledger: Ledger,
    disk: Disk,
    in_flight: Vec<Flight>,
    /// Calls of processes that are dead.
    orphans: Vec<Flight>,
    counted: Vec<(i64, CallKind)>,
}

impl<'a> World<'a> {
    fn new(story: &'a Story) -> Self {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let clock = Clock::starting_at(story.start).skewed(skew);
        let mut world = Self {
            story,
            skew,
            clock,
            books: LedgerClock::resume(clock, None),
            ledger: Ledger::new(story.limits, story.counting),
            disk: Disk::default(),
            in_flight: Vec::new(),
            orphans: Vec::new(),
            counted: Vec::new(),
        };
        world.commit();
        world
    }

    /// The remote's time, which nobody sets.
    fn truth(&self) -> i64 {
        self.clock.monotonic().millis
    }

    async fn pass(&mut self, millis: i64) {
        let until = self.truth() + millis.max(0);
        while let Some(next) = self.next_landing().filter(|next| *next <= until) {
            self.advance_to(next).await;
            self.land_due();
        }
        self.advance_to(until).await;
    }

    async fn advance_to(&self, at: i64) {
        let millis = u64::try_from(at - self.truth()).unwrap_or(0);
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    fn next_landing(&self) -> Option<i64> {
        self.in_flight.iter().map(|flight| flight.lands).min()
    }

    fn land_due(&mut self) {
        let (truth, now) = (self.truth(), self.books.now());
        self.in_flight.retain(|flight| {
            if flight.lands <= truth {
                self.ledger.land(now, flight.fare);
                self.counted.push((flight.counted, flight.fare));
            }
            flight.lands > truth
        });
    }

    fn commit(&mut self) {
        let deltas = self.ledger.deltas();
        for change in deltas.slots {
            let slot = (change.span, change.slot);
            *self.disk.slots.entry(slot).or_default() += change.calls;
        }
        let open = &mut self.disk.open;
        open.standard = open.standard.strict_add_signed(deltas.standard);
        open.with_ticket = open.with_ticket.strict_add_signed(deltas.with_ticket);
        self.ledger.committed();
        assert_eq!(self.disk.open, self.ledger.open());
        self.disk.reading = Some(self.books.reading());
        self.compare_disk();
    }

    /// Memory and disk agree.
    fn compare_disk(&mut self) {
        let now = self.books.now();
        for span in QuotaWindow::ALL {
            self.ledger.used(now, span);
            let live = self.disk.slots.iter().filter(|((of, slot), _)| {
                *of == span && leaves(self.story.counting, span, *slot) > now
            });
            let live: u64 = live.map(|(_, calls)| calls).sum();
            assert_eq!(live, self.ledger.windows()[span as usize].completed());
        }
    }

    async fn act(&mut self, deed: &Deed) {
        let step = self.story.step_millis;
        match *deed {
            Deed::Send { fare, want, .. } => self.send(fare, want, deed).await,
            Deed::Settle => self.commit(),
            Deed::Kill { charging } => self.kill(charging),
            Deed::SetWall(steps) => {
                if self.story.counting == WindowKind::Sliding {
                    self.skew.wall.fetch_add(share(steps, step), Relaxed);
                }
            }
            Deed::Suspend(steps) => self.suspend(share(steps, step)),
        }
    }

    fn suspend(&mut self, millis: i64) {
        let asleep = self.truth();
        self.skew.suspended.fetch_add(millis, Relaxed);
        for flight in &mut self.in_flight {
            if self.story.sleeping && flight.counted > asleep {
                flight.counted += millis;
                flight.lands += millis;
            }
        }
        self.land_due();
    }

    async fn send(&mut self, fare: CallKind, want: u32, deed: &Deed) {
        let &Deed::Send {
            patient,
            sent,
            counted,
            landed,
            ..
        } = deed
        else {
            return;
        };
        let mut charged = self.ledger.charge(self.books.now(), fare, want);
        if let Err(hold) = charged
            && let Some(until) = hold.until
            && patient
        {
            assert!(until > self.books.now(), "a hold that is over");
            self.pass(millis_between(self.books.now(), until)).await;
            charged = self.ledger.charge(self.books.now(), fare, want);
        }
        let Ok(permit) = charged else { return };
        self.commit();
        let Ok(mut purse) = permit.pay(|| Ok::<(), ()>(())) else {
            return;
        };
        let now = self.truth();
        let timeout = self.story.timeout_millis;
        for _ in 0..share(sent, i64::from(purse.calls())) {
            let paid = purse.take().expect("no more is sent than was paid");
            let landing = share(landed, timeout);
            self.in_flight.push(Flight {
                fare: paid.kind(),
                counted: now + share(counted, landing),
                lands: now + landing,
            });
        }
        self.ledger.give_back(purse);
        self.land_due();
    }

    fn kill(&mut self, charging: u32) {
        let now = self.books.now();
        let before = self.ledger.clone();
        let _ = self.ledger.charge(now, CallKind::Standard, charging);
        self.books = LedgerClock::resume(self.clock, self.disk.reading);
        assert_eq!(self.books.now(), now, "the books go on");
        let books = self.disk.books();
        let timeout = Duration::from_millis(self.story.timeout_millis.unsigned_abs());
        let (limits, counting) = (self.story.limits, self.story.counting);
        self.ledger = Ledger::restore(limits, counting, &books, now.plus(timeout));
        self.orphans.append(&mut self.in_flight);
        self.compare_memory(before);
    }

    /// After a restart the books never hold less than before, now or later.
    fn compare_memory(&self, mut before: Ledger) {
        let now = self.books.now();
        let InFlight {
            standard,
            with_ticket,
        } = before.open();
        before.land_many(now, CallKind::Standard, standard);
        before.land_many(now, CallKind::WithTicket, with_ticket);
        let mut after = self.ledger.clone();
        for span in QuotaWindow::ALL {
            for part in 0..=8 {
                let at = now.plus(span.span() * part / 8);
                assert!(after.used(at, span) >= before.used(at, span), "{span}");
            }
        }
    }

    /// No window is ever exceeded.
    fn judge(mut self) {
        for flight in self.in_flight.iter().chain(&self.orphans) {
            self.counted.push((flight.counted, flight.fare));
        }
        self.counted.sort_unstable_by_key(|(at, _)| *at);
        for span in QuotaWindow::ALL {
            let Some(limit) = self.story.limits.of(span) else {
                continue;
            };
            let counts = self.counted.iter().filter(|(_, fare)| fare.counts_in(span));
            let times: Vec<i64> = counts.map(|(at, _)| *at).collect();
            let peak = match self.story.counting {
                WindowKind::Sliding => sliding_peak(&times, span),
                WindowKind::Calendar => calendar_peak(&times, span),
            };
            assert!(peak <= limit, "{span}: {peak} of {limit} in {times:?}");
        }
    }
}

/// The most calls in any span, both of its ends included.
fn sliding_peak(times: &[i64], span: QuotaWindow) -> u64 {
    let within = |last: &i64| {
        let first = last - i64::try_from(span.span().as_millis()).unwrap();
        times
            .iter()
            .filter(|at| (first..=*last).contains(at))
            .count() as u64
    };
    times.iter().map(within).max().unwrap_or(0)
}

/// The most calls in any natural minute, hour, day or month at +08:00.
fn calendar_peak(times: &[i64], span: QuotaWindow) -> u64 {
    let mut windows: BTreeMap<String, u64> = BTreeMap::new();
    for at in times {
        let written = Timestamp::from_millis(*at).rfc3339();
        let named = match span {
            QuotaWindow::BasicMinute => "2026-11-22T12:00",
            QuotaWindow::BasicHour | QuotaWindow::BusinessHour => "2026-11-22T12",
            QuotaWindow::BusinessDay => "2026-11-22",
            QuotaWindow::BusinessMonth => "2026-11",
        };
        *windows
            .entry(written[..named.len()].to_owned())
            .or_default() += 1;
    }
    windows.into_values().max().unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
pub(super) fn share(part: f64, of: i64) -> i64 {
    (part * of as f64).round() as i64
}

fn millis_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millis() - from.as_millis()
}

pub(super) fn play(story: &Story) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(story);
        for (pause, deed) in &story.deeds {
            world.pass(share(*pause, story.step_millis)).await;
            world.act(deed).await;
        }
        world.judge();
    });
}
