//! Opening an SQLite file of idferry's: told from any other file before a byte or a mode of it
//! changes, locked, migrated, in WAL mode.
//!
//! * **Whose it is**: the header holds an `application_id`, written before anything else. A file
//!   that exists, is not empty and does not hold it is refused, and so is whatever is no file.
//! * **Whole**: without a log, the file is as long as its header says; a shorter one was cut.
//! * **Where**: WAL needs shared memory and locks between processes, which only a local disk has.
//!   That WAL is on is read back.
//! * **Locks**: SQLite's locks (`fcntl`) are lost as soon as this process closes any handle of the
//!   file. Therefore the check opens the file through SQLite, which postpones the closing, and a
//!   [`HeldFile`] is to be dropped after the connection.

mod header;

use std::{
    fs::{File, Metadata, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, config::DbConfig};

use self::header::{FileHeader, open_immutable};
use super::{
    error::{FileKind, Result, StoreError},
    local_disk::{has_log, is_read_only_folder, log_of, network_file_system},
};

/// Without a mutex: a connection is used by one thread only.
pub(super) const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Only the owner reads and writes it.
const MODE: u32 = 0o600;

/// What tells one kind of idferry's files from all other files.
pub(crate) struct SqliteFormat {
    /// What it is called in messages.
    pub(crate) kind: FileKind,
    /// The number in the header of the file.
    pub(crate) application_id: i32,
    /// Applied in order; `user_version` says how many have been. Released ones are never changed,
    /// new ones are appended.
    pub(crate) migrations: &'static [&'static str],
}

/// A file that is open for writing: holds its lock, and tells whether it is still where it was.
pub(crate) struct HeldFile {
    path: PathBuf,
    file: File,
    /// Device and inode of the file, and of its log.
    identities: [Option<(u64, u64)>; 2],
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A file of no bytes, which may become one of ours.
    Empty,
    Ours,
}

/// Who else may have the file open for writing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writers {
    /// Nobody else: the lock is kept.
    One,
    /// Anybody: the lock is released once the file is made and migrated.
    Many,
}

impl SqliteFormat {
    /// Opens or creates the file for one writer. It is locked until the [`HeldFile`] is dropped,
    /// which is to happen after the connection is.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`], without the holder, besides those of [`open_shared`](Self::open_shared).
    pub(crate) fn open_exclusive(&self, path: &Path) -> Result<(Connection, HeldFile)> {
        self.open(path, Writers::One)
    }

    /// Opens or creates the file for one of many writers. The [`HeldFile`] is to be dropped after
    /// the connection is.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotOurs`], [`StoreError::Newer`], [`StoreError::NetworkDisk`] or
    /// [`StoreError::Open`], besides those that every function of the store can return.
    pub(crate) fn open_shared(&self, path: &Path) -> Result<(Connection, HeldFile)> {
        self.open(path, Writers::Many)
    }

    /// Opens an existing file for reading beside its writers.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`], besides those of [`open_shared`](Self::open_shared).
    pub(crate) fn open_to_read(&self, path: &Path) -> Result<Connection> {
        if self.look_at(path)? != Found::Ours {
            return Err(self.missing(path));
        }
        self.refuse_network(path)?;
        let opened = if !has_log(path) && is_read_only_folder(path) {
            open_immutable(path)
        } else {
            // Read-write for SQLite: a reader of a WAL database may have to create its shared memory.
            Connection::open_with_flags(path, FLAGS)
        };
        let db = opened.map_err(|why| self.cannot_read(path, why))?;
        db.pragma_update(None, "query_only", true)?;
        db.busy_timeout(Duration::from_secs(5))?;
        match version(&db).map_err(|why| self.cannot_read(path, why))? {
            0 => Err(self.missing(path)),
            version if version > self.migrations.len() => Err(self.newer(path)),
            _ => Ok(db),
        }
    }

    fn open(&self, path: &Path, writers: Writers) -> Result<(Connection, HeldFile)> {
        self.look_at(path)?;
        self.refuse_network(path)?;
        let mut held = self.hold(path, writers)?;
        let mut db = Connection::open_with_flags(path, FLAGS)?;
        db.busy_timeout(Duration::from_secs(30))?;
        self.mark(path, &db)?;
        self.pragmas(path, &db)?;
        self.upgrade(path, &mut db)?;
        held.identities = identities(path);
        if writers == Writers::Many {
            held.file
                .unlock()
                .map_err(|why| self.cannot_open(path, why))?;
        }
        Ok((db, held))
    }

    /// Says what lies at `path`, without changing it, and refuses what is not ours.
    fn look_at(&self, path: &Path) -> Result<Found> {
        // Twice, as its writer may have ended between two of the looks.
        match self.look_once(path) {
            Err(StoreError::Damaged(_)) => self.look_once(path),
            found => found,
        }
    }

