//! What the windows promise, whatever happens: the remote's own count, kept to the millisecond
//! and by brute force, compared with the ledger through restarts, suspends and set clocks.

mod harness;

use std::time::Duration;

use proptest::prelude::*;

use self::harness::{Op, OpSequence, run, share};
use super::{Account, CallKind};
use crate::clock::Timestamp;
use crate::model::{Limits, QuotaWindow, WindowKind};

/// The ends are where the errors are.
fn part() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..1.0]
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop_oneof![3 => Just(CallKind::Standard), 1 => Just(CallKind::WithTicket)];
    let send = (kind, 1_u32..16, any::<bool>(), part(), part(), part());
    let send = send.prop_map(|(kind, want, patient, sent, counted, completed)| Op::Send {
        kind,
        want,
        patient,
        sent: if sent == 0.0 { 1.0 } else { sent },
        counted,
        completed,
    });
    prop_oneof![
        12 => send,
        2 => Just(Op::Settle),
        2 => (0_u32..8).prop_map(|charging| Op::Kill { charging }),
        1 => (-3.0..3.0).prop_map(Op::SetWall),
        1 => part().prop_map(Op::Suspend),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let limit = proptest::option::weighted(0.7, 1_u64..12);
    proptest::array::uniform7(limit).prop_map(Limits::from)
}

fn sequence() -> impl Strategy<Value = OpSequence> {
    let scale = prop_oneof![
        Just(QuotaWindow::BasicMinute),
        Just(QuotaWindow::BasicHour),
        Just(QuotaWindow::BusinessDay),
        Just(QuotaWindow::BusinessMonth)
    ];
    let window_kind = prop_oneof![2 => Just(WindowKind::Sliding), 1 => Just(WindowKind::Calendar)];
    let begins = 0_i64..40 * 86_400_000;
    let ops = proptest::collection::vec((part(), op()), 1..60);
    let pace = (2_i64..40, 1.0_f64..30.0);
    let windows = (limits(), window_kind, scale);
    let parts = (windows, pace, begins, any::<bool>(), ops);
    parts.prop_map(|(windows, pace, begins, sleeping, ops)| {
        let (limits, window_kind, scale) = windows;
        let length = i64::try_from(scale.span().as_millis()).unwrap();
        OpSequence {
            limits,
            window_kind,
            start: Timestamp::from_millis(1_795_320_000_000 + begins),
            step_millis: length / pace.0,
            timeout_millis: share(1.0 / pace.1, length),
            sleeping,
            ops,
        }
    })
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn no_window_is_exceeded_and_no_restart_forgets(sequence in sequence()) {
        run(&sequence);
    }
}

/// The machine is suspended with a request that has not left, wakes, and the process is killed
/// before it commits again.
#[test]
fn request_suspended_past_its_time_out_counts_after_a_restart() {
    let limits = Limits::none().with(QuotaWindow::BasicMinute, Some(1));
    let send = |patient| Op::Send {
        kind: CallKind::Standard,
        want: 1,
        patient,
        sent: 1.0,
        counted: 1.0,
        completed: 1.0,
    };
    run(&OpSequence {
        limits,
        window_kind: WindowKind::Sliding,
        start: Timestamp::from_millis(1_795_320_000_000),
        step_millis: 50_000,
        timeout_millis: 5_000,
        sleeping: true,
        ops: vec![
            (0.0, send(false)),
            (0.0, Op::Suspend(1.0)),
            (0.0, Op::Kill { charging: 0 }),
            (0.0, send(true)),
        ],
    });
}

/// Returns the calls that a greedy caller sends from the first span's end on, for `spans` spans,
/// under one limit; each burst completes after the next of `latencies_millis`.
fn greed(span: QuotaWindow, limit: u64, latencies_millis: &[i64], spans: u32) -> u64 {
    let limits = Limits::none().with(span, Some(limit));
    let mut account = Account::new(limits, WindowKind::Sliding);
    let start = Timestamp::from_millis(1_795_320_000_000);
    let (from, end) = (
        start.plus(span.span()),
        start.plus(span.span() * (spans + 1)),
    );
    let mut latencies = latencies_millis.iter().cycle();
    let mut in_flight: Vec<(Timestamp, u64)> = Vec::new();
    let (mut now, mut sent) = (start, 0);
    while now < end {
        in_flight.retain(|(completes, calls)| {
            if *completes <= now {
                account.complete_many(now, CallKind::Standard, *calls);
            }
            *completes > now
        });
        let completion = in_flight.iter().map(|(completes, _)| *completes).min();
        match account.charge(now, CallKind::Standard, u32::MAX) {
            Ok(permit) => {
                let calls = u64::from(permit.calls());
                let latency = latencies.next().copied().unwrap_or(0).unsigned_abs();
                in_flight.push((now.plus(Duration::from_millis(latency)), calls));
                sent += if now >= from { calls } else { 0 };
            }
            Err(hold) => {
                let next = hold.until.into_iter().chain(completion);
                now = next.min().unwrap();
            }
        }
    }
    sent
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn greed_uses_all_but_three_hundredths_of_a_limit(
        span in proptest::sample::select(QuotaWindow::ALL.to_vec()),
        limit in prop_oneof![Just(1_u64), 2_u64..50, Just(9_800), 100_u64..500_000],
        latencies_millis in proptest::collection::vec(0_i64..=1000, 1..8),
    ) {
        let spans = 60;
        let sent = greed(span, limit, &latencies_millis, spans);
        let ideal = limit * u64::from(spans);
        prop_assert!(sent * 100 >= ideal * 97, "{sent} of {ideal}");
    }
}
