//! Opening: prepare the file, take the lock, upgrade, set the pragmas.
//!
//! *Locking*: whoever writes holds `File::try_lock` (`flock`) on the state file itself; it dies
//! with the process. SQLite's own locks are of another kind (`fcntl`) and are not disturbed, as
//! long as this process closes no other handle of the file while SQLite has it open; so the
//! lock is dropped after the connection. *Readers* (`status`, `export`) take no lock: WAL lets
//! them read beside a run. *Compatibility*: `user_version` counts the migrations applied; a file
//! with more of them than this program knows is refused. *Network disks*: WAL needs shared
//! memory, so the file must lie on a local disk.

use std::{
    fs::{File, OpenOptions, Permissions, TryLockError},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::StoreError;
use crate::clock::Timestamp;

/// `migrations/job/`, in order. It only grows.
const JOB: &[&str] = &[include_str!("../../migrations/job/0001_job.sql")];

/// No mutex: a connection belongs to one thread.
pub(super) const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Opens the state file for writing: locked, upgraded, ready.
pub(super) fn open_locked(path: &Path) -> Result<(Connection, File), StoreError> {
    let lock = take(path)?;
    let mut db = Connection::open_with_flags(path, FLAGS)?;
    pragmas(&db)?;
    upgrade(path, &mut db, JOB)?;
    Ok((db, lock))
}

/// Opens an existing state file for reading beside whoever writes it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(missing(path));
    }
    // Read-write at SQLite's level: a reader of a WAL file may have to make its shared memory.
    let db = Connection::open_with_flags(path, FLAGS).map_err(|error| cannot_open(path, error))?;
    // Who only reads leaves the bytes as they are: a log that somebody else has left behind is
    // folded in by the next writer, not when the last reader closes.
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

/// How many migrations were applied. One that nobody can have written counts as too many.
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

/// Makes the file if need be, for its owner's eyes only, and locks it.
fn take(path: &Path) -> Result<File, StoreError> {
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
    let path = path.to_owned();
    StoreError::Missing { path }
}

fn newer(path: &Path) -> StoreError {
    let path = path.to_owned();
    StoreError::Newer { path }
}

fn cannot_open(path: &Path, error: impl std::fmt::Display) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

/// Who holds it, by their own word in the file.
fn held(path: &Path) -> StoreError {
    let who = open_to_read(path).ok().and_then(|db| {
        db.query_row("SELECT holder_pid, held_since FROM job", [], |row| {
            Ok((row.get::<_, Option<u32>>(0)?, row.get::<_, Option<i64>>(1)?))
        })
        .ok()
    });
    let (pid, since) = who.unwrap_or_default();
    StoreError::Held {
        path: path.to_owned(),
        pid: pid.unwrap_or_default(),
        since: Timestamp::from_millis(since.unwrap_or_default()),
    }
}

/// What was measured to be fast and safe: a group commit makes FULL free.
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
    fn the_migrations_apply_to_an_empty_file_and_once() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(upgraded(&mut db, JOB).unwrap(), JOB.len());
        assert_eq!(upgraded(&mut db, JOB).unwrap(), JOB.len());
    }

    #[test]
    fn a_file_gets_what_it_lacks() {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(upgraded(&mut db, &[ONE]).unwrap(), 1);
        assert_eq!(upgraded(&mut db, &[ONE, TWO]).unwrap(), 2);
        db.execute("INSERT INTO one (x, y) VALUES (1, 2)", [])
            .unwrap();
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_behind() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = format!("{TWO} INSERT INTO nowhere VALUES (1);");
        upgraded(&mut db, &[ONE, &broken]).unwrap_err();
        assert_eq!(version(&db).unwrap(), 1);
        assert_eq!(upgraded(&mut db, &[ONE, TWO]).unwrap(), 2);
    }

    #[test]
    fn a_file_with_more_migrations_than_these_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        for written in [2, -1] {
            db.pragma_update(None, "user_version", written).unwrap();
            let error = upgraded(&mut db, &[ONE]).unwrap_err();
            assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        }
    }
}
