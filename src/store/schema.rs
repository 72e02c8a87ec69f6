//! Opening the job file: create, lock, migrate, set the pragmas. The rules are in
//! [`store`](super).

use std::{
    fs::{File, OpenOptions, Permissions, TryLockError},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::error::StoreError;
use crate::clock::Timestamp;

/// `migrations/job/`, in order. Released ones are never changed, new ones are appended.
const JOB: &[&str] = &[include_str!("../../migrations/job/0001_job.sql")];

/// Without a mutex: a connection is used by one thread only.
pub(super) const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Opens the job file for writing: created if need be, locked, migrated.
pub(super) fn open_locked(path: &Path) -> Result<(Connection, File), StoreError> {
    let lock = create_and_lock(path)?;
    let mut db = Connection::open_with_flags(path, FLAGS)?;
    pragmas(&db)?;
    upgrade(path, &mut db, JOB)?;
    Ok((db, lock))
}

/// Opens an existing job file for reading beside its writer.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(missing(path));
    }
    // Read-write for SQLite: a reader of a WAL database may have to create its shared memory.
    let db = Connection::open_with_flags(path, FLAGS).map_err(|error| cannot_open(path, error))?;
    // A reader changes nothing: a log left behind by a killed writer is checkpointed by the next
    // writer, not when the last reader closes.
    let config = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    db.set_db_config(config, has_log(path))?;
    db.pragma_update(None, "query_only", true)?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    check_version(path, &db)?;
    Ok(db)
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

fn check_version(path: &Path, db: &Connection) -> Result<(), StoreError> {
    match version(db)? {
        0 => Err(missing(path)),
        version if version > JOB.len() => Err(newer(path)),
        _ => Ok(()),
    }
}

/// Returns how many migrations were applied; an impossible number counts as too many.
fn version(db: &Connection) -> Result<usize, rusqlite::Error> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Applies the migrations that the file lacks, each in a transaction of its own.
fn upgrade(path: &Path, db: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let applied = version(db)?;
    if applied > migrations.len() {
        return Err(newer(path));
    }
    for (version, sql) in (1_i64..).zip(migrations).skip(applied) {
        let step = db.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

/// Creates the file if it does not exist, restricts it to its owner, and locks it.
fn create_and_lock(path: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| cannot_open(path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            drop(file);
            return Err(held(path));
        }
        Err(TryLockError::Error(error)) => return Err(cannot_open(path, error)),
    }
    file.set_permissions(Permissions::from_mode(0o600))
        .map_err(|error| cannot_open(path, error))?;
    Ok(file)
}

fn missing(path: &Path) -> StoreError {
    StoreError::Missing {
        path: path.to_owned(),
    }
}

fn newer(path: &Path) -> StoreError {
    StoreError::Newer {
        path: path.to_owned(),
    }
}

fn cannot_open(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

/// Reads from the file which process holds it.
fn held(path: &Path) -> StoreError {
    let holder = open_to_read(path).ok().and_then(|db| {
        db.query_row("SELECT holder_pid, held_since FROM job", [], |row| {
            let since = Timestamp::from_millis(row.get(1)?);
            Ok(format!("pid {}, since {since}", row.get::<_, u32>(0)?))
        })
        .ok()
    });
    StoreError::Held {
        path: path.to_owned(),
        holder: holder.unwrap_or_else(|| "it has not told its pid yet".to_owned()),
    }
}

/// `FULL` costs little, as each commit settles many answers.
fn pragmas(db: &Connection) -> Result<(), rusqlite::Error> {
    db.busy_timeout(std::time::Duration::from_secs(30))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "temp_store", "file")?;
    db.pragma_update(None, "cache_size", -8 * 1024)?; // KiB
    db.pragma_update(None, "wal_autocheckpoint", 4000)?; // pages
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "CREATE TABLE one (x INTEGER) STRICT;";
    const TWO: &str = "ALTER TABLE one ADD COLUMN y INTEGER;";

    fn upgraded(db: &mut Connection, migrations: &[&str]) -> Result<usize, StoreError> {
        upgrade(Path::new("idferry.db"), db, migrations)?;
        Ok(version(db)?)
    }

    #[test]
    fn migrations_apply_once_to_an_empty_file() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(upgraded(&mut db, JOB).unwrap(), JOB.len());
        assert_eq!(upgraded(&mut db, JOB).unwrap(), JOB.len());
    }

    #[test]
    fn missing_migrations_are_applied() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(upgraded(&mut db, &[ONE]).unwrap(), 1);
        assert_eq!(upgraded(&mut db, &[ONE, TWO]).unwrap(), 2);
        db.execute("INSERT INTO one (x, y) VALUES (1, 2)", [])
            .unwrap();
    }

    #[test]
    fn failed_migration_leaves_nothing_behind() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = format!("{TWO} INSERT INTO nowhere VALUES (1);");
        upgraded(&mut db, &[ONE, &broken]).unwrap_err();
        assert_eq!(version(&db).unwrap(), 1);
        assert_eq!(upgraded(&mut db, &[ONE, TWO]).unwrap(), 2);
    }

    #[test]
    fn file_with_unknown_migrations_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        for written in [2, -1] {
            db.pragma_update(None, "user_version", written).unwrap();
            let error = upgraded(&mut db, &[ONE]).unwrap_err();
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        }
    }
}
