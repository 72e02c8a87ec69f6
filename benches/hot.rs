//! The hot inner parts, alone: `cargo bench --bench hot`.

mod desk;

use std::{cell::RefCell, hint::black_box, io::Write, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use desk::{Desk, charge_and_land, full_books};
use idferry::{
    intake::{Input, InputLine, ReadOptions, RowReader},
    model::{Limits, WindowKind},
    quota::Ledger,
    wecom::Endpoint,
};

const ID: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";

fn windows(bench: &mut Criterion) {
    let (mut books, mut now) = full_books();
    bench.bench_function("gate: charge, pay and land one call", |bench| {
        bench.iter(|| {
            // Three times the published rate, so that slots come and go as they would.
            now = now.plus(Duration::from_millis(600));
            charge_and_land(&mut books, now);
        });
    });
    let mut nothing = Ledger::new(Limits::none(), WindowKind::Sliding);
    bench.bench_function("gate: the same without limits", |bench| {
        bench.iter(|| charge_and_land(&mut nothing, now));
    });
}

fn errcodes(bench: &mut Criterion) {
    let mut codes = [0, -1, 40013, 45009, 84061, 90454].into_iter().cycle();
    bench.bench_function("wecom: errcode to class", |bench| {
        bench
            .iter(|| Endpoint::LOOKUP.class_of(black_box(codes.next().unwrap_or_default()), false));
    });
}

const LINES: usize = 10_000;

fn intake(bench: &mut Criterion) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    writeln!(file, "unionid,openid").expect("room");
    for _ in 0..LINES {
        writeln!(file, "{ID},{ID}").expect("room");
    }
    let input = Input::Path(file.path().to_owned());
    let mut group = bench.benchmark_group("intake");
    group.throughput(Throughput::Elements(LINES as u64));
    group.bench_function("10,000 CSV lines to rows", |bench| {
        bench.iter(|| {
            let mut rows = RowReader::open(&input, &ReadOptions::default()).expect("a table");
            while let InputLine::Row(row) = rows.next().expect("a line") {
                black_box(row);
            }
        });
    });
    group.finish();
}

fn commits(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("store");
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(3));
    let desk = RefCell::new(Desk::new(1_000_000));
    for rows in [1, 64, 1000] {
        group.throughput(Throughput::Elements(rows.into()));
        group.bench_function(format!("settle and charge {rows}, one commit"), |bench| {
            bench.iter_batched(
                || desk.borrow_mut().outcomes(rows),
                |settled| desk.borrow_mut().commit(&settled),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(hot, windows, errcodes, intake, commits);
criterion_main!(hot);
