//! One process after the other over one disk, and the windows as the remote counts them.

use std::{collections::BTreeMap, sync::atomic::Ordering::Relaxed, time::Duration};

use super::super::limits::{leaves, slot_of};
use super::super::{Account, AccountSnapshot, BLOCK, CallCount, CallKind, SlotCalls};
use crate::clock::{Clock, ClockReading, ClockSkew, LedgerClock, Timestamp};
use crate::model::{Limits, Period, QuotaWindow, WindowKind};

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

/// What a ledger would hold.
#[derive(Default)]
struct Disk {
    slots: BTreeMap<(Period, Timestamp), CallCount>,
    in_flight: CallCount,
    reading: Option<ClockReading>,
    /// Calls of killed processes, and when they land.
    gone: Vec<(Timestamp, CallCount)>,
}

impl Disk {
    fn snapshot(&self) -> AccountSnapshot {
        let slot = |(&(period, slot), &calls)| SlotCalls {
            period,
            slot,
            calls,
        };
        let mut others_in_flight = CallCount::default();
        for (_, calls) in &self.gone {
            others_in_flight.add(*calls);
        }
        AccountSnapshot {
            slots: self.slots.iter().map(slot).collect(),
            ip_slots: self.slots.iter().map(slot).collect(),
            others_in_flight,
            ..AccountSnapshot::default()
        }
    }

    fn add(&mut self, slot: &SlotCalls) {
        let calls = self.slots.entry((slot.period, slot.slot)).or_default();
        calls.add(slot.calls);
    }

    /// Completes the calls of killed processes that have landed by `now`; returns whether any has.
    fn land(&mut self, now: Timestamp) -> bool {
        let landed: Vec<_> = self.gone.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, calls) in &landed {
            for period in Period::ALL {
                self.add(&SlotCalls {
                    period,
                    slot: slot_of(period, now),
                    calls: *calls,
                });
            }
        }
        !landed.is_empty()
    }
}

/// One process after the other, one disk and the remote.
struct LedgerHarness<'a> {
    sequence: &'a OpSequence,
    skew: &'static ClockSkew,
    clock: Clock,
    ledger_clock: LedgerClock,
    account: Account,
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
            account: Account::new(sequence.limits, sequence.window_kind),
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
                self.account.complete(now, call.kind);
                self.counted.push((call.counted, call.kind));
            }
            call.completes > truth
        });
    }

    /// An exchange that charges nothing more.
    fn commit(&mut self) {
        let deltas = self.account.deltas();
        for slot in &deltas.slots {
            self.disk.add(slot);
        }
        self.disk.in_flight.add(deltas.charged);
        self.disk.in_flight = self.disk.in_flight.minus(deltas.done);
        self.account.committed();
        assert_eq!(self.disk.in_flight, self.account.in_flight());
        self.disk.reading = Some(self.ledger_clock.reading());
        if self.disk.land(self.ledger_clock.now()) {
            self.account.refresh(&self.disk.snapshot());
        }
        self.compare_disk();
    }

    /// Memory and disk agree.
    fn compare_disk(&mut self) {
        let now = self.ledger_clock.now();
        for window in QuotaWindow::ALL {
            self.account.used(now, window);
            let live = self.disk.slots.iter().filter(|((period, slot), _)| {
                *period == window.period() && leaves(self.sequence.window_kind, window, *slot) > now
            });
            let in_memory = &self.account.windows()[window as usize];
            let live: u64 = live.map(|(_, calls)| in_memory.counted(*calls)).sum();
            assert_eq!(live, in_memory.completed());
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
        let mut charged = self.account.charge(self.ledger_clock.now(), kind, want);
        if let Err(hold) = charged
            && let Some(until) = hold.until
            && patient
        {
            assert!(until > self.ledger_clock.now(), "a hold that is over");
            self.pass(millis_between(self.ledger_clock.now(), until))
                .await;
            charged = self.account.charge(self.ledger_clock.now(), kind, want);
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
        self.account.give_back(paid_calls);
        self.complete_due();
    }

    fn kill(&mut self, charging: u32) {
        let now = self.ledger_clock.now();
        let before = self.account.clone();
        let _ = self.account.charge(now, CallKind::Standard, charging);
        self.ledger_clock = LedgerClock::resume(self.clock, self.disk.reading);
        assert_eq!(self.ledger_clock.now(), now, "ledger time continues");
        let timeout = Duration::from_millis(self.sequence.timeout_millis.unsigned_abs());
        let in_flight = std::mem::take(&mut self.disk.in_flight);
        self.disk.gone.push((now.plus(BLOCK + timeout), in_flight));
        let (limits, window_kind) = (self.sequence.limits, self.sequence.window_kind);
        self.account = Account::restore(limits, window_kind, &self.disk.snapshot());
        self.abandoned.append(&mut self.in_flight);
        self.compare_memory(before);
    }

    /// After a restart the ledger never holds less than before, now or later.
    fn compare_memory(&self, mut before: Account) {
        let now = self.ledger_clock.now();
        let CallCount {
            standard,
            with_ticket,
        } = before.in_flight();
        before.complete_many(now, CallKind::Standard, standard);
        before.complete_many(now, CallKind::WithTicket, with_ticket);
        let mut after = self.account.clone();
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
            QuotaWindow::BasicMinute | QuotaWindow::IpMinute => "2026-11-22T12:00",
            QuotaWindow::BasicHour | QuotaWindow::BusinessHour | QuotaWindow::IpHour => {
                "2026-11-22T12"
            }
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
