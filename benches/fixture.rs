//! What `hot` and `allocs` work on: a table, a full ledger, a job file with a run begun.

use std::{
    fmt::Write as _,
    hint::black_box,
    io::{BufWriter, Write as _},
    path::Path,
    time::Duration,
};

use idferry::{
    clock::{Clock, ClockReading, LedgerClock, Timestamp},
    intake::{Input, InputLine, ReadOptions, RowReader},
    ledger::{Ledger, LedgerAccount},
    model::{Api, Limits, Link, Outcome, Row, State, SubjectId, WindowKind},
    quota::{Account, CallKind, Quota, WriterId},
    store::{Batch, Charged, Cursor, RunId, RunProgress, Settled, Store},
};

/// A CSV table of `rows` rows.
pub(crate) fn table(rows: u32) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut out = BufWriter::new(&file);
    writeln!(out, "unionid,openid").expect("room");
    for n in 0..rows {
        writeln!(out, "o{n:027},p{n:027}").expect("room");
    }
    drop(out);
    file
}

pub(crate) fn read(table: &Path) {
    let mut rows =
        RowReader::open(&Input::Path(table.to_owned()), &ReadOptions::default()).expect("a table");
    while let InputLine::Row(row) = rows.next().expect("a line") {
        black_box(row);
    }
}

/// A ledger as in the second week: every slot of every window holds something.
pub(crate) fn full_ledger() -> (Account, Timestamp) {
    let mut account = Account::new(Quota::default().allowed(), WindowKind::Sliding);
    let mut now = Timestamp::default();
    for _ in 0..15 * 24 * 60 {
        now = now.plus(Duration::from_secs(60));
        account.complete_many(now, CallKind::Standard, 100);
        account.committed();
    }
    (account, now)
}

/// One call through the ledger, as in a run except for the commit.
pub(crate) fn charge_and_complete(account: &mut Account, now: Timestamp) {
    let permit = account.charge(now, CallKind::Standard, 1);
    let paid = permit.map(|permit| permit.pay(|| Ok::<(), ()>(())));
    account.complete(now, CallKind::Standard);
    let _ = black_box((paid, account.deltas()));
    account.committed();
}

/// Imports the rows of [`table`].
pub(crate) fn import(store: &mut Store, rows: u32) {
    let mut import = store.import("bench", None).expect("room");
    let (mut unionid, mut openid) = (String::new(), String::new());
    for n in 0..rows {
        unionid.clear();
        openid.clear();
        write!(unionid, "o{n:027}").expect("a string");
        write!(openid, "p{n:027}").expect("a string");
        let row = Row {
            unionid: &unionid,
            openid: &openid,
            corpid: None,
        };
        import.add(&row).expect("room");
    }
    import.finish(0, 0, Clock::system().now()).expect("room");
}

/// A job file with a run begun.
pub(crate) struct Fixture {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    run: RunId,
    account: Account,
    ledger: LedgerAccount<'static>,
    reading: ClockReading,
    next: i64,
}

impl Fixture {
    pub(crate) fn new(subjects: u32) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let clock = Clock::system();
        let path = folder.path().join("job.db");
        let mut store = Store::open(&path, clock.now()).expect("a job file");
        import(&mut store, subjects);
        let ledger = Ledger::open(&folder.path().join("ledger.db")).expect("a ledger");
        // It lives as long as the process.
        let ledger: &'static Ledger = Box::leak(Box::new(ledger));
        let run = store
            .journal()
            .begin_run("bench", "{}", clock.now())
            .expect("a run");
        Self {
            _folder: folder,
            store,
            run,
            account: Account::new(Limits::none(), WindowKind::Sliding),
            ledger: LedgerAccount::of(ledger, "wwbench", Api::Lookup, WriterId::random()),
            reading: LedgerClock::resume(clock, None).reading(),
            next: 1,
        }
    }

    /// Outcomes of the next `rows` subjects.
    pub(crate) fn outcomes(&mut self, rows: u32) -> Vec<Settled> {
        let first = self.next;
        self.next += i64::from(rows);
        (first..self.next)
            .map(|subject| Settled {
                subject: SubjectId(subject),
                was: State::Queued,
                outcome: Outcome {
                    state: State::Linked,
                    errcode: Some(0),
                    attempts: 1,
                    pending_id: None,
                    links: vec![Link {
                        corpid: "wpDownstream0000000000000000001".into(),
                        external_userid: "wmExternal00000000000000000000001".into(),
                    }],
                },
                at: self.reading.wall,
            })
            .collect()
    }

    /// Settles them and charges as many calls, in one commit.
    pub(crate) fn commit(&mut self, settled: &[Settled]) {
        let calls = u32::try_from(settled.len()).expect("few");
        let now = self.reading.at;
        self.account
            .complete_many(now, CallKind::Standard, u64::from(calls));
        let progress = RunProgress::default();
        let batch = Batch {
            settled,
            cursor: settled.last().map(|settled| Cursor::Queue(settled.subject)),
            progress: (self.run, &progress),
        };
        let want = Some((CallKind::Standard, calls));
        let exchanged = self.ledger.exchange(&mut self.account, want, &self.reading);
        let exchanged = exchanged.expect("a disk");
        let charged = Charged {
            writer: self.ledger.writer(),
            api: Api::Lookup,
            deltas: &exchanged.written,
        };
        self.store.commit(&batch, &charged).expect("a disk");
        black_box(exchanged.paid.expect("no limits").calls());
    }
}
