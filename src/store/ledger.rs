//! The books on disk: slots, open calls, the penalty, and the clocks they were written by.

use rusqlite::{Connection, params};

use super::{Batch, Result, Store};
use crate::{
    clock::{ClockReading, MonotonicTime, Timestamp},
    gate::{InFlight, LedgerSnapshot, Lockout, LockoutLevel, SlotUpdate},
    model::QuotaWindow,
};

/// The lane of `unionid_to_external_userid`.
const LANE: i64 = 1;

impl Store {
    /// The books as the last commit left them.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn books(&self) -> Result<(LedgerSnapshot, Lockout, Option<ClockReading>)> {
        load(&self.db)
    }

    /// Forgets slots that have left every reading of their window: twice the span, so that a
    /// change from calendar to sliding still finds what it needs.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn forget_charges(&self, now: Timestamp) -> Result<()> {
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM charges WHERE lane = ?1 AND span = ?2 AND slot < ?3")?;
        for span in QuotaWindow::ALL {
            let length = i64::try_from(span.span().as_millis()).unwrap_or(i64::MAX);
            let oldest = now.as_millis() - 2 * length;
            delete.execute(params![LANE, span.code(), oldest])?;
        }
        Ok(())
    }
}

pub(super) fn load(db: &Connection) -> Result<(LedgerSnapshot, Lockout, Option<ClockReading>)> {
    let mut list = db.prepare_cached("SELECT span, slot, calls FROM charges WHERE lane = ?1")?;
    let slots = list.query_map([LANE], |row| {
        let code: i64 = row.get(0)?;
        let span = QuotaWindow::ALL
            .into_iter()
            .find(|span| span.code() == code);
        Ok(span.map(|span| (span, row.get::<_, i64>(1), row.get::<_, i64>(2))))
    })?;
    let mut books = LedgerSnapshot::default();
    for slot in slots {
        if let Some((span, slot, calls)) = slot? {
            books.slots.push(SlotUpdate {
                span,
                slot: Timestamp::from_millis(slot?),
                calls: calls?.unsigned_abs(),
            });
        }
    }
    let (open, block, reading) = db.query_row(
        "SELECT open_metered, open_ticketed, block_rung, block_until,
                read_at, read_wall, read_boot, read_steady FROM lanes WHERE lane = ?1",
        [LANE],
        |row| Ok((open(row)?, block(row)?, reading(row)?)),
    )?;
    books.open = open;
    Ok((books, block, reading))
}

fn open(row: &rusqlite::Row<'_>) -> rusqlite::Result<InFlight> {
    Ok(InFlight {
        standard: row.get::<_, i64>(0)?.unsigned_abs(),
        with_ticket: row.get::<_, i64>(1)?.unsigned_abs(),
    })
}

fn block(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lockout> {
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

pub(super) fn save(db: &Connection, batch: &Batch<'_>) -> Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO charges (lane, span, slot, calls) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (lane, span, slot) DO UPDATE SET calls = excluded.calls",
    )?;
    for change in batch.charges {
        let (slot, calls) = (change.slot.as_millis(), change.calls.cast_signed());
        upsert.execute(params![LANE, change.span.code(), slot, calls])?;
    }
    let mut update = db.prepare_cached(
        "UPDATE lanes SET open_metered = ?2, open_ticketed = ?3,
            block_rung = ?4, block_until = ?5,
            read_at = ?6, read_wall = ?7, read_boot = ?8, read_steady = ?9 WHERE lane = ?1",
    )?;
    update.execute(params![
        LANE,
        batch.open.standard.cast_signed(),
        batch.open.with_ticket.cast_signed(),
        batch.block.rung as u8,
        batch.block.until.as_millis(),
        batch.reading.at.as_millis(),
        batch.reading.wall.as_millis(),
        batch.reading.monotonic.boot.cast_signed(),
        batch.reading.monotonic.millis,
    ])?;
    Ok(())
}
