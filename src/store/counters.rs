//! What the runs of this job have charged, kept beside their answers: the ledger's counters of
//! these writers, from which a lost ledger is rebuilt.

use rusqlite::{Connection, Row, params};

use super::error::Result;
use crate::{
    clock::Timestamp,
    model::{Api, Period},
    quota::{CallCount, Deltas, SlotCalls, WriterCounters, WriterId, oldest_kept},
};

/// What an exchange with the ledger has written there.
pub struct Charged<'a> {
    /// Of which run.
    pub writer: WriterId,
    /// Of which API.
    pub api: Api,
    /// What was added.
    pub deltas: &'a Deltas,
}

/// Adds `charged` to the counters.
pub(super) fn add(db: &Connection, charged: &Charged<'_>) -> Result<()> {
    let (writer, api, deltas) = (charged.writer.code(), charged.api.code(), charged.deltas);
    if deltas.is_empty() {
        return Ok(());
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO charges (writer, api, period, slot, standard, with_ticket)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (writer, api, period, slot) DO UPDATE SET
             standard = standard + excluded.standard,
             with_ticket = with_ticket + excluded.with_ticket",
    )?;
    for update in &deltas.slots {
        let (slot, calls) = (update.slot.as_millis(), update.calls);
        let (standard, ticket) = (
            calls.standard.cast_signed(),
            calls.with_ticket.cast_signed(),
        );
        upsert.execute(params![
            writer,
            api,
            update.period.code(),
            slot,
            standard,
            ticket
        ])?;
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO writers VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (writer, api) DO UPDATE SET
             charged_standard = charged_standard + excluded.charged_standard,
             charged_with_ticket = charged_with_ticket + excluded.charged_with_ticket,
             done_standard = done_standard + excluded.done_standard,
             done_with_ticket = done_with_ticket + excluded.done_with_ticket",
    )?;
    upsert.execute(params![
        writer,
        api,
        deltas.charged.standard.cast_signed(),
        deltas.charged.with_ticket.cast_signed(),
        deltas.done.standard.cast_signed(),
        deltas.done.with_ticket.cast_signed(),
    ])?;
    Ok(())
}

/// Returns the counters of every run.
pub(super) fn load(db: &Connection) -> Result<Vec<WriterCounters>> {
    let mut list = db.prepare(
        "SELECT charged_standard, charged_with_ticket, done_standard, done_with_ticket,
                writer, api FROM writers",
    )?;
    let mut rows = list.query([])?;
    let mut writers = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(api) = Api::from_code(row.get(5)?) else {
            continue;
        };
        let writer = WriterId::from_code(row.get(4)?);
        writers.push(WriterCounters {
            writer,
            api,
            charged: count(row, 0)?,
            done: count(row, 2)?,
            slots: slots(db, writer, api)?,
        });
    }
    Ok(writers)
}

fn slots(db: &Connection, writer: WriterId, api: Api) -> Result<Vec<SlotCalls>> {
    let mut list = db.prepare_cached(
        "SELECT standard, with_ticket, period, slot FROM charges WHERE writer = ?1 AND api = ?2",
    )?;
    let mut rows = list.query([writer.code(), api.code()])?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(period) = Period::from_code(row.get(2)?) {
            slots.push(SlotCalls {
                period,
                slot: Timestamp::from_millis(row.get(3)?),
                calls: count(row, 0)?,
            });
        }
    }
    Ok(slots)
}

fn count(row: &Row<'_>, first: usize) -> rusqlite::Result<CallCount> {
    Ok(CallCount {
        standard: row.get::<_, i64>(first)?.unsigned_abs(),
        with_ticket: row.get::<_, i64>(first + 1)?.unsigned_abs(),
    })
}

/// Deletes what every window has forgotten at `now`, in ledger time.
pub(super) fn forget(db: &Connection, now: Timestamp) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM charges WHERE period = ?1 AND slot < ?2")?;
    for period in Period::ALL {
        delete.execute([period.code(), oldest_kept(period, now).as_millis()])?;
    }
    Ok(())
}
