//! The ledger on disk: one SQLite database for all corps of a user, shared by any number of
//! processes.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    head,
    key::AccountKey,
    rows::{self, StoredAccount},
    shared,
};
use crate::{
    clock::{Clock, LedgerClock, Timestamp},
    model::Api,
    quota::{BLOCK, WriterCounters},
    store::{FileKind, HeldFile, Result, SqliteFormat, StoreError},
};

/// The ledger's format.
const FORMAT: SqliteFormat = SqliteFormat {
    kind: FileKind {
        name: "ledger",
        flag: "--ledger",
    },
    application_id: i32::from_be_bytes(*b"idfl"),
    migrations: &[include_str!("../../migrations/ledger/0001_ledger.sql")],
};

/// The ledger, open for reading and writing beside other processes.
pub struct Ledger {
    // Fields are dropped in this order: the connection closes before the file.
    pub(super) db: Connection,
    path: PathBuf,
    /// `None` in memory.
    held: Option<HeldFile>,
}

impl Ledger {
    /// Opens or creates the ledger at `path`, mode 0600, and its folder, mode 0700.
    ///
    /// # Errors
    ///
    /// Those of opening an SQLite file for many writers.
    pub fn open(path: &Path) -> Result<Self> {
        create_folder(path).map_err(|why| failed(path, &why.to_string()))?;
        let (db, held) = FORMAT.open_shared(path)?;
        let ledger = Self {
            db,
            path: path.to_owned(),
            held: Some(held),
        };
        // What a ticket leaves behind in pages that are free again.
        ledger.run(|db| db.pragma_update(None, "secure_delete", true))?;
        Ok(ledger)
    }

    /// Opens an existing ledger for reading alone: nothing of it is changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Missing`] if there is none, besides those of [`open`](Self::open).
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Ok(Self {
            db: FORMAT.open_to_read(path)?,
            path: path.to_owned(),
            held: None,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stops waiting for the disk at every exchange: for ledgers that are deleted afterwards, such
    /// as a rehearsal's.
    pub(crate) fn disable_fsync(&self) -> Result<()> {
        self.run(|db| db.pragma_update(None, "synchronous", "off"))
    }

    /// Opens an empty ledger in memory, which [`adopt`](Self::adopt) fills.
    pub(crate) fn in_memory() -> Result<Self> {
        let path = Path::new(":memory:");
        let open = || {
            let db = Connection::open_in_memory()?;
            FORMAT
                .migrations
                .iter()
                .try_for_each(|sql| db.execute_batch(sql))?;
            Ok::<_, rusqlite::Error>(db)
        };
        Ok(Self {
            db: open().map_err(|why| failed(path, &why.to_string()))?,
            path: path.to_owned(),
            held: None,
        })
    }

    /// Copies what the ledger at `origin` has of `corp`, as that of `copy`, and what other corps have
    /// used of this machine's IP. Nothing is copied if there is no such file.
    pub(crate) fn adopt(&self, origin: &Path, corp: &str, copy: &str) -> Result<()> {
        match FORMAT.open_to_read(origin) {
            Ok(_) => {}
            // It is only just being made.
            Err(StoreError::Missing { .. }) => return Ok(()),
            Err(why) => return Err(why),
        }
        let origin = origin.to_string_lossy();
        self.run(|db| {
            db.execute("ATTACH ?1 AS origin", [origin.as_ref()])?;
            let copied = rows::copy_from_origin(db, corp, copy);
            db.execute("DETACH origin", [])?;
            copied
        })
    }

    /// Raises the counters of `corp` to those in `counters`, which the job file `name` kept; none is
    /// ever lowered. Calls that were in flight there land as late as those of a writer that is gone at
    /// `now`, or at once without it.
    pub fn merge(
        &self,
        (corp, name): (&str, &str),
        counters: &[WriterCounters],
        now: Option<Timestamp>,
    ) -> Result<()> {
        let (seen, lands) = now.map_or_else(Default::default, |now| (now, now.plus(LANDED)));
        self.run(|db| {
            let step = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let revision = head::revision(&step)? + 1;
            let mut raised = false;
            for counters in counters {
                let key = AccountKey::of(corp, counters.api);
                if !rows::is_known(&step, &key, counters.writer)? {
                    rows::see(&step, &key, counters.writer, name, (seen, lands))?;
                }
                raised |= rows::raise(&step, &key, counters, revision)?;
            }
            if raised {
                head::set_revision(&step, revision)?;
            }
            step.commit()
        })
    }

    /// Returns the account of `api` of `corp` as the last change left it, with all calls in flight.
    pub fn load(&self, corp: &str, api: Api) -> Result<StoredAccount> {
        let key = AccountKey::of(corp, api);
        self.run(|db| {
            let open = rows::open_writers(db, api, None)?;
            let mut snapshot = rows::snapshot(db, &key, -1, &open)?;
            snapshot.shared = shared::calls_since(db, &key, -1)?;
            Ok(StoredAccount {
                snapshot,
                reading: head::reading(db)?,
            })
        })
    }

    /// Returns the ledger's clock, and keeps nothing of it.
    pub fn clock(&self, clock: Clock) -> Result<LedgerClock> {
        Ok(LedgerClock::resume(clock, self.run(head::reading)?))
    }

    /// Resumes the ledger's clock, and makes that durable: processes that resume it after a reboot
    /// continue one and the same time.
    pub fn resume_clock(&self, clock: Clock) -> Result<LedgerClock> {
        self.run(|db| {
            let step = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let ledger_clock = LedgerClock::resume(clock, head::reading(&step)?);
            head::save_reading(&step, &ledger_clock.reading())?;
            step.commit()?;
            Ok(ledger_clock)
        })
    }

    /// Returns an error if the file was deleted, moved or replaced since it was opened.
    pub(super) fn check_in_place(&self) -> Result<()> {
        if self.held.as_ref().is_none_or(HeldFile::is_same_file) {
            return Ok(());
        }
        let why = "the file was deleted, moved or replaced while a run used it";
        Err(failed(&self.path, why))
    }

    pub(super) fn run<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        work(&self.db).map_err(|why| self.failed(&why))
    }

    pub(super) fn failed(&self, why: &rusqlite::Error) -> StoreError {
        failed(&self.path, &why.to_string())
    }
}

/// When calls of a writer that is gone have landed, of which a job file tells that they were in
/// flight: the end of their block, and the time-out of a call.
const LANDED: Duration = Duration::from_secs(BLOCK.as_secs() + 30);

fn failed(path: &Path, why: &str) -> StoreError {
    StoreError::Ledger {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

fn create_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.exists() => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)
        }
        _ => Ok(()),
    }
}
