//! A counter that lookups and calls for pending_ids share: whether they do is not stated (D97357), so it
//! is learnt from a refusal that nothing else explains, and kept as long as limits that were learnt.

use rusqlite::{Connection, params};

use super::{key::AccountKey, observed::KEPT, rows};
use crate::{
    clock::Timestamp,
    model::{Api, Period},
    quota::{CallCount, SharedCalls, SlotCalls},
};

/// The API that counts together with `api`, if they share a counter.
const fn partner(api: Api) -> Option<Api> {
    match api {
        Api::Lookup => Some(Api::PendingId),
        Api::PendingId => Some(Api::Lookup),
        _ => None,
    }
}

/// Notes that the corp's counter is shared.
pub(super) fn save(db: &Connection, key: &AccountKey, now: Timestamp) -> rusqlite::Result<()> {
    let upsert = "INSERT OR REPLACE INTO shared_counters VALUES (?1, ?2)";
    db.execute(upsert, params![key.corp, now.as_millis()])
        .map(drop)
}

/// Whether it is.
pub(super) fn is_shared(db: &Connection, key: &AccountKey) -> rusqlite::Result<bool> {
    if partner(key.api).is_none() {
        return Ok(false);
    }
    let mut find = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM shared_counters WHERE corp = ?1
             AND seen_at > (SELECT coalesce(read_at, 0) FROM ledger) - ?2)",
    )?;
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    find.query_row(params![key.corp, kept], |row| row.get(0))
}

/// What both APIs hold: the slots that changed after `revision`, and calls of the other one in flight.
pub(super) fn calls_since(
    db: &Connection,
    key: &AccountKey,
    revision: i64,
) -> rusqlite::Result<Option<SharedCalls>> {
    let Some(partner) = partner(key.api).filter(|_| is_shared(db, key).unwrap_or(false)) else {
        return Ok(None);
    };
    let mut list = db.prepare_cached(
        "SELECT period, slot, sum(standard), sum(with_ticket) FROM charges
         WHERE corp = ?1 AND api IN (?2, ?3) AND (period, slot) IN
             (SELECT period, slot FROM charges WHERE revision > ?4 AND +api IN (?2, ?3))
         GROUP BY period, slot",
    )?;
    let apis = params![key.corp, key.api.code(), partner.code(), revision];
    let mut rows = list.query(apis)?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some(period) = Period::from_code(row.get(0)?) {
            slots.push(SlotCalls {
                period,
                slot: Timestamp::from_millis(row.get(1)?),
                calls: CallCount {
                    standard: row.get::<_, i64>(2)?.unsigned_abs(),
                    with_ticket: row.get::<_, i64>(3)?.unsigned_abs(),
                },
            });
        }
    }
    let mut in_flight = CallCount::default();
    for writer in rows::open_writers(db, partner, None)? {
        if writer.key.corp.eq_ignore_ascii_case(&key.corp) {
            in_flight.add(writer.in_flight);
        }
    }
    Ok(Some(SharedCalls { slots, in_flight }))
}
