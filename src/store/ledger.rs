//! The ledger of one API: calls charged by window and slot, calls in flight, the lockout, and the
//! clocks they were written by.
//!
//! Charges are written as *deltas*, and what is charged is decided inside the transaction that
//! writes it: [`exchange`] writes what completed, asks the account for room, charges it and
//! commits. Nothing else writes the ledger and nothing else pays for calls. While the job file is
//! locked by one process, the account in memory equals the rows and is not read again.

use rusqlite::{Connection, Row, Transaction, params};

use super::error::Result;
use crate::{
    clock::{ClockReading, MonotonicTime, Timestamp},
    model::{Api, QuotaWindow},
    quota::{
        CallKind, Deltas, Hold, InFlight, Ledger, LedgerSnapshot, Lockout, LockoutLevel, PaidCalls,
        Permit, SlotUpdate,
    },
};

/// The ledger of one API as the last commit left it.
pub struct StoredLedger {
    /// Whose ledger it is.
    pub api: Api,
    /// Calls charged, by window and slot, calls in flight and the lockout.
    pub snapshot: LedgerSnapshot,
    /// The clocks at that commit; `None` if there was none.
    pub reading: Option<ClockReading>,
}

/// What a commit asks of the ledger.
pub struct Exchange<'a> {
    /// The account of the API in memory, whose completed calls are written.
    pub account: &'a mut Ledger,
    /// Whose ledger it is.
    pub api: Api,
    /// Calls to charge, and as what; `None` charges none.
    pub want: Option<(CallKind, u32)>,
    /// The clocks now.
    pub reading: ClockReading,
}

/// The ledger of one API on disk.
pub struct DurableLedger<'s> {
    db: &'s Connection,
    api: Api,
}

impl<'s> DurableLedger<'s> {
    pub(super) const fn of(db: &'s Connection, api: Api) -> Self {
        Self { db, api }
    }

    /// Returns the ledger as the last commit left it.
    pub fn load(&self) -> Result<StoredLedger> {
        let (in_flight, lockout, reading) = self.db.query_row(
            "SELECT in_flight_standard, in_flight_with_ticket, lockout_level, lockout_until,
                    read_at, read_wall, read_boot, read_monotonic FROM ledgers WHERE api = ?1",
            [self.api.code()],
            |row| Ok((in_flight(row)?, lockout(row)?, reading(row)?)),
        )?;
        let snapshot = LedgerSnapshot {
            slots: self.slots()?,
            in_flight,
            lockout,
        };
        Ok(StoredLedger {
            api: self.api,
            snapshot,
            reading,
        })
    }

    fn slots(&self) -> Result<Vec<SlotUpdate>> {
        let mut list = self
            .db
            .prepare_cached("SELECT quota_window, slot, calls FROM charges WHERE api = ?1")?;
        let mut rows = list.query([self.api.code()])?;
        let mut slots = Vec::new();
        while let Some(row) = rows.next()? {
            if let Some(window) = QuotaWindow::from_code(row.get(0)?) {
                slots.push(SlotUpdate {
                    window,
                    slot: Timestamp::from_millis(row.get(1)?),
                    calls: row.get::<_, i64>(2)?.unsigned_abs(),
                });
            }
        }
        Ok(slots)
    }

    /// Deletes slots that have left every reading of their window: twice the span, so that a
    /// change from calendar to sliding windows still finds what it needs.
    pub(crate) fn forget_charges(&self, now: Timestamp) -> Result<()> {
        let mut delete = self.db.prepare_cached(
            "DELETE FROM charges WHERE api = ?1 AND quota_window = ?2 AND slot < ?3",
        )?;
        for window in QuotaWindow::ALL {
            let span = i64::try_from(window.span().as_millis()).unwrap_or(i64::MAX);
            let oldest = now.as_millis() - 2 * span;
            delete.execute(params![self.api.code(), window.code(), oldest])?;
        }
        Ok(())
    }

    fn write(&self, deltas: &Deltas, now: &ClockReading) -> Result<()> {
        let api = self.api.code();
        let mut upsert = self.db.prepare_cached(
            "INSERT INTO charges (api, quota_window, slot, calls) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (api, quota_window, slot) DO UPDATE SET calls = calls + excluded.calls",
        )?;
        for update in &deltas.slots {
            let (slot, calls) = (update.slot.as_millis(), update.calls.cast_signed());
            upsert.execute(params![api, update.window.code(), slot, calls])?;
        }
        let mut update = self.db.prepare_cached(
            "UPDATE ledgers SET
                in_flight_standard = in_flight_standard + ?2,
                in_flight_with_ticket = in_flight_with_ticket + ?3,
                lockout_level = coalesce(?4, lockout_level),
                lockout_until = coalesce(?5, lockout_until),
                read_at = ?6, read_wall = ?7, read_boot = ?8, read_monotonic = ?9
             WHERE api = ?1",
        )?;
        update.execute(params![
            api,
            deltas.standard,
            deltas.with_ticket,
            deltas.lockout.map(|lockout| lockout.level as u8),
            deltas.lockout.map(|lockout| lockout.until.as_millis()),
            now.at.as_millis(),
            now.wall.as_millis(),
            now.monotonic.boot.cast_signed(),
            now.monotonic.millis,
        ])?;
        Ok(())
    }
}

