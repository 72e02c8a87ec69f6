//! Limits of the remote that are lower than published, as refusals have told them.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::key::AccountKey;
use crate::{clock::Timestamp, model::QuotaWindow};

/// Refusals in a row at about the same number of calls that make it the limit.
const TIMES: i64 = 2;
/// Numbers of calls that differ by less than one part in so many are about the same.
const ABOUT: u64 = 20;
/// For how long a limit is kept that was not met again: then it may have been raised, and one more
/// refusal brings it back.
pub(super) const KEPT: Duration = Duration::from_secs(31 * 86_400);

/// Notes that the remote refused more than `calls` calls in `window`.
pub(super) fn save(
    db: &Connection,
    key: &AccountKey,
    (window, calls): (QuotaWindow, u64),
    now: Timestamp,
) -> rusqlite::Result<()> {
    let find = "SELECT calls, times FROM observed_limits
                WHERE corp = ?1 AND api = ?2 AND quota_window = ?3";
    let known = db.query_row(
        find,
        params![key.corp, key.api.code(), window.name()],
        |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?)),
    );
    let (calls, times) = match known.optional()? {
        Some((before, times)) if before.abs_diff(calls) <= before / ABOUT => {
            (before.min(calls), times + 1)
        }
        _ => (calls, 1),
    };
    let upsert = "INSERT OR REPLACE INTO observed_limits VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (calls, at) = (calls.cast_signed(), now.as_millis());
    let row = params![key.corp, key.api.code(), window.name(), calls, times, at];
    db.execute(upsert, row).map(drop)
}

/// Returns the limits that are in force at the last change of the ledger.
pub(super) fn learnt(
    db: &Connection,
    key: &AccountKey,
) -> rusqlite::Result<Vec<(QuotaWindow, u64)>> {
    let mut list = db.prepare_cached(
        "SELECT quota_window, calls FROM observed_limits
         WHERE corp = ?1 AND api = ?2 AND times >= ?3
             AND seen_at > (SELECT coalesce(read_at, 0) FROM ledger) - ?4
         ORDER BY quota_window",
    )?;
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let mut rows = list.query(params![key.corp, key.api.code(), TIMES, kept])?;
    let mut limits = Vec::new();
    while let Some(row) = rows.next()? {
        if let Ok(window) = row.get::<_, String>(0)?.parse() {
            limits.push((window, row.get::<_, i64>(1)?.unsigned_abs()));
        }
    }
    Ok(limits)
}
