//! One process after the other over one disk, and the windows as the remote counts them.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::super::limits::leaves;
use super::super::{CallKind, InFlight, Ledger, LedgerSnapshot, Lockout, SlotUpdate};
use crate::clock::{Clock, ClockReading, ClockSkew, LedgerClock, Timestamp};
use crate::model::{Limits, QuotaWindow, WindowKind};

/// What happens next, some time after what happened last.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// Charge, commit, send; `patient` waits for a hold to end, so that the very moment is hit.
    Send {
        kind: CallKind,
        want: u32,
        patient: bool,
        /// How many of the paid calls are sent, 0 to 1; the others are refunded.
        sent: f64,
        /// When the remote counts, and when the answer completes, 0 to 1 of the call time-out.
        counted: f64,
        completed: f64,
    },
    /// Commit what completed.
    Settle,
    /// `kill -9` and start again; with a charge that was never committed.
    Kill { charging: u32 },
    /// The date is set, by so many steps.
    SetWall(f64),
    /// The machine is suspended, for so many steps.
    Suspend(f64),
}

#[derive(Debug, Clone)]
pub(super) struct OpSequence {
    pub(super) limits: Limits,
    pub(super) window_kind: WindowKind,
    pub(super) start: Timestamp,
    /// The longest pause between two ops; what tells whether minutes, hours, days or months turn.
    pub(super) step_millis: i64,
    pub(super) timeout_millis: i64,
    /// Whether a suspend also stops requests on their way out. The time-out does not count a sleep,
    /// so such a call is counted as late as one time-out after a restart.
    pub(super) sleeping: bool,
    pub(super) ops: Vec<(f64, Op)>,
}

/// A call in flight: when the remote counts it and when it completes, in the remote's time.
#[derive(Debug, Clone, Copy)]
struct SimulatedCall {
    kind: CallKind,
    counted: i64,
    completes: i64,
}

/// What a job file would hold.
#[derive(Default)]
struct Disk {
    slots: BTreeMap<(QuotaWindow, Timestamp), u64>,
    in_flight: InFlight,
    reading: Option<ClockReading>,
}

impl Disk {
    fn snapshot(&self) -> LedgerSnapshot {
        let slot = |(&(window, slot), &calls)| SlotUpdate {
            window,
            slot,
            calls,
        };
        LedgerSnapshot {
            slots: self.slots.iter().map(slot).collect(),
            in_flight: self.in_flight,
            lockout: Lockout::default(),
        }
    }
}

/// One process after the other, one disk and the remote.
struct LedgerHarness<'a> {
    sequence: &'a OpSequence,
    skew: &'static ClockSkew,
    clock: Clock,
    ledger_clock: LedgerClock,
    ledger: Ledger,
    disk: Disk,
    in_flight: Vec<SimulatedCall>,
    /// Calls of killed processes.
    abandoned: Vec<SimulatedCall>,
    counted: Vec<(i64, CallKind)>,
}

impl<'a> LedgerHarness<'a> {
    fn new(sequence: &'a OpSequence) -> Self {
        let skew: &'static ClockSkew = Box::leak(Box::default());
        let clock = Clock::starting_at(sequence.start).skewed(skew);
        let mut harness = Self {
            sequence,
            skew,
            clock,
            ledger_clock: LedgerClock::resume(clock, None),
            ledger: Ledger::new(sequence.limits, sequence.window_kind),
            disk: Disk::default(),
            in_flight: Vec::new(),
            abandoned: Vec::new(),
            counted: Vec::new(),
        };
        harness.commit();
        harness
    }

    /// The remote's time, which no [`Op`] sets.
    fn truth(&self) -> i64 {
        self.clock.monotonic().millis
    }

    async fn pass(&mut self, millis: i64) {
        let until = self.truth() + millis.max(0);
        while let Some(next) = self.next_completion().filter(|next| *next <= until) {
            self.advance_to(next).await;
            self.complete_due();
        }
        self.advance_to(until).await;
    }

