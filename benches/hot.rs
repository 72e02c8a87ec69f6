//! Time of the hot inner parts, each alone: `cargo bench --bench hot`.

mod fixture;

use std::{cell::RefCell, hint::black_box, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fixture::{Fixture, charge_and_complete, full_ledger, read, table};
use idferry::{
    model::{Limits, WindowKind},
    quota::Account,
    wecom::Endpoint,
};

fn windows(bench: &mut Criterion) {
    let (mut account, mut now) = full_ledger();
    bench.bench_function("quota: charge, pay and complete a call", |bench| {
        bench.iter(|| {
            // Three times the published rate, so that slots fill and expire.
            now = now.plus(Duration::from_millis(600));
            charge_and_complete(&mut account, now);
        });
    });
    let mut unlimited = Account::new(Limits::none(), WindowKind::Sliding);
    bench.bench_function("quota: the same without limits", |bench| {
        bench.iter(|| charge_and_complete(&mut unlimited, now));
    });
}

fn errcodes(bench: &mut Criterion) {
    let mut codes = [0, -1, 40013, 45009, 84061, 90454].into_iter().cycle();
    bench.bench_function("wecom: errcode to class", |bench| {
        bench
            .iter(|| Endpoint::LOOKUP.class_of(black_box(codes.next().unwrap_or_default()), false));
    });
}

fn intake(bench: &mut Criterion) {
    let table = table(10_000);
    let mut group = bench.benchmark_group("intake");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("10,000 CSV lines to rows", |bench| {
        bench.iter(|| read(table.path()));
    });
    group.finish();
}

fn commits(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("store");
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(3));
    let fixture = RefCell::new(Fixture::new(1_000_000));
    for rows in [1, 64, 1000] {
        group.throughput(Throughput::Elements(rows.into()));
        group.bench_function(format!("settle and charge {rows}, one commit"), |bench| {
            bench.iter_batched(
                || fixture.borrow_mut().outcomes(rows),
                |settled| fixture.borrow_mut().commit(&settled),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(hot, windows, errcodes, intake, commits);
criterion_main!(hot);
