//! The rows of the ledger, read and written.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{
    clock::{ClockReading, Timestamp},
    model::{Api, Period},
    quota::{
        AccountSnapshot, CallCount, Deltas, Lockout, LockoutLevel, Probe, SlotCalls,
        WriterCounters, WriterId, slot_of,
    },
};

/// Whose account it is.
#[derive(Debug, Clone)]
pub(super) struct AccountKey {
    /// The upstream corp.
    pub(super) corp: String,
    /// The API.
    pub(super) api: Api,
}

/// An account as the last change left it.
#[derive(Debug, Clone, Default)]
pub struct StoredAccount {
    /// Completed calls, the lockout, and all calls in flight.
    pub snapshot: AccountSnapshot,
    /// The clocks at the last change of the ledger; `None` if there was none.
    pub reading: Option<ClockReading>,
}

impl AccountKey {
    pub(super) fn of(corp: &str, api: Api) -> Self {
        Self {
            corp: corp.to_owned(),
            api,
        }
    }
}

/// Slots that changed after `revision`, each with the calls of all writers.
fn slots_since(
    db: &Connection,
    key: &AccountKey,
    revision: i64,
) -> rusqlite::Result<Vec<SlotCalls>> {
    let mut list = db.prepare_cached(
        "SELECT period, slot, sum(standard), sum(with_ticket) FROM charges
         WHERE corp = ?1 AND api = ?2 AND (?3 < 0 OR (period, slot) IN
             (SELECT period, slot FROM charges WHERE revision > ?3 AND corp = ?1 AND api = ?2))
         GROUP BY period, slot",
    )?;
    let rows = list.query_map(params![key.corp, key.api.code(), revision], |row| {
        Ok((row.get(0)?, slot_calls(row)?))
    })?;
    let mut slots = Vec::new();
    for row in rows {
        let (period, (slot, calls)) = row?;
        if let Some(period) = Period::from_code(period) {
            slots.push(SlotCalls {
                period,
                slot,
                calls,
            });
        }
    }
    Ok(slots)
}

fn slot_calls(row: &Row<'_>) -> rusqlite::Result<(Timestamp, CallCount)> {
    Ok((Timestamp::from_millis(row.get(1)?), count(row, 2)?))
}

/// The two columns from `first` on.
fn count(row: &Row<'_>, first: usize) -> rusqlite::Result<CallCount> {
    Ok(CallCount {
        standard: row.get::<_, i64>(first)?.unsigned_abs(),
        with_ticket: row.get::<_, i64>(first + 1)?.unsigned_abs(),
    })
}

/// A writer with calls in flight.
pub(super) struct OpenWriter {
    pub(super) writer: WriterId,
    pub(super) in_flight: CallCount,
    pub(super) lands_at: Timestamp,
}

/// Writers other than `but` that have calls in flight.
pub(super) fn open_writers(
    db: &Connection,
    key: &AccountKey,
    but: Option<WriterId>,
) -> rusqlite::Result<Vec<OpenWriter>> {
    let mut list = db.prepare_cached(
        "SELECT writer, charged_standard - max(done_standard, landed_standard) AS standard,
                charged_with_ticket - max(done_with_ticket, landed_with_ticket) AS with_ticket,
                lands_at FROM writers
         WHERE corp = ?1 AND api = ?2 AND writer IS NOT ?3 AND (standard > 0 OR with_ticket > 0)",
    )?;
    let but = but.map(WriterId::code);
    let rows = list.query_map(params![key.corp, key.api.code(), but], |row| {
        Ok(OpenWriter {
            writer: WriterId::from_code(row.get(0)?),
            in_flight: CallCount {
                standard: row.get::<_, i64>(1)?.max(0).unsigned_abs(),
                with_ticket: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
            },
            lands_at: Timestamp::from_millis(row.get(3)?),
        })
    })?;
    rows.collect()
}

/// What changed after `revision`, and the calls in flight of `open`.
pub(super) fn snapshot(
    db: &Connection,
    key: &AccountKey,
    revision: i64,
    open: &[OpenWriter],
) -> rusqlite::Result<AccountSnapshot> {
    let mut others_in_flight = CallCount::default();
    for writer in open {
        others_in_flight.add(writer.in_flight);
    }
    Ok(AccountSnapshot {
        slots: slots_since(db, key, revision)?,
        others_in_flight,
        lockout: lockout(db, key)?,
        ticket_in_doubt: is_ticket_in_doubt(db, &key.corp)?,
    })
}

