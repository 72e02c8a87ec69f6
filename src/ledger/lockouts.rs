//! The lockouts of accounts.

use rusqlite::{Connection, OptionalExtension, params};

use super::key::AccountKey;
use crate::{
    clock::Timestamp,
    model::Api,
    quota::{Lockout, LockoutLevel, Probe, RefusedAt},
};

/// The lockout of an account.
pub(super) fn find(db: &Connection, key: &AccountKey) -> rusqlite::Result<Lockout> {
    let mut find = db.prepare_cached(
        "SELECT level, until, days, probe_until, refused_with_ticket, refused_minute, refused_hour,
                refused_day
         FROM lockouts WHERE corp = ?1 AND api = ?2",
    )?;
    let found = find.query_row(params![key.corp, key.api.code()], |row| {
        Ok(Lockout {
            level: LockoutLevel::from_code(row.get(0)?),
            until: Timestamp::from_millis(row.get(1)?),
            days: row.get(2)?,
            probe: Probe::until(Timestamp::from_millis(row.get(3)?)),
            refused_at: RefusedAt {
                with_ticket: row.get(4)?,
                minute: row.get::<_, i64>(5)?.unsigned_abs(),
                hour: row.get::<_, i64>(6)?.unsigned_abs(),
                day: row.get::<_, i64>(7)?.unsigned_abs(),
            },
        })
    });
    Ok(found.optional()?.unwrap_or_default())
}

pub(super) fn save(db: &Connection, key: &AccountKey, lockout: &Lockout) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT OR REPLACE INTO lockouts (corp, api, level, until, days, probe_until,
             refused_with_ticket, refused_minute, refused_hour, refused_day)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let refused_at = &lockout.refused_at;
    upsert
        .execute(params![
            key.corp,
            key.api.code(),
            lockout.level as u8,
            lockout.until.as_millis(),
            lockout.days,
            lockout.probe.end().as_millis(),
            refused_at.with_ticket,
            refused_at.minute.cast_signed(),
            refused_at.hour.cast_signed(),
            refused_at.day.cast_signed(),
        ])
        .map(drop)
}

/// Imposes `lockout` of one account on every corp that calls `api` from this machine, unless a longer
/// one is in force there: the IP is locked out.
pub(super) fn save_of_ip(db: &Connection, api: Api, lockout: &Lockout) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO lockouts SELECT DISTINCT corp, api, ?2, ?3, ?4, 0, 0, 0, 0, 0
             FROM writers WHERE api = ?1
         ON CONFLICT (corp, api) DO UPDATE SET level = excluded.level, until = excluded.until,
             days = excluded.days, probe_until = 0
         WHERE until < excluded.until",
    )?;
    let (level, until) = (lockout.level as u8, lockout.until.as_millis());
    upsert
        .execute(params![api.code(), level, until, lockout.days])
        .map(drop)
}