    fn look_once(&self, path: &Path) -> Result<Found> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(why) => return Err(self.cannot_open(path, why)),
        };
        if !metadata.is_file() {
            return Err(self.not_ours(path, &format!("it is {}", what(&metadata))));
        }
        rustix::fs::access(path, rustix::fs::Access::READ_OK)
            .map_err(|why| self.cannot_open(path, io::Error::from(why)))?;
        if metadata.len() == 0 {
            return Ok(Found::Empty);
        }
        let head = match FileHeader::read(path) {
            Err(why) if why.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(self.not_ours(path, "it is not an SQLite database"));
            }
            head => head?,
        };
        if head.bytes == 0 {
            return Err(self.not_ours(path, "it is not an SQLite database"));
        }
        if head.application_id != self.application_id {
            return Err(self.not_ours(path, "another program made it"));
        }
        if metadata.len() != head.bytes && !has_log(path) {
            let (path, is) = (path.display(), metadata.len());
            let lengths = format!("{path} has {is} bytes, and had {}", head.bytes);
            return Err(StoreError::Damaged(lengths));
        }
        Ok(Found::Ours)
    }

    fn refuse_network(&self, path: &Path) -> Result<()> {
        match network_file_system(path) {
            Some(file_system) => Err(StoreError::NetworkDisk {
                path: path.to_owned(),
                kind: self.kind,
                file_system,
            }),
            None => Ok(()),
        }
    }

    /// Creates the file if it does not exist, locks it, and restricts it to its owner.
    fn hold(&self, path: &Path, writers: Writers) -> Result<HeldFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let opened = options.mode(MODE).open(path);
        let file = opened.map_err(|why| self.cannot_open(path, why))?;
        let locked = match writers {
            Writers::One => file.try_lock(),
            Writers::Many => file.lock().map_err(TryLockError::Error),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path)),
            Err(TryLockError::Error(why)) => return Err(self.cannot_open(path, why)),
        }
        let metadata = file.metadata();
        let metadata = metadata.map_err(|why| self.cannot_open(path, why))?;
        if metadata.mode() & 0o777 != MODE {
            file.set_permissions(Permissions::from_mode(MODE))
                .map_err(|why| self.cannot_open(path, why))?;
        }
        Ok(HeldFile {
            path: path.to_owned(),
            identities: identities(path),
            file,
        })
    }

    /// Writes the application id into an empty file, before it becomes one of WAL: it must be in
    /// the file and not in a log.
    fn mark(&self, path: &Path, db: &Connection) -> Result<()> {
        let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        if number("application_id")? == i64::from(self.application_id) {
            return Ok(());
        }
        if number("page_count")? > 0 {
            return Err(self.not_ours(path, "another program made it"));
        }
        db.pragma_update(None, "application_id", self.application_id)?;
        Ok(())
    }

    /// `FULL` costs little, as each commit settles many answers.
    fn pragmas(&self, path: &Path, db: &Connection) -> Result<()> {
        let mode: String =
            db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("wal") {
            let why = format!("SQLite's write-ahead log does not work there (it stays `{mode}`)");
            return Err(self.cannot_open(path, why));
        }
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "temp_store", "file")?;
        db.pragma_update(None, "cache_size", -8 * 1024)?; // KiB
        db.pragma_update(None, "wal_autocheckpoint", 4000)?; // pages
        db.set_prepared_statement_cache_capacity(64);
        Ok(())
    }

    /// Applies the migrations that the file lacks, each in a transaction of its own.
    fn upgrade(&self, path: &Path, db: &mut Connection) -> Result<()> {
        let applied = version(db)?;
        if applied > self.migrations.len() {
            return Err(self.newer(path));
        }
        for (version, sql) in (1_i64..).zip(self.migrations).skip(applied) {
            let step = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            step.execute_batch(sql)?;
            step.pragma_update(None, "user_version", version)?;
            step.commit()?;
        }
        Ok(())
    }

    /// The error that there is no such file.
    pub(crate) fn missing(&self, path: &Path) -> StoreError {
        StoreError::Missing {
            path: path.to_owned(),
            kind: self.kind,
        }
    }

    fn newer(&self, path: &Path) -> StoreError {
        StoreError::Newer {
            path: path.to_owned(),
            kind: self.kind,
        }
    }

    fn not_ours(&self, path: &Path, why: &str) -> StoreError {
        StoreError::NotOurs {
            path: path.to_owned(),
            kind: self.kind,
            why: why.to_owned(),
        }
    }

    fn cannot_open(&self, path: &Path, why: impl ToString) -> StoreError {
        StoreError::Open {
            path: path.to_owned(),
            kind: self.kind,
            why: why.to_string(),
        }
    }

    /// SQLite says no more than that it cannot open a file: which one is told here.
    fn cannot_read(&self, path: &Path, why: rusqlite::Error) -> StoreError {
        let code = why.sqlite_error_code();
        if !matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) {
            return why.into();
        }
        let log = log_of(path);
        let log = log.display();
        let why = format!(
            "beside it lies {log}, which can only be read in a folder that may be written: copy both into one"
        );
        self.cannot_open(path, why)
    }
}

impl HeldFile {
    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to the file that is held.
    pub(crate) fn is_same_file(&self) -> bool {
        identities(&self.path)[0] == self.identities[0]
    }

    /// Whether the path still leads to the file that is held, and its log lies beside it.
    pub(crate) fn is_in_place(&self) -> bool {
        identities(&self.path) == self.identities
    }
}

/// A reader changes nothing: a log left behind by a killed writer is copied into the file by the
/// next writer, and not when the last reader closes. To be called before a reader's connection is
/// closed.
pub(super) fn keep_log(db: &Connection) {
    let _ = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keeps_log(db));
}

/// Whether a log with content lies beside the file of `db`.
pub(super) fn keeps_log(db: &Connection) -> bool {
    db.path().is_some_and(|path| has_log(Path::new(path)))
}

/// Returns device and inode of the file and of its log, as far as they exist.
fn identities(path: &Path) -> [Option<(u64, u64)>; 2] {
    let identity = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    [identity(path), identity(&log_of(path))]
}

/// Returns how many migrations were applied; an impossible number counts as too many.
fn version(db: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn what(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// The holder is unknown here.
fn held(path: &Path) -> StoreError {
    StoreError::Held {
        path: path.to_owned(),
        holder: "it has not told its pid yet".to_owned(),
    }
}

#[cfg(test)]
mod tests;
