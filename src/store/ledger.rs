//! The ledger on disk: slots, calls in flight, the lockout, and the clocks they were written by.
//!
//! Charges are written as *deltas*, and what is charged is decided inside the transaction that
//! writes it: [`exchange`] lands what completed, asks the account for room and charges it. While
//! the job file is locked by one process, the account in memory is the rows on disk; a ledger that
//! several processes share reads the others' rows here, and nowhere else.

use rusqlite::{Connection, params};

use super::{Result, Store};
use crate::{
    clock::{ClockReading, MonotonicTime, Timestamp},
    model::{Api, QuotaWindow},
    quota::{
        CallKind, Hold, InFlight, Ledger, LedgerSnapshot, Lockout, LockoutLevel, Permit, SlotUpdate,
    },
};

/// What is asked of the ledger in one transaction.
pub struct Exchange<'a> {
    /// The account of the API; its completed calls are written.
    pub account: &'a mut Ledger,
    /// Whose quota it is.
    pub api: Api,
    /// Calls to charge, and as what; `None` only writes.
    pub want: Option<(CallKind, u32)>,
    /// The lockout in force.
    pub lockout: Lockout,
    /// Ledger time.
    pub reading: ClockReading,
}

impl Store {
    /// The ledger of `api` as the last commit left it.
    pub fn books(&self, api: Api) -> Result<(LedgerSnapshot, Lockout, Option<ClockReading>)> {
        load(&self.db, api)
    }

    /// Forgets slots that have left every reading of their window: twice the span, so that a
    /// change from calendar to sliding windows still finds what it needs.
    pub fn forget_charges(&self, api: Api, now: Timestamp) -> Result<()> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM charges WHERE lane = ?1 AND span = ?2 AND slot < ?3")?;
        for window in QuotaWindow::ALL {
            let span = i64::try_from(window.span().as_millis()).unwrap_or(i64::MAX);
            let oldest = now.as_millis() - 2 * span;
            delete.execute(params![api.code(), window.code(), oldest])?;
        }
        Ok(())
    }
}

pub(super) fn load(
    db: &Connection,
    api: Api,
) -> Result<(LedgerSnapshot, Lockout, Option<ClockReading>)> {
    let mut list = db.prepare_cached("SELECT span, slot, calls FROM charges WHERE lane = ?1")?;
    let mut rows = list.query([api.code()])?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(span) = QuotaWindow::from_code(row.get(0)?) {
            slots.push(SlotUpdate {
                span,
                slot: Timestamp::from_millis(row.get(1)?),
                calls: row.get::<_, i64>(2)?.unsigned_abs(),
            });
        }
    }
    let (open, lockout, reading) = db.query_row(
        "SELECT open_metered, open_ticketed, block_rung, block_until,
                read_at, read_wall, read_boot, read_steady FROM lanes WHERE lane = ?1",
        [api.code()],
        |row| Ok((in_flight(row)?, lockout(row)?, reading(row)?)),
    )?;
    Ok((LedgerSnapshot { slots, open }, lockout, reading))
}

fn in_flight(row: &rusqlite::Row<'_>) -> rusqlite::Result<InFlight> {
    Ok(InFlight {
        standard: row.get::<_, i64>(0)?.unsigned_abs(),
        with_ticket: row.get::<_, i64>(1)?.unsigned_abs(),
    })
}

fn lockout(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lockout> {
    Ok(Lockout {
        rung: LockoutLevel::from_code(row.get(2)?),
        until: Timestamp::from_millis(row.get(3)?),
    })
}

fn reading(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<ClockReading>> {
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

/// Inside a transaction: charges what is wanted and fits, and writes what changed. The permit is
/// to be paid by the commit.
pub(super) fn exchange(
    db: &Connection,
    exchange: &mut Exchange<'_>,
) -> Result<std::result::Result<Permit, Hold>> {
    let now = exchange.reading.at;
    let permit = match exchange.want {
        Some((kind, calls)) => exchange.account.charge(now, kind, calls),
        None => Ok(Permit::nothing(CallKind::Standard)),
    };
    let deltas = exchange.account.deltas();
    let mut upsert = db.prepare_cached(
        "INSERT INTO charges (lane, span, slot, calls) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (lane, span, slot) DO UPDATE SET calls = calls + excluded.calls",
    )?;
    for change in &deltas.slots {
        let (slot, calls) = (change.slot.as_millis(), change.calls.cast_signed());
        upsert.execute(params![
            exchange.api.code(),
            change.span.code(),
            slot,
            calls
        ])?;
    }
    let mut update = db.prepare_cached(
        "UPDATE lanes SET
            open_metered = open_metered + ?2, open_ticketed = open_ticketed + ?3,
            block_rung = ?4, block_until = ?5,
            read_at = ?6, read_wall = ?7, read_boot = ?8, read_steady = ?9 WHERE lane = ?1",
    )?;
    update.execute(params![
        exchange.api.code(),
        deltas.standard,
        deltas.with_ticket,
        exchange.lockout.rung as u8,
        exchange.lockout.until.as_millis(),
        exchange.reading.at.as_millis(),
        exchange.reading.wall.as_millis(),
        exchange.reading.monotonic.boot.cast_signed(),
        exchange.reading.monotonic.millis,
    ])?;
    Ok(permit)
}