    async fn advance_to(&self, at: i64) {
        let millis = u64::try_from(at - self.truth()).unwrap_or(0);
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    fn next_completion(&self) -> Option<i64> {
        self.in_flight.iter().map(|call| call.completes).min()
    }

    fn complete_due(&mut self) {
        let (truth, now) = (self.truth(), self.ledger_clock.now());
        self.in_flight.retain(|call| {
            if call.completes <= truth {
                self.ledger.complete(now, call.kind);
                self.counted.push((call.counted, call.kind));
            }
            call.completes > truth
        });
    }

    fn commit(&mut self) {
        let deltas = self.ledger.deltas();
        for change in deltas.slots {
            let slot = (change.window, change.slot);
            *self.disk.slots.entry(slot).or_default() += change.calls;
        }
        let disk = &mut self.disk.in_flight;
        disk.standard = disk.standard.strict_add_signed(deltas.standard);
        disk.with_ticket = disk.with_ticket.strict_add_signed(deltas.with_ticket);
        self.ledger.committed();
        assert_eq!(self.disk.in_flight, self.ledger.in_flight());
        self.disk.reading = Some(self.ledger_clock.reading());
        self.compare_disk();
    }

    /// Memory and disk agree.
    fn compare_disk(&mut self) {
        let now = self.ledger_clock.now();
        for span in QuotaWindow::ALL {
            self.ledger.used(now, span);
            let live = self.disk.slots.iter().filter(|((of, slot), _)| {
                *of == span && leaves(self.sequence.window_kind, span, *slot) > now
            });
            let live: u64 = live.map(|(_, calls)| calls).sum();
            assert_eq!(live, self.ledger.windows()[span as usize].completed());
        }
    }

    async fn act(&mut self, op: &Op) {
        let step = self.sequence.step_millis;
        match *op {
            Op::Send { kind, want, .. } => self.send(kind, want, op).await,
            Op::Settle => self.commit(),
            Op::Kill { charging } => self.kill(charging),
            Op::SetWall(steps) => {
                if self.sequence.window_kind == WindowKind::Sliding {
                    self.skew.wall.fetch_add(share(steps, step), Relaxed);
                }
            }
            Op::Suspend(steps) => self.suspend(share(steps, step)),
        }
    }

    fn suspend(&mut self, millis: i64) {
        let asleep = self.truth();
        self.skew.suspended.fetch_add(millis, Relaxed);
        for call in &mut self.in_flight {
            if self.sequence.sleeping && call.counted > asleep {
                call.counted += millis;
                call.completes += millis;
            }
        }
        self.complete_due();
    }

    async fn send(&mut self, kind: CallKind, want: u32, op: &Op) {
        let &Op::Send {
            patient,
            sent,
            counted,
            completed,
            ..
        } = op
        else {
            return;
        };
        let mut charged = self.ledger.charge(self.ledger_clock.now(), kind, want);
        if let Err(hold) = charged
            && let Some(until) = hold.until
            && patient
        {
            assert!(until > self.ledger_clock.now(), "a hold that is over");
            self.pass(millis_between(self.ledger_clock.now(), until))
                .await;
            charged = self.ledger.charge(self.ledger_clock.now(), kind, want);
        }
        let Ok(permit) = charged else { return };
        self.commit();
        let Ok(mut paid_calls) = permit.pay(|| Ok::<(), ()>(())) else {
            return;
        };
        let now = self.truth();
        let timeout = self.sequence.timeout_millis;
        for _ in 0..share(sent, i64::from(paid_calls.calls())) {
            let paid = paid_calls.take().expect("no more is sent than was paid");
            let completion = share(completed, timeout);
            self.in_flight.push(SimulatedCall {
                kind: paid.kind(),
                counted: now + share(counted, completion),
                completes: now + completion,
            });
        }
        self.ledger.give_back(paid_calls);
        self.complete_due();
    }

    fn kill(&mut self, charging: u32) {
        let now = self.ledger_clock.now();
        let before = self.ledger.clone();
        let _ = self.ledger.charge(now, CallKind::Standard, charging);
        self.ledger_clock = LedgerClock::resume(self.clock, self.disk.reading);
        assert_eq!(self.ledger_clock.now(), now, "ledger time continues");
        let snapshot = self.disk.snapshot();
        let timeout = Duration::from_millis(self.sequence.timeout_millis.unsigned_abs());
        let (limits, window_kind) = (self.sequence.limits, self.sequence.window_kind);
        self.ledger = Ledger::restore(limits, window_kind, &snapshot, now.plus(timeout));
        self.abandoned.append(&mut self.in_flight);
        self.compare_memory(before);
    }

    /// After a restart the ledger never holds less than before, now or later.
    fn compare_memory(&self, mut before: Ledger) {
        let now = self.ledger_clock.now();
        let InFlight {
            standard,
            with_ticket,
        } = before.in_flight();
        before.complete_many(now, CallKind::Standard, standard);
        before.complete_many(now, CallKind::WithTicket, with_ticket);
        let mut after = self.ledger.clone();
        for span in QuotaWindow::ALL {
            for part in 0..=8 {
                let at = now.plus(span.span() * part / 8);
                assert!(after.used(at, span) >= before.used(at, span), "{span}");
            }
        }
    }

    /// No window is ever exceeded.
    fn check_windows(mut self) {
        for call in self.in_flight.iter().chain(&self.abandoned) {
            self.counted.push((call.counted, call.kind));
        }
        self.counted.sort_unstable_by_key(|(at, _)| *at);
        for span in QuotaWindow::ALL {
            let Some(limit) = self.sequence.limits.of(span) else {
                continue;
            };
            let counts = self.counted.iter().filter(|(_, kind)| kind.counts_in(span));
            let times: Vec<i64> = counts.map(|(at, _)| *at).collect();
            let peak = match self.sequence.window_kind {
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

pub(super) fn run(sequence: &OpSequence) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut harness = LedgerHarness::new(sequence);
        for (pause, op) in &sequence.ops {
            harness.pass(share(*pause, sequence.step_millis)).await;
            harness.act(op).await;
        }
        harness.check_windows();
    });
}
