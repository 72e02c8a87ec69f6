//! The rows of the ledger, read and written.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{key::AccountKey, lockouts, observed};
use crate::{
    clock::{ClockReading, Timestamp},
    model::{Api, Period, QuotaWindow},
    quota::{AccountSnapshot, CallCount, Deltas, SlotCalls, WriterCounters, WriterId, slot_of},
};

/// An account as the last change left it.
#[derive(Debug, Clone, Default)]
pub struct StoredAccount {
    /// Completed calls, the lockout, and all calls in flight.
    pub snapshot: AccountSnapshot,
    /// The clocks at the last change of the ledger; `None` if there was none.
    pub reading: Option<ClockReading>,
}

/// What changed after `revision`: the slots of the account, and those of all corps behind this
/// machine's IP in the periods that the IP's windows count.
fn slots_since(
    db: &Connection,
    key: &AccountKey,
    revision: i64,
) -> rusqlite::Result<(Vec<SlotCalls>, Vec<SlotCalls>)> {
    const SUMS: &str = "SELECT period, slot,
            sum(iif(corp = ?1, standard, 0)), sum(iif(corp = ?1, with_ticket, 0)),
            sum(standard), sum(with_ticket) FROM charges WHERE api = ?2";
    // The plus keeps SQLite to the index by revision.
    const CHANGED: &str = "AND (period, slot) IN
            (SELECT period, slot FROM charges WHERE revision > ?3 AND +api = ?2)";
    let changed = if revision < 0 { "AND ?3 < 0" } else { CHANGED };
    let mut list = db.prepare_cached(&format!("{SUMS} {changed} GROUP BY period, slot"))?;
    let mut rows = list.query(params![key.corp, key.api.code(), revision])?;
    let (mut of_corp, mut of_ip) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let Some(period) = Period::from_code(row.get(0)?) else {
            continue;
        };
        let slot = Timestamp::from_millis(row.get(1)?);
        let with = |calls| SlotCalls {
            period,
            slot,
            calls,
        };
        of_corp.push(with(count(row, 2)?));
        if QuotaWindow::of_ip(period).is_some() {
            of_ip.push(with(count(row, 4)?));
        }
    }
    // What only other corps have changed is no news to the account.
    of_corp.retain(|slot| slot.calls.total() > 0);
    Ok((of_corp, of_ip))
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
    pub(super) key: AccountKey,
    pub(super) writer: WriterId,
    pub(super) in_flight: CallCount,
    pub(super) lands_at: Timestamp,
}

/// Writers of `api`, of all corps, other than `but`, that have calls in flight.
pub(super) fn open_writers(
    db: &Connection,
    api: Api,
    but: Option<WriterId>,
) -> rusqlite::Result<Vec<OpenWriter>> {
    let mut list = db.prepare_cached(
        "SELECT writer, charged_standard - max(done_standard, landed_standard) AS standard,
                charged_with_ticket - max(done_with_ticket, landed_with_ticket) AS with_ticket,
                lands_at, corp FROM writers
         WHERE api = ?1 AND writer IS NOT ?2 AND (standard > 0 OR with_ticket > 0)",
    )?;
    let but = but.map(WriterId::code);
    let rows = list.query_map(params![api.code(), but], |row| {
        let corp: String = row.get(4)?;
        Ok(OpenWriter {
            key: AccountKey::of(&corp, api),
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
    let (slots, ip_slots) = slots_since(db, key, revision)?;
    let mut snapshot = AccountSnapshot {
        slots,
        ip_slots,
        lockout: lockouts::find(db, key)?,
        learnt: observed::learnt(db, key)?,
        ticket_in_doubt: is_ticket_in_doubt(db, &key.corp)?,
        ..AccountSnapshot::default()
    };
    for writer in open {
        if writer.key.corp.eq_ignore_ascii_case(&key.corp) {
            snapshot.others_in_flight.add(writer.in_flight);
        } else {
            snapshot.other_corps_in_flight.add(writer.in_flight);
        }
    }
    Ok(snapshot)
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
         ON CONFLICT (api, period, slot, corp, writer) DO UPDATE SET
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
    let key = &gone.key;
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
         ON CONFLICT (api, period, slot, corp, writer) DO UPDATE SET
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

/// Whether the latest ticket of `corp` is in doubt or was found not to work.
pub(super) fn is_ticket_in_doubt(db: &Connection, corp: &str) -> rusqlite::Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT dead_at IS NOT NULL OR doubted_at IS NOT NULL FROM tickets
         WHERE corp = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let found = find.query_row([corp], |row| row.get(0)).optional()?;
    Ok(found.unwrap_or(false))
}

/// Copies the attached ledger `origin`, the rows of `corp` as those of `copy`: counters of all
/// corps, which use one IP, and the rest of this one alone.
pub(super) fn copy_from_origin(db: &Connection, corp: &str, copy: &str) -> rusqlite::Result<()> {
    const COPIES: [&str; 6] = [
        "INSERT OR IGNORE INTO writers SELECT iif(corp = ?1, ?2, corp), api, writer, name, pid,
             seen_at, lands_at, charged_standard, charged_with_ticket, done_standard,
             done_with_ticket, landed_standard, landed_with_ticket
         FROM origin.writers",
        "INSERT OR IGNORE INTO charges SELECT api, period, slot, iif(corp = ?1, ?2, corp), writer,
             standard, with_ticket, revision FROM origin.charges",
        "INSERT OR IGNORE INTO lockouts SELECT ?2, api, level, until, days, probe_until,
             refused_with_ticket, refused_minute, refused_hour, refused_day
         FROM origin.lockouts WHERE corp = ?1",
        "INSERT OR IGNORE INTO observed_limits SELECT ?2, api, quota_window, calls, times, seen_at
         FROM origin.observed_limits WHERE corp = ?1",
        "INSERT OR IGNORE INTO shared_counters SELECT ?2, seen_at FROM origin.shared_counters
         WHERE corp = ?1",
        "INSERT INTO tickets (corp, is_imported, obtained_at, status, reply, errcode, ticket,
             expires_at, doubted_at, without, dead_at)
         SELECT ?2, is_imported, obtained_at, status, reply, errcode, ticket, expires_at,
             doubted_at, without, dead_at
         FROM origin.tickets WHERE corp = ?1 ORDER BY id",
    ];
    for sql in COPIES {
        db.execute(sql, [corp, copy])?;
    }
    db.execute(
        "UPDATE ledger SET (revision, read_at, read_wall, read_boot, read_monotonic, read_remote,
                read_remote_boot) =
             (SELECT revision, read_at, read_wall, read_boot, read_monotonic, read_remote,
                read_remote_boot FROM origin.ledger)",
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
