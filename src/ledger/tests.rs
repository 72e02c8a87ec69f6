use std::time::Duration;

use super::*;
use crate::{
    clock::{ClockReading, MonotonicTime, Timestamp},
    model::{Api, Limits, QuotaWindow, WindowKind},
    quota::{Account, CallKind, QuotaRefusal, WriterId},
    store::Result,
};

fn at(second: u64) -> ClockReading {
    let at = Timestamp::from_millis(1_795_320_000_000).plus(Duration::from_secs(second));
    ClockReading {
        at,
        wall: at,
        monotonic: MonotonicTime {
            boot: 1,
            millis: at.as_millis(),
        },
        remote: None,
    }
}

/// One process of a corp whose minute holds ten calls.
struct Process<'l> {
    ledger: LedgerAccount<'l>,
    account: Account,
}

impl<'l> Process<'l> {
    fn new(ledger: &'l Ledger, corp: &str, writer: i64) -> Self {
        let writer = WriterId::from_code(writer);
        let limits = Limits::none().with(QuotaWindow::BasicMinute, Some(10));
        Self {
            ledger: LedgerAccount::of(ledger, corp, Api::Lookup, writer),
            account: Account::new(limits, WindowKind::Sliding),
        }
    }

    fn under(mut self, limits: Limits) -> Self {
        self.account = Account::new(limits, WindowKind::Sliding);
        self
    }

    /// Returns how many of `want` calls are paid for.
    fn exchange(&mut self, want: u32, second: u64) -> Result<u32> {
        let want = Some((CallKind::Standard, want));
        let exchanged = self.ledger.exchange(&mut self.account, want, &at(second))?;
        Ok(exchanged.paid.map_or(0, |paid| paid.calls()))
    }

    fn complete(&mut self, calls: u64, second: u64) {
        let now = at(second).at;
        self.account.complete_many(now, CallKind::Standard, calls);
    }
}

fn refused_at(second: u64) -> QuotaRefusal {
    let now = at(second).at;
    QuotaRefusal {
        sent: now,
        kind: CallKind::Standard,
        now,
        remote: now,
        jitter: 0.0,
    }
}

fn ledger() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("state/ledger.db")).unwrap();
    (folder, ledger)
}

#[test]
fn processes_of_a_corp_share_a_window_and_other_corps_do_not() {
    let (_folder, ledger) = ledger();
    let mut first = Process::new(&ledger, "ww1", 1);
    let mut second = Process::new(&ledger, "WW1", 2);
    assert_eq!(first.exchange(6, 0).unwrap(), 6);
    assert_eq!(second.exchange(6, 0).unwrap(), 4);
    first.complete(6, 1);
    assert_eq!(first.exchange(1, 1).unwrap(), 0);
    assert_eq!(second.exchange(1, 30).unwrap(), 0);
    assert_eq!(
        second.exchange(9, 62).unwrap(),
        6,
        "the first ones have aged"
    );
    assert_eq!(Process::new(&ledger, "ww2", 3).exchange(9, 0).unwrap(), 9);
}

#[test]
fn corps_behind_one_ip_share_its_windows() {
    let (_folder, ledger) = ledger();
    let limits = Limits::none().with(QuotaWindow::IpMinute, Some(10));
    let mut first = Process::new(&ledger, "ww1", 1).under(limits);
    let mut second = Process::new(&ledger, "ww2", 2).under(limits);
    assert_eq!(first.exchange(6, 0).unwrap(), 6);
    assert_eq!(second.exchange(6, 0).unwrap(), 4, "six are in flight");
    first.complete(6, 1);
    assert_eq!(first.exchange(1, 1).unwrap(), 0);
    assert_eq!(second.exchange(1, 30).unwrap(), 0, "six have completed");
    let mut third = Process::new(&ledger, "ww3", 3).under(limits);
    assert_eq!(third.exchange(9, 50).unwrap(), 0, "the second has landed");
    assert_eq!(third.exchange(9, 62).unwrap(), 6);
    let mut other_api = Process::new(&ledger, "ww3", 4).under(limits);
    other_api.ledger = LedgerAccount::of(&ledger, "ww3", Api::PendingId, WriterId::from_code(4));
    assert_eq!(other_api.exchange(9, 62).unwrap(), 9);
}

#[test]
fn lockout_of_the_ip_is_one_of_every_corp() {
    let (_folder, ledger) = ledger();
    let limits = Limits::none().with(QuotaWindow::IpHour, Some(6));
    let mut first = Process::new(&ledger, "ww1", 1).under(limits);
    let mut second = Process::new(&ledger, "ww2", 2);
    assert_eq!(second.exchange(1, 0).unwrap(), 1);
    assert_eq!(first.exchange(6, 1).unwrap(), 5);
    second.complete(1, 1);
    first.complete(5, 1);
    first.account.impose_lockout(refused_at(2)).unwrap();
    first.exchange(1, 2).unwrap();
    assert_eq!(second.exchange(1, 3000).unwrap(), 0);
    assert_eq!(second.exchange(1, 3603).unwrap(), 1);
}

