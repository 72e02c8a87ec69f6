//! Heap allocations a row: `cargo bench --bench allocs`.
//!
//! Blocks and bytes asked for by our process, a block that grows counted again at its new size.
//! SQLite's own memory is not among them: it comes from C. The simulator is a process of its own.

#![allow(clippy::print_stdout, reason = "a bench talks to its caller")]

mod desk;

use std::{
    error::Error,
    future::Future,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use desk::{Desk, charge_and_land, full_books};
use idferry::{
    clock::{Clock, Timestamp},
    export::{Filter, write_csv},
    gate::Concurrency,
    intake::{Input, InputLine, ReadOptions, RowReader},
    job::{Operator, Rehearsal, Session, SessionSettings, TicketPolicy, Unobserved},
    model::{Limits, Row, Subject, SubjectId, WindowKind},
    quota::{CallKind, Ledger, Paid, Quota},
    runner::{CommitPolicy, Stop},
    secret::Secret,
    store::Store,
    wecom::{BaseUrl, Client, Endpoint, HttpTransport, Timeouts},
};

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Enough that what is allocated once does not show.
const ROWS: u32 = 10_000;

fn main() -> Result<()> {
    let _counting = dhat::Profiler::builder().testing().build();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let folder = folder.path();
    println!("| a row of | allocations | bytes |\n| --- | --- | --- |");
    tell("intake: a CSV line to a row", intake(folder)?);
    tell("store: import of a row", import(folder)?);
    tell("gate: charge, pay and land a call, full books", gate());
    tell("wecom: a call over HTTP, reply decoded", calls()?);
    tell("store: settle and charge, 64 a commit", commits(64));
    tell("store: settle and charge, one a commit", commits(1));
    tell("export: a row as CSV", export()?);
    tell("a whole run over HTTP, imported before", run(folder)?);
    tell("a whole rehearsal, simulator included", rehearsal(folder)?);
    Ok(())
}

/// Allocations and bytes.
struct Cost {
    blocks: u64,
    bytes: u64,
    rows: u32,
}

impl Cost {
    fn since(before: &dhat::HeapStats, rows: u32) -> Self {
        let after = dhat::HeapStats::get();
        Self {
            blocks: after.total_blocks - before.total_blocks,
            bytes: after.total_bytes - before.total_bytes,
            rows,
        }
    }
}

fn tell(what: &str, cost: Cost) {
    let rows = f64::from(cost.rows);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (blocks, bytes) = (cost.blocks as f64 / rows, cost.bytes as f64 / rows);
    println!("| {what} | {blocks:.2} | {bytes:.0} |");
}

/// What `work` on `rows` rows asks of the heap.
fn cost<T>(rows: u32, work: impl FnOnce() -> T) -> (Cost, T) {
    let before = dhat::HeapStats::get();
    let done = work();
    (Cost::since(&before, rows), done)
}

/// The ids of the subjects in `range`: unionid and openid.
fn ids(range: Range<u32>) -> Vec<(String, String)> {
    range
        .map(|n| (format!("o{n:027}"), format!("p{n:027}")))
        .collect()
}

fn intake(folder: &Path) -> Result<Cost> {
    let path = folder.join("rows.csv");
    let mut file = std::fs::File::create(&path)?;
    writeln!(file, "unionid,openid")?;
    for (unionid, openid) in ids(0..ROWS) {
        writeln!(file, "{unionid},{openid}")?;
    }
    let mut rows = RowReader::open(&Input::Path(path), &ReadOptions::default())?;
    let (cost, read) = cost(ROWS, || -> Result<()> {
        while let InputLine::Row(row) = rows.next()? {
            black_box(row);
        }
        Ok(())
    });
    read.map(|()| cost)
}

fn import(folder: &Path) -> Result<Cost> {
    let mut store = Store::open(&folder.join("import.db"), Clock::system().now())?;
    let ids = ids(0..ROWS);
    let (cost, imported) = cost(ROWS, || enrol(&mut store, &ids));
    imported.map(|()| cost)
}

fn enrol(store: &mut Store, ids: &[(String, String)]) -> Result<()> {
    let mut import = store.import("bench", None)?;
    for (unionid, openid) in ids {
        let corpid = None;
        import.add(&Row {
            unionid,
            openid,
            corpid,
        })?;
    }
    import.finish(0, 0, Clock::system().now())?;
    Ok(())
}

fn gate() -> Cost {
    let (mut books, mut now) = full_books();
    let step = Duration::from_millis(600);
    let (cost, ()) = cost(ROWS, || {
        for _ in 0..ROWS {
            now = now.plus(step);
            charge_and_land(&mut books, now);
        }
    });
    cost
}

fn commits(rows: u32) -> Cost {
    let mut desk = Desk::new(ROWS.into());
    let batches: Vec<_> = (0..ROWS / rows).map(|_| desk.outcomes(rows)).collect();
    let (cost, ()) = cost(ROWS / rows * rows, || {
        for batch in &batches {
            desk.commit(batch);
        }
    });
    cost
}

fn export() -> Result<Cost> {
    let mut desk = Desk::new(ROWS.into());
    let settled = desk.outcomes(ROWS);
    desk.commit(&settled);
    let reader = desk.store.reader()?;
    let (cost, written) = cost(ROWS, || {
        write_csv(&reader, std::io::sink(), &Filter::default())
    });
    assert_eq!(written?, u64::from(ROWS), "every row is a line");
    Ok(cost)
}

/// `idferry simulate`, without faults and delays.
struct Simulator {
    child: Child,
    url: String,
    corp: String,
    secret: String,
}

impl Simulator {
    fn start() -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_idferry"))
            .args(["simulate", "--faults", "none", "--limits", "none"])
            .args(["--latency", "0s", "--concurrent", "0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        // Its address, WECOM_CORP_ID=… and WECOM_CORP_SECRET=….
        let mut words = line.split_whitespace().filter_map(|w| w.rsplit('=').next());
        let mut word = || words.next().map(str::to_owned).ok_or("no address");
        Ok(Self {
            url: word()?,
            corp: word()?,
            secret: word()?,
            child,
        })
    }

    fn client(&self) -> Result<Client> {
        let transport = HttpTransport::new(BaseUrl::parse(&self.url)?, Timeouts::default())?;
        let secret = Secret::new(self.secret.clone());
        Ok(Client::new(Rc::new(transport), &self.corp, secret))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It is gone either way.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

/// One after the other on one connection, which stands already.
fn calls() -> Result<Cost> {
    let simulator = Simulator::start()?;
    let client = simulator.client()?;
    let subjects: Vec<Subject> = ids(0..ROWS)
        .into_iter()
        .map(|(unionid, openid)| Subject {
            id: SubjectId(0),
            unionid: unionid.into(),
            openid: openid.into(),
            corpid: None,
        })
        .collect();
    let mut purse: Vec<Paid> = paid(ROWS + 1)?;
    block_on(async {
        let token = client.fetch_token().await?;
        let mut ask = async |subject| {
            let paid = purse.pop().expect("a paid call each");
            black_box(
                client
                    .call(&Endpoint::LOOKUP, subject, &token, None, paid)
                    .await,
            );
        };
        ask(&subjects[0]).await;
        let before = dhat::HeapStats::get();
        for subject in &subjects {
            ask(subject).await;
        }
        Ok(Cost::since(&before, ROWS))
    })?
}

/// Claims for `calls` calls, paid by a commit that writes nothing.
fn paid(calls: u32) -> Result<Vec<Paid>> {
    let mut books = Ledger::new(Limits::none(), WindowKind::Sliding);
    let permit = books.charge(Timestamp::default(), CallKind::Standard, calls);
    let permit = permit.map_err(|hold| format!("{hold:?}"))?;
    let mut purse = permit.pay(|| Ok::<(), Box<dyn Error>>(()))?;
    Ok(std::iter::from_fn(|| purse.take()).collect())
}

fn unlimited() -> Quota {
    Quota {
        limits: Limits::none(),
        ..Quota::default()
    }
}

/// The real loop, 64 calls in flight.
fn run(folder: &Path) -> Result<Cost> {
    let simulator = Simulator::start()?;
    let clock = Clock::system();
    let path = folder.join("run.db");
    let mut store = Store::open(&path, clock.now())?;
    enrol(&mut store, &ids(0..ROWS))?;
    drop(store);
    let settings = SessionSettings {
        quota: unlimited(),
        concurrency: Concurrency::Fixed(64),
        ticket: TicketPolicy::None,
        ..SessionSettings::default()
    };
    let mut session = Session::open(&path, settings, clock)?;
    let run = session.begin("bench")?;
    let client = simulator.client()?;
    let (cost, driven) = cost(ROWS, || {
        block_on(session.drive(run, client, Stop::default(), &mut Unattended))
    });
    let outcome = driven??.ok_or("a run that died")?;
    black_box(outcome.report);
    Ok(cost)
}

/// Hears nothing and agrees to nothing.
struct Unattended;

impl Operator for Unattended {}

fn rehearsal(folder: &Path) -> Result<Cost> {
    let path = folder.join("rehearsal.db");
    let mut store = Store::open(&path, Timestamp::default())?;
    enrol(&mut store, &ids(0..ROWS))?;
    drop(store);
    let mut rehearsal = Rehearsal {
        quota: unlimited(),
        ..Rehearsal::default()
    };
    rehearsal.options.commit_policy = CommitPolicy::rehearsed();
    rehearsal.remote.limits = idferry::model::Limits::none();
    let (cost, played) = cost(ROWS, || rehearsal.play(&path, &mut Unobserved));
    black_box(played?.report);
    Ok(cost)
}
