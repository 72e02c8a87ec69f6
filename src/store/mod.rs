//! The state file: the only place that knows SQL.
//!
//! One process writes it, under a lock ([`Store`]); others may read beside it ([`Reader`]).
//! Subjects are appended in the order of first appearance and processed in that order, so that
//! outcomes and links are appended too. Everything valuable is in a transaction the moment it
//! exists; access tokens and secrets are never in it, the ticket is, which is why its mode is 0600.

mod commit;
mod error;
mod exports;
mod import;
mod ledger;
mod multi_insert;
mod reader;
mod rejects;
mod runs;
mod schema;
mod subjects;
mod ticket;

use std::{collections::HashMap, fs::File, path::Path};

use rusqlite::{Connection, OptionalExtension};

pub use commit::{Batch, Settled};
pub use error::StoreError;
pub use import::{Import, ImportStats};
pub use ledger::Exchange;
pub use reader::{Answer, QuotaStatus, Reader, SourceStatus};
pub use rejects::Reject;
pub use runs::{Progress, RunId, RunStatus};
pub use ticket::Application;

use crate::{
    clock::Timestamp,
    model::{State, Tally},
};

/// What everything in the store answers with.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The state file, held for writing. The connection closes before the lock is given up.
pub struct Store {
    db: Connection,
    path: std::path::PathBuf,
    tally: Tally,
    corps: Corps,
    _lock: File,
}

impl Store {
    /// Opens or makes the state file, takes the lock, upgrades it, and undoes an import that was
    /// cut short.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`], [`StoreError::Newer`], or what the disk says.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        let (db, lock) = schema::open_locked(path)?;
        db.execute(
            "UPDATE job SET holder_pid = ?1, held_since = ?2",
            (std::process::id(), now.as_millis()),
        )?;
        import::undo_unfinished(&db)?;
        let (tally, corps) = (tally(&db)?, corps(&db)?);
        let path = path.to_owned();
        Ok(Self {
            db,
            path,
            tally,
            corps,
            _lock: lock,
        })
    }

    /// Checks that the file may be this corp's; changes nothing.
    ///
    /// A corp owns the file once something of it is inside: calls charged, answers, a penalty, an
    /// application for a ticket. Until then its name is the word of an environment variable, in
    /// which there may be a slip.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherCorp`].
    pub fn check_corp(&self, corp_id: &str) -> Result<()> {
        let owner: Option<Option<String>> =
            self.db.query_row(OWNER, [], |row| row.get(0)).optional()?;
        match owner.flatten() {
            // The clear form of a corpid ignores case (/document/39442).
            Some(theirs) if !theirs.eq_ignore_ascii_case(corp_id) => Err(StoreError::OtherCorp {
                path: self.path.clone(),
                theirs,
                ours: corp_id.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Binds the file to a corp, unless another [owns](Self::check_corp) it.
    ///
    /// # Errors
    ///
    /// [`StoreError::OtherCorp`].
    pub fn bind_corp(&mut self, corp_id: &str) -> Result<()> {
        self.check_corp(corp_id)?;
        self.db.execute(
            "UPDATE job SET corp_id = ?1 WHERE corp_id IS NULL OR corp_id <> ?1 COLLATE NOCASE",
            [corp_id],
        )?;
        Ok(())
    }

    /// Takes the corp out, and its ticket with it; quota, subjects and answers stay. For the copy
    /// that a rehearsal plays on, with a corp of its own.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn clear_corp(&mut self) -> Result<()> {
        self.db
            .execute_batch("UPDATE job SET corp_id = NULL; DELETE FROM tickets")?;
        Ok(())
    }

    /// How many subjects stand in each state.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits faster and loses nothing but the last moments if the power fails; for rehearsals,
    /// whose file is thrown away.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn disable_fsync(&self) -> Result<()> {
        self.db.pragma_update(None, "synchronous", "off")?;
        Ok(())
    }

    /// The same file, for reading.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open(&self.path)
    }

    /// Forgets the numbers of corps that a rollback has taken back.
    fn recall_corps(&mut self) -> Result<()> {
        self.corps.clear();
        self.corps = corps(&self.db)?;
        Ok(())
    }
}

/// Corps and their numbers.
type Corps = HashMap<Box<str>, i64>;

/// The number of a corp, given one if it is new.
fn corp_number(db: &Connection, corps: &mut Corps, corpid: &str) -> Result<i64> {
    if let Some(corp) = corps.get(corpid) {
        return Ok(*corp);
    }
    let mut insert = db.prepare_cached("INSERT INTO corps (corpid) VALUES (?1) RETURNING id")?;
    let corp = insert.query_row([corpid], |row| row.get(0))?;
    corps.insert(corpid.into(), corp);
    Ok(corp)
}

/// The corp that the file is bound to, if something in it is that corp's.
const OWNER: &str = "SELECT corp_id FROM job WHERE EXISTS (SELECT 1 FROM outcomes)
    OR EXISTS (SELECT 1 FROM charges) OR EXISTS (SELECT 1 FROM tickets)
    OR EXISTS (SELECT 1 FROM lanes WHERE open_metered + open_ticketed > 0 OR block_until > 0)";

fn tally(db: &Connection) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut list = db.prepare_cached("SELECT state, subjects FROM tallies")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(state) = State::from_code(row.get(0)?) {
            tally.set(state, row.get::<_, i64>(1)?.unsigned_abs());
        }
    }
    Ok(tally)
}

fn save_tally(db: &Connection, tally: &Tally) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE tallies SET subjects = ?2 WHERE state = ?1")?;
    for state in State::ALL {
        update.execute((state as u8, tally.of(state).cast_signed()))?;
    }
    Ok(())
}

fn corps(db: &Connection) -> Result<Corps> {
    let mut list = db.prepare("SELECT corpid, id FROM corps")?;
    let corps = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(corps.collect::<std::result::Result<_, _>>()?)
}