/// Adds `deltas` of `writer`, who has made itself known.
pub(super) fn add(
    db: &Connection,
    key: &AccountKey,
    writer: WriterId,
    deltas: &Deltas,
    revision: i64,
) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO charges (corp, api, period, slot, writer, standard, with_ticket, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (corp, api, period, slot, writer) DO UPDATE SET
             standard = standard + excluded.standard,
             with_ticket = with_ticket + excluded.with_ticket, revision = excluded.revision",
    )?;
    for update in &deltas.slots {
        upsert.execute(params![
            key.corp,
            key.api.code(),
            update.period.code(),
            update.slot.as_millis(),
            writer.code(),
            update.calls.standard.cast_signed(),
            update.calls.with_ticket.cast_signed(),
            revision,
        ])?;
    }
    let mut update = db.prepare_cached(
        "UPDATE writers SET charged_standard = charged_standard + ?4,
             charged_with_ticket = charged_with_ticket + ?5,
             done_standard = done_standard + ?6, done_with_ticket = done_with_ticket + ?7
         WHERE corp = ?1 AND api = ?2 AND writer = ?3",
    )?;
    update
        .execute(params![
            key.corp,
            key.api.code(),
            writer.code(),
            deltas.charged.standard.cast_signed(),
            deltas.charged.with_ticket.cast_signed(),
            deltas.done.standard.cast_signed(),
            deltas.done.with_ticket.cast_signed(),
        ])
        .map(drop)
}

/// Puts the calls that `gone` had in flight into the slots of `now`. The writer may come back, with
/// counters that know nothing of it: then they count twice, and never not at all.
pub(super) fn land(
    db: &Connection,
    key: &AccountKey,
    gone: &OpenWriter,
    now: Timestamp,
    revision: i64,
) -> rusqlite::Result<()> {
    let slot = |period| SlotCalls {
        period,
        slot: slot_of(period, now),
        calls: gone.in_flight,
    };
    let landed = Deltas {
        slots: Period::ALL.map(slot).to_vec(),
        ..Deltas::default()
    };
    add(db, key, gone.writer, &landed, revision)?;
    let mut update = db.prepare_cached(
        "UPDATE writers SET landed_standard = charged_standard,
             landed_with_ticket = charged_with_ticket
         WHERE corp = ?1 AND api = ?2 AND writer = ?3",
    )?;
    update
        .execute(params![key.corp, key.api.code(), gone.writer.code()])
        .map(drop)
}

/// Raises the counters of a writer to those of `counters` where they are lower. Returns whether any
/// was.
pub(super) fn raise(
    db: &Connection,
    key: &AccountKey,
    counters: &WriterCounters,
    revision: i64,
) -> rusqlite::Result<bool> {
    let mut raised = 0;
    let mut upsert = db.prepare_cached(
        "INSERT INTO charges (corp, api, period, slot, writer, standard, with_ticket, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (corp, api, period, slot, writer) DO UPDATE SET
             standard = max(standard, excluded.standard),
             with_ticket = max(with_ticket, excluded.with_ticket), revision = excluded.revision
         WHERE excluded.standard > standard OR excluded.with_ticket > with_ticket",
    )?;
    for update in &counters.slots {
        raised += upsert.execute(params![
            key.corp,
            key.api.code(),
            update.period.code(),
            update.slot.as_millis(),
            counters.writer.code(),
            update.calls.standard.cast_signed(),
            update.calls.with_ticket.cast_signed(),
            revision,
        ])?;
    }
    let mut update = db.prepare_cached(
        "UPDATE writers SET charged_standard = max(charged_standard, ?4),
             charged_with_ticket = max(charged_with_ticket, ?5),
             done_standard = max(done_standard, ?6), done_with_ticket = max(done_with_ticket, ?7)
         WHERE corp = ?1 AND api = ?2 AND writer = ?3 AND (charged_standard < ?4
             OR charged_with_ticket < ?5 OR done_standard < ?6 OR done_with_ticket < ?7)",
    )?;
    raised += update.execute(params![
        key.corp,
        key.api.code(),
        counters.writer.code(),
        counters.charged.standard.cast_signed(),
        counters.charged.with_ticket.cast_signed(),
        counters.done.standard.cast_signed(),
        counters.done.with_ticket.cast_signed(),
    ])?;
    Ok(raised > 0)
}