/// Ends `transaction`: writes what changed in the account, charges what is wanted and fits, and
/// commits. Returns the calls paid for, or the hold if not one of them fits.
///
/// After an error nothing of the transaction is on disk, the calls are not charged, and the
/// account has everything else still to write.
pub(super) fn exchange(
    transaction: Transaction<'_>,
    exchange: Exchange<'_>,
) -> Result<std::result::Result<PaidCalls, Hold>> {
    let Exchange {
        account,
        api,
        want,
        reading,
    } = exchange;
    let charged = match want {
        Some((kind, calls)) => account.charge(reading.at, kind, calls),
        None => Ok(Permit::nothing(CallKind::Standard)),
    };
    let deltas = account.deltas();
    let commit = || {
        DurableLedger::of(&transaction, api).write(&deltas, &reading)?;
        Ok(transaction.commit()?)
    };
    let committed = match charged {
        Ok(permit) => permit.pay(commit).map(Ok),
        Err(hold) => commit().map(|()| Err(hold)),
    };
    match committed {
        Ok(_) => account.committed(),
        Err(_) => account.roll_back(),
    }
    committed
}

fn in_flight(row: &Row<'_>) -> rusqlite::Result<InFlight> {
    Ok(InFlight {
        standard: row.get::<_, i64>(0)?.unsigned_abs(),
        with_ticket: row.get::<_, i64>(1)?.unsigned_abs(),
    })
}

fn lockout(row: &Row<'_>) -> rusqlite::Result<Lockout> {
    Ok(Lockout {
        level: LockoutLevel::from_code(row.get(2)?),
        until: Timestamp::from_millis(row.get(3)?),
    })
}

fn reading(row: &Row<'_>) -> rusqlite::Result<Option<ClockReading>> {
    let Some(at) = row.get::<_, Option<i64>>(4)? else {
        return Ok(None);
    };
    Ok(Some(ClockReading {
        at: Timestamp::from_millis(at),
        wall: Timestamp::from_millis(row.get(5)?),
        monotonic: MonotonicTime {
            boot: row.get::<_, i64>(6)?.unsigned_abs(),
            millis: row.get(7)?,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        model::{Limits, WindowKind},
        store::{Batch, RunProgress, Store},
    };

    struct Bench {
        store: Store,
        account: Ledger,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new(limits: Limits) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(&folder.path().join("job.db"), now()).unwrap();
            Self {
                store,
                account: Ledger::new(limits, WindowKind::Sliding),
                _folder: folder,
            }
        }

        fn commit(&mut self, api: Api, want: u32) -> Result<std::result::Result<PaidCalls, Hold>> {
            let run = self.store.journal().begin_run("test", "{}", now()).unwrap();
            let batch = Batch {
                settled: &[],
                watermark: None,
                progress: (run, &RunProgress::default()),
            };
            let exchange = Exchange {
                account: &mut self.account,
                api,
                want: Some((CallKind::Standard, want)),
                reading: ClockReading {
                    at: now(),
                    wall: now(),
                    monotonic: Clock::system().monotonic(),
                },
            };
            self.store.commit(&batch, exchange)
        }

        /// Calls in flight, and completed in the business month, as they are on disk.
        fn on_disk(&self, api: Api) -> (u64, u64) {
            let LedgerSnapshot {
                slots, in_flight, ..
            } = self.store.ledger(api).load().unwrap().snapshot;
            let month = slots
                .iter()
                .filter(|slot| slot.window == QuotaWindow::BusinessMonth);
            (in_flight.total(), month.map(|slot| slot.calls).sum())
        }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-11-22T12:00+08:00").unwrap()
    }

    #[test]
    fn calls_are_paid_up_to_the_limit_and_each_api_has_its_own() {
        let mut bench = Bench::new(Limits::none().with(QuotaWindow::BasicMinute, Some(3)));
        assert_eq!(bench.commit(Api::Lookup, 5).unwrap().unwrap().calls(), 3);
        assert_eq!(bench.on_disk(Api::Lookup), (3, 0));
        assert_eq!(bench.on_disk(Api::PendingId), (0, 0));
        assert!(bench.commit(Api::Lookup, 1).unwrap().is_err());
    }

    #[test]
    fn failed_commit_pays_nothing_and_loses_nothing() {
        let mut bench = Bench::new(Limits::none());
        let paid = bench.commit(Api::Lookup, 4).unwrap().unwrap();
        assert_eq!(paid.calls(), 4);
        bench.account.complete_many(now(), CallKind::Standard, 2);
        let fail = "CREATE TEMP TRIGGER fail BEFORE UPDATE ON ledgers
                    BEGIN SELECT raise(ABORT, 'no'); END";
        bench.store.db.execute_batch(fail).unwrap();
        assert!(bench.commit(Api::Lookup, 7).is_err());
        assert_eq!(bench.on_disk(Api::Lookup), (4, 0));
        assert_eq!(bench.account.in_flight().total(), 2);
        bench.store.db.execute_batch("DROP TRIGGER fail").unwrap();
        assert_eq!(bench.commit(Api::Lookup, 1).unwrap().unwrap().calls(), 1);
        assert_eq!(bench.on_disk(Api::Lookup), (3, 2));
    }

    #[test]
    fn deltas_add_to_what_others_wrote() {
        let mut bench = Bench::new(Limits::none());
        bench.account.complete_many(now(), CallKind::Standard, 2);
        let _nothing_paid = bench.commit(Api::Lookup, 1).unwrap();
        let others = "UPDATE charges SET calls = calls + 10;
                      UPDATE ledgers SET in_flight_standard = in_flight_standard + 20";
        bench.store.db.execute_batch(others).unwrap();
        bench.account.complete_many(now(), CallKind::Standard, 1);
        let _nothing_paid = bench.commit(Api::Lookup, 3).unwrap();
        assert_eq!(bench.on_disk(Api::Lookup), (23, 13));
    }
}
