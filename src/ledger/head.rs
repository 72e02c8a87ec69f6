//! The one row of the ledger: the number of the last change, and the clocks at it.

use rusqlite::{Connection, params};

use crate::clock::{ClockReading, MonotonicTime, RemoteClock, Timestamp};

/// The number of the last change.
pub(super) fn revision(db: &Connection) -> rusqlite::Result<i64> {
    let mut find = db.prepare_cached("SELECT revision FROM ledger")?;
    find.query_row([], |row| row.get(0))
}

pub(super) fn set_revision(db: &Connection, revision: i64) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached("UPDATE ledger SET revision = ?1")?;
    update.execute([revision]).map(drop)
}

pub(super) fn reading(db: &Connection) -> rusqlite::Result<Option<ClockReading>> {
    let mut find = db.prepare_cached(
        "SELECT read_at, read_wall, read_boot, read_monotonic, read_remote, read_remote_boot
         FROM ledger",
    )?;
    find.query_row([], |row| {
        let Some(at) = row.get::<_, Option<i64>>(0)? else {
            return Ok(None);
        };
        let remote = match row.get::<_, Option<i64>>(4)? {
            None => None,
            Some(ahead_millis) => Some(RemoteClock {
                ahead_millis,
                boot: row.get::<_, i64>(5)?.cast_unsigned(),
            }),
        };
        Ok(Some(ClockReading {
            at: Timestamp::from_millis(at),
            wall: Timestamp::from_millis(row.get(1)?),
            monotonic: MonotonicTime {
                boot: row.get::<_, i64>(2)?.cast_unsigned(),
                millis: row.get(3)?,
            },
            remote,
        }))
    })
}

/// The clocks of the last change, if by them ledger time is further than `now` says.
pub(super) fn reading_ahead_of(
    db: &Connection,
    now: &ClockReading,
) -> rusqlite::Result<Option<ClockReading>> {
    let known = reading(db)?;
    Ok(known.filter(|known| known.time_at(now.monotonic) > now.at))
}

pub(super) fn save_reading(db: &Connection, now: &ClockReading) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE ledger SET read_at = ?1, read_wall = ?2, read_boot = ?3, read_monotonic = ?4,
             read_remote = ?5, read_remote_boot = ?6",
    )?;
    let remote = now.remote;
    update
        .execute(params![
            now.at.as_millis(),
            now.wall.as_millis(),
            now.monotonic.boot.cast_signed(),
            now.monotonic.millis,
            remote.map(|remote| remote.ahead_millis),
            remote.map(|remote| remote.boot.cast_signed()),
        ])
        .map(drop)
}
