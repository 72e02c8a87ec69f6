//! The hot inner parts, alone: `cargo bench --bench hot`.

use std::{hint::black_box, io::Write, time::Duration};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use idferry::{
    clock::{Chronometer, Clock, Reading, Timestamp},
    gate::{Block, Counting, Fare, Ledger, Limits, Quota},
    intake::{Input, Line, Options, Rows},
    model::{Link, Outcome, Row, State, SubjectId},
    runner::begin,
    store::{Batch, Progress, RunId, Settled, Store},
    wecom::{Call, errcode::class_of},
};

const ID: &str = "oAbCdEfGhIjKlMnOpQrStUvWxYz0";

/// Books as they are in the second week: every slot of every window holds something.
fn full_books() -> (Ledger, Timestamp) {
    let limits = Quota::default().allowed();
    let mut books = Ledger::new(limits, Counting::Sliding);
    let mut now = Timestamp::default();
    for _ in 0..15 * 24 * 60 {
        now = now.plus(Duration::from_secs(60));
        books.land_many(now, Fare::Metered, 100);
        books.take_changes();
    }
    (books, now)
}

fn windows(bench: &mut Criterion) {
    let (mut books, mut now) = full_books();
    bench.bench_function("gate: charge, pay and land one call", |bench| {
        bench.iter(|| {
            // Three times the published rate, so that slots come and go as they would.
            now = now.plus(Duration::from_millis(600));
            let permit = books.charge(now, Fare::Metered, 1);
            let paid = permit.map(|permit| permit.pay(|| Ok::<(), ()>(())));
            books.land(now, Fare::Metered);
            let _ = black_box((paid, books.take_changes()));
        });
    });
    let mut nothing = Ledger::new(Limits::none(), Counting::Sliding);
    bench.bench_function("gate: the same without limits", |bench| {
        bench.iter(|| {
            let permit = nothing.charge(now, Fare::Metered, 1);
            let paid = permit.map(|permit| permit.pay(|| Ok::<(), ()>(())));
            nothing.land(now, Fare::Metered);
            let _ = black_box((paid, nothing.take_changes()));
        });
    });
}

fn errcodes(bench: &mut Criterion) {
    let call = Call::Convert { corpid: false };
    let mut codes = [0, -1, 40013, 45009, 84061, 90454].into_iter().cycle();
    bench.bench_function("wecom: errcode to class", |bench| {
        bench.iter(|| class_of(black_box(codes.next().unwrap_or_default()), call));
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
            let mut rows = Rows::open(&input, &Options::default()).expect("a table");
            while let Line::Row(row) = rows.next().expect("a line") {
                black_box(row);
            }
        });
    });
    group.finish();
}

/// A state file with a run begun and a block of calls to be charged.
struct Desk {
    _folder: tempfile::TempDir,
    store: Store,
    run: RunId,
    books: Ledger,
    reading: Reading,
    next: i64,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let clock = Clock::system();
        let path = folder.path().join("state.db");
        let mut store = Store::open(&path, clock.now()).expect("a state file");
        let mut enrolment = store.enrol("bench", None).expect("room");
        for n in 0..1_000_000 {
            let (unionid, openid) = (format!("o{n:027}"), format!("o{n:027}"));
            let (unionid, openid, corpid) = (unionid.as_str(), openid.as_str(), None);
            let row = Row {
                unionid,
                openid,
                corpid,
            };
            enrolment.add(&row).expect("room");
        }
        enrolment.finish(0, 0, clock.now()).expect("room");
        let quota = Quota::default();
        let run = begin(&store, "bench", &quota, clock).expect("a run");
        Self {
            _folder: folder,
            store,
            run,
            books: Ledger::new(Limits::none(), Counting::Sliding),
            reading: Chronometer::resume(clock, None).reading(),
            next: 1,
        }
    }

    fn outcomes(&mut self, rows: u32) -> Vec<Settled> {
        (0..rows).map(|_| self.outcome()).collect()
    }

    fn outcome(&mut self) -> Settled {
        let subject = SubjectId(self.next);
        self.next += 1;
        Settled {
            subject,
            was: State::Queued,
            outcome: Outcome {
                state: State::Linked,
                errcode: Some(0),
                attempts: 1,
                links: vec![Link {
                    corpid: "wpDownstream0000000000000000001".into(),
                    external_userid: "wmExternal00000000000000000000001".into(),
                }],
            },
            at: self.reading.wall,
        }
    }

    fn commit(&mut self, settled: &[Settled], calls: u32) {
        let now = self.reading.at;
        self.books.land_many(now, Fare::Metered, u64::from(calls));
        let permit = self.books.charge(now, Fare::Metered, calls);
        let progress = Progress::default();
        let batch = Batch {
            settled,
            charges: &self.books.take_changes(),
            open: self.books.open(),
            reading: self.reading,
            block: Block::default(),
            watermark: settled.last().map(|settled| settled.subject),
            progress: (self.run, &progress),
        };
        let purse = self.store.commit(&batch, permit.expect("no limits"));
        black_box(purse.expect("room").calls());
    }
}

fn commits(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("store");
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(3));
    let desk = std::cell::RefCell::new(Desk::new());
    for rows in [1, 64, 1000] {
        group.throughput(Throughput::Elements(rows.into()));
        group.bench_function(format!("settle and charge {rows}, one commit"), |bench| {
            bench.iter_batched(
                || desk.borrow_mut().outcomes(rows),
                |settled| desk.borrow_mut().commit(&settled, rows),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(hot, windows, errcodes, intake, commits);
criterion_main!(hot);