#[test]
fn calls_of_a_writer_that_is_gone_land_after_block_and_time_out() {
    let (_folder, ledger) = ledger();
    assert_eq!(Process::new(&ledger, "ww1", 1).exchange(10, 0).unwrap(), 10);
    let mut next = Process::new(&ledger, "ww1", 2);
    assert_eq!(next.exchange(1, 39).unwrap(), 0, "in flight");
    assert_eq!(
        next.exchange(1, 99).unwrap(),
        0,
        "landed when it was looked at"
    );
    assert_eq!(next.exchange(1, 160).unwrap(), 1);
}

/// A process that was stopped for longer than its calls may take.
#[test]
fn calls_of_a_writer_that_comes_back_count_twice_and_never_less() {
    let (_folder, ledger) = ledger();
    let mut stopped = Process::new(&ledger, "ww1", 1);
    let mut other = Process::new(&ledger, "ww1", 2);
    assert_eq!(stopped.exchange(5, 0).unwrap(), 5);
    assert_eq!(other.exchange(9, 60).unwrap(), 5, "five have landed");
    other.complete(5, 60);
    assert_eq!(other.exchange(1, 60).unwrap(), 0);
    stopped.complete(5, 61);
    assert_eq!(stopped.exchange(1, 61).unwrap(), 0);
    assert_eq!(stopped.exchange(4, 130).unwrap(), 4);
    assert_eq!(other.exchange(9, 130).unwrap(), 6, "four are in flight");
}

#[test]
fn only_the_process_that_probes_ends_its_probe() {
    let (_folder, ledger) = ledger();
    let mut first = Process::new(&ledger, "ww1", 1);
    let mut second = Process::new(&ledger, "ww1", 2);
    assert_eq!(first.exchange(2, 0).unwrap(), 2);
    first.complete(1, 1);
    first.account.impose_lockout(refused_at(1)).unwrap();
    assert_eq!(first.exchange(1, 1).unwrap(), 0);
    assert_eq!(second.exchange(9, 30).unwrap(), 0, "locked out");
    assert_eq!(second.exchange(9, 61).unwrap(), 1, "the probe");
    first.complete(1, 62);
    assert_eq!(first.exchange(1, 62).unwrap(), 0, "another one probes");
    second.complete(1, 63);
    assert!(second.account.clear_lockout(at(61).at));
    second.exchange(1, 63).unwrap();
    assert!(first.exchange(1, 64).unwrap() > 0);
}

#[test]
fn failed_exchange_pays_nothing_and_loses_nothing() {
    let (_folder, ledger) = ledger();
    let mut process = Process::new(&ledger, "ww1", 1);
    assert_eq!(process.exchange(4, 0).unwrap(), 4);
    process.complete(2, 1);
    let fail = "CREATE TEMP TRIGGER fail BEFORE UPDATE ON ledger
                BEGIN SELECT raise(ABORT, 'no'); END";
    ledger.db.execute_batch(fail).unwrap();
    assert!(process.exchange(6, 1).is_err());
    assert_eq!(process.account.in_flight().total(), 2);
    ledger.db.execute_batch("DROP TRIGGER fail").unwrap();
    assert_eq!(
        process.exchange(9, 1).unwrap(),
        6,
        "two completed, two in flight"
    );
}

#[test]
fn counters_of_a_job_raise_and_never_lower() {
    let (_folder, ledger) = ledger();
    let mut process = Process::new(&ledger, "ww1", 1);
    process.complete(5, 0);
    let exchanged = process.ledger.exchange(&mut process.account, None, &at(0));
    let slots = exchanged.unwrap().written.slots;
    let mut kept = crate::quota::WriterCounters {
        writer: WriterId::from_code(1),
        api: Api::Lookup,
        charged: Default::default(),
        done: Default::default(),
        slots,
    };
    let used = |ledger: &Ledger| {
        let slots = ledger.load("ww1", Api::Lookup).unwrap().snapshot.slots;
        slots.iter().map(|slot| slot.calls.total()).max().unwrap()
    };
    for (calls, expected) in [(3, 5), (8, 8)] {
        kept.slots
            .iter_mut()
            .for_each(|slot| slot.calls.standard = calls);
        ledger
            .merge(("ww1", "a.db"), &[kept.clone()], None)
            .unwrap();
        assert_eq!(used(&ledger), expected);
    }
    let lost = Ledger::in_memory().unwrap();
    lost.merge(("ww1", "a.db"), &[kept], None).unwrap();
    assert_eq!(used(&lost), 8, "rebuilt");
}

#[test]
fn ledger_that_is_deleted_under_a_run_pays_nothing() {
    let (folder, ledger) = ledger();
    let mut process = Process::new(&ledger, "ww1", 1);
    assert_eq!(process.exchange(1, 0).unwrap(), 1);
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    let why = process.exchange(1, 0).unwrap_err().to_string();
    assert!(why.contains("deleted, moved or replaced"), "{why}");
}
