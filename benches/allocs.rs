//! Heap allocations a row: `cargo bench --bench allocs`.
//!
//! Blocks and bytes requested by this process; a block that grows counts again, at its new size.
//! SQLite allocates in C and is not counted, nor is the simulator, a process of its own.

#![allow(clippy::print_stdout, reason = "the table goes to the terminal")]

mod bare;
mod fixture;

use std::{
    error::Error,
    io::{BufRead, BufReader, sink},
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use fixture::{Fixture, charge_and_complete, full_ledger, import, read, table};
use idferry::{
    clock::{Clock, Timestamp},
    export::{Filter, write_csv},
    gate::Concurrency,
    job::{JobFiles, Operator, Rehearsal, Session, SessionSettings, TicketPolicy, Unobserved},
    model::Limits,
    quota::Quota,
    runner::{CommitPolicy, Stop},
    secret::Secret,
    store::Store,
    wecom::{BaseUrl, Client, HttpTransport, Timeouts},
};

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Enough to hide what is allocated once; 200 commits of 64.
const ROWS: u32 = 12_800;
const JOB: &str = "job.db";

fn main() -> Result<()> {
    let _counting = dhat::Profiler::builder().testing().build();
    println!("| a row of | allocations | bytes |\n| --- | --- | --- |");
    parts()?;
    calls()?;
    run()?;
    rehearsal()
}

/// Prints what `work` on [`ROWS`] rows allocates.
fn measure<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = dhat::HeapStats::get();
    let done = work();
    let after = dhat::HeapStats::get();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let a_row = |total: u64| total as f64 / f64::from(ROWS);
    let blocks = a_row(after.total_blocks - before.total_blocks);
    let bytes = a_row(after.total_bytes - before.total_bytes);
    println!("| {what} | {blocks:.2} | {bytes:.0} |");
    done
}

/// A job file that is not yet there, in a folder that lives as long.
fn new_store(now: Timestamp) -> Result<(tempfile::TempDir, Store)> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store = Store::open(&folder.path().join(JOB), now)?;
    Ok((folder, store))
}

fn parts() -> Result<()> {
    let table = table(ROWS);
    measure("intake: a CSV line to a row", || read(table.path()));
    let (_folder, mut store) = new_store(Clock::system().now())?;
    measure("store: import of a row", || import(&mut store, ROWS));
    let (mut ledger, mut now) = full_ledger();
    measure(
        "quota: charge, pay and complete a call, full ledger",
        || {
            for _ in 0..ROWS {
                now = now.plus(Duration::from_millis(600));
                charge_and_complete(&mut ledger, now);
            }
        },
    );
    commits(64);
    let answered = commits(1);
    let reader = answered.store.reader();
    let export = || write_csv(&reader, sink(), &Filter::default());
    measure("export: a row as CSV", export)?;
    Ok(())
}

fn commits(rows: u32) -> Fixture {
    let mut fixture = Fixture::new(ROWS);
    let batches: Vec<_> = (0..ROWS / rows).map(|_| fixture.outcomes(rows)).collect();
    measure(
        &format!("store: settle and charge, {rows} a commit"),
        || {
            batches.iter().for_each(|batch| fixture.commit(batch));
        },
    );
    fixture
}

fn calls() -> Result<()> {
    let (simulator, table) = (Simulator::start()?, table(ROWS));
    let path = table.path().to_str().ok_or("a path in UTF-8")?;
    let corp = (simulator.corp.as_str(), simulator.secret.as_str());
    let calls = || bare::run(path, &simulator.url, corp, ROWS.into(), 1);
    measure("wecom: a call over HTTP, in a bare loop", calls)?;
    Ok(())
}

fn run() -> Result<()> {
    let (simulator, clock) = (Simulator::start()?, Clock::system());
    let (folder, mut store) = new_store(clock.now())?;
    import(&mut store, ROWS);
    drop(store);
    let settings = SessionSettings {
        quota: unlimited(),
        concurrency: Concurrency::Fixed(64),
        ticket: TicketPolicy::None,
        ..SessionSettings::default()
    };
    let mut session = Session::open(JobFiles::beside(&folder.path().join(JOB)), settings, clock)?;
    let run = session.begin("bench")?;
    let client = simulator.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let drive = || runtime.block_on(session.drive(run, client, Stop::default(), &mut Unattended));
    measure("a whole run over HTTP, imported before", drive)?.ok_or("the run died")?;
    Ok(())
}

/// Hears nothing and agrees to nothing.
struct Unattended;

impl Operator for Unattended {}

fn rehearsal() -> Result<()> {
    let (folder, mut store) = new_store(Timestamp::default())?;
    import(&mut store, ROWS);
    drop(store);
    let mut rehearsal = Rehearsal {
        quota: unlimited(),
        ..Rehearsal::default()
    };
    rehearsal.options.commit_policy = CommitPolicy::rehearsed();
    rehearsal.remote.limits = Limits::none();
    let path = folder.path().join(JOB);
    let play = || rehearsal.play(&path, &mut Unobserved);
    measure("a whole rehearsal, simulator included", play)?;
    Ok(())
}

fn unlimited() -> Quota {
    Quota {
        limits: Limits::none(),
        ..Quota::default()
    }
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
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        // Its address, WECOM_CORP_ID=… and WECOM_CORP_SECRET=….
        let mut words = line.split_whitespace().filter_map(|w| w.rsplit('=').next());
        let mut word = || words.next().map(str::to_owned).ok_or("no address");
        let (url, corp, secret) = (word()?, word()?, word()?);
        Ok(Self {
            child,
            url,
            corp,
            secret,
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
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}
