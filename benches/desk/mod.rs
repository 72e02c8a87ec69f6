//! What the benches work on: full books, and a state file with a run begun.

use std::{hint::black_box, time::Duration};

use idferry::{
    clock::{Clock, ClockReading, LedgerClock, Timestamp},
    model::{Api, Limits, Link, Outcome, Row, State, SubjectId, WindowKind},
    quota::{CallKind, Ledger, Quota},
    store::{Batch, Exchange, RunId, RunProgress, Settled, Store},
};

/// Books as they are in the second week: every slot of every window holds something.
pub(crate) fn full_books() -> (Ledger, Timestamp) {
    let limits = Quota::default().allowed();
    let mut books = Ledger::new(limits, WindowKind::Sliding);
    let mut now = Timestamp::default();
    for _ in 0..15 * 24 * 60 {
        now = now.plus(Duration::from_secs(60));
        books.complete_many(now, CallKind::Standard, 100);
        books.committed();
    }
    (books, now)
}

/// One call through the books, as the loop does it but for the commit.
pub(crate) fn charge_and_land(books: &mut Ledger, now: Timestamp) {
    let permit = books.charge(now, CallKind::Standard, 1);
    let paid = permit.map(|permit| permit.pay(|| Ok::<(), ()>(())));
    books.complete(now, CallKind::Standard);
    let _ = black_box((paid, books.deltas()));
    books.committed();
}

/// A state file with a run begun and a block of calls to be charged.
pub(crate) struct Desk {
    _folder: tempfile::TempDir,
    pub(crate) store: Store,
    run: RunId,
    books: Ledger,
    reading: ClockReading,
    next: i64,
}

impl Desk {
    /// With `subjects` enrolled.
    pub(crate) fn new(subjects: u64) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let clock = Clock::system();
        let path = folder.path().join("state.db");
        let mut store = Store::open(&path, clock.now()).expect("a state file");
        let mut import = store.import("bench", None).expect("room");
        for n in 0..subjects {
            let (unionid, openid) = (format!("o{n:027}"), format!("o{n:027}"));
            let (unionid, openid, corpid) = (unionid.as_str(), openid.as_str(), None);
            let row = Row {
                unionid,
                openid,
                corpid,
            };
            import.add(&row).expect("room");
        }
        import.finish(0, 0, clock.now()).expect("room");
        let run = store
            .journal()
            .begin_run("bench", "{}", clock.now())
            .expect("a run");
        Self {
            _folder: folder,
            store,
            run,
            books: Ledger::new(Limits::none(), WindowKind::Sliding),
            reading: LedgerClock::resume(clock, None).reading(),
            next: 1,
        }
    }

    /// Answers for the next `rows` subjects.
    pub(crate) fn outcomes(&mut self, rows: u32) -> Vec<Settled> {
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

    /// Settles them, and charges as many calls.
    pub(crate) fn commit(&mut self, settled: &[Settled]) {
        let calls = u32::try_from(settled.len()).expect("few");
        let now = self.reading.at;
        self.books
            .complete_many(now, CallKind::Standard, u64::from(calls));
        let progress = RunProgress::default();
        let batch = Batch {
            settled,
            watermark: settled.last().map(|settled| settled.subject),
            progress: (self.run, &progress),
        };
        let exchange = Exchange {
            account: &mut self.books,
            api: Api::Lookup,
            want: Some((CallKind::Standard, calls)),
            reading: self.reading,
        };
        let paid = self.store.commit(&batch, exchange).expect("a disk");
        black_box(paid.expect("no limits").calls());
    }
}