pub(super) fn is_known(
    db: &Connection,
    key: &AccountKey,
    writer: WriterId,
) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM writers WHERE corp = ?1 AND api = ?2 AND writer = ?3)",
    )?;
    find.query_row(params![key.corp, key.api.code(), writer.code()], |row| {
        row.get(0)
    })
}

/// Makes a writer known, or renews its signs of life.
pub(super) fn see(
    db: &Connection,
    key: &AccountKey,
    writer: WriterId,
    name: &str,
    seen: (Timestamp, Timestamp),
) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO writers (corp, api, writer, name, pid, seen_at, lands_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (corp, api, writer) DO UPDATE SET
             seen_at = max(seen_at, excluded.seen_at), lands_at = max(lands_at, excluded.lands_at)",
    )?;
    upsert
        .execute(params![
            key.corp,
            key.api.code(),
            writer.code(),
            name,
            std::process::id(),
            seen.0.as_millis(),
            seen.1.as_millis(),
        ])
        .map(drop)
}

fn lockout(db: &Connection, key: &AccountKey) -> rusqlite::Result<Lockout> {
    let mut find = db.prepare_cached(
        "SELECT level, until, days, probe_until FROM lockouts WHERE corp = ?1 AND api = ?2",
    )?;
    let found = find.query_row(params![key.corp, key.api.code()], |row| {
        Ok(Lockout {
            level: LockoutLevel::from_code(row.get(0)?),
            until: Timestamp::from_millis(row.get(1)?),
            days: row.get(2)?,
            probe: Probe::until(Timestamp::from_millis(row.get(3)?)),
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

pub(super) fn save_lockout(
    db: &Connection,
    key: &AccountKey,
    lockout: &Lockout,
) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT OR REPLACE INTO lockouts (corp, api, level, until, days, probe_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    upsert
        .execute(params![
            key.corp,
            key.api.code(),
            lockout.level as u8,
            lockout.until.as_millis(),
            lockout.days,
            lockout.probe.end().as_millis(),
        ])
        .map(drop)
}

/// Whether a ticket of `corp` is in doubt or was found not to work.
fn is_ticket_in_doubt(db: &Connection, corp: &str) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM tickets
             WHERE corp = ?1 AND (dead_at IS NOT NULL OR doubted_at IS NOT NULL))",
    )?;
    find.query_row([corp], |row| row.get(0))
}

/// Copies the rows of `corp` in the attached ledger `origin` as those of `copy`.
pub(super) fn copy_from_origin(db: &Connection, corp: &str, copy: &str) -> rusqlite::Result<()> {
    const COPIES: [&str; 4] = [
        "INSERT OR IGNORE INTO writers SELECT ?2, api, writer, name, pid, seen_at, lands_at,
             charged_standard, charged_with_ticket, done_standard, done_with_ticket,
             landed_standard, landed_with_ticket
         FROM origin.writers WHERE corp = ?1",
        "INSERT OR IGNORE INTO charges SELECT ?2, api, period, slot, writer, standard, with_ticket,
             revision FROM origin.charges WHERE corp = ?1",
        "INSERT OR IGNORE INTO lockouts SELECT ?2, api, level, until, days, probe_until
         FROM origin.lockouts WHERE corp = ?1",
        "INSERT INTO tickets (corp, applied_at, ticket, expires_at, doubted_at, dead_at)
         SELECT ?2, applied_at, ticket, expires_at, doubted_at, dead_at FROM origin.tickets
         WHERE corp = ?1 ORDER BY id",
    ];
    for sql in COPIES {
        db.execute(sql, [corp, copy])?;
    }
    db.execute(
        "UPDATE ledger SET (revision, read_at, read_wall, read_boot, read_monotonic) =
             (SELECT revision, read_at, read_wall, read_boot, read_monotonic FROM origin.ledger)",
        [],
    )
    .map(drop)
}

/// Deletes the slots of `period` that begin before `oldest`.
pub(super) fn forget(db: &Connection, period: Period, oldest: Timestamp) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM charges WHERE period = ?1 AND slot < ?2")?;
    delete
        .execute(params![period.code(), oldest.as_millis()])
        .map(drop)
}
