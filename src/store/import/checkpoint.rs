//! Checkpoints beside an import: what one core appends to the log, the other copies into the file.
//!
//! A run needs none of this: its log is as long as its answers, and inline checkpoints are a few a
//! minute. An import writes the log as fast as it can, and would wait for every copy of it.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::store::{Result, StoreError, schema::FLAGS};

/// Transactions after which the copying is waited for, so that the log begins anew: some 60 MB.
const MOST_BEHIND: usize = 8;

/// A thread that copies the log, once there is one to copy. It has ended when this is dropped: no
/// connection may outlive the lock on the file.
pub(super) struct Checkpoints {
    path: PathBuf,
    copier: Option<Copier>,
    /// Transactions whose copying was not waited for yet.
    behind: usize,
}

impl Checkpoints {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            copier: None,
            behind: 0,
        }
    }

    /// A transaction more is in the log. Between two of them: the log can only begin anew while
    /// nobody writes.
    pub(super) fn committed(&mut self) -> Result<()> {
        let copier = match &mut self.copier {
            Some(copier) => copier,
            none => none.insert(Copier::start(&self.path)?),
        };
        // If the thread is gone, so is the other end of what it would have told.
        let _ = copier.ask.send(());
        self.behind += 1;
        if self.behind == MOST_BEHIND {
            for _ in 0..std::mem::take(&mut self.behind) {
                copier.told.recv().map_err(|_| gone())??;
            }
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some(Copier { ask, thread, .. }) = self.copier.take() {
            drop(ask);
            let _ = thread.join();
        }
    }
}

fn gone() -> StoreError {
    std::io::Error::other("the thread that copies the log is gone").into()
}

/// It makes one checkpoint whenever it is asked, and ends with its asker.
struct Copier {
    ask: Sender<()>,
    told: Receiver<rusqlite::Result<()>>,
    thread: JoinHandle<()>,
}

impl Copier {
    fn start(path: &Path) -> Result<Self> {
        let (ask, asked) = channel();
        let (tell, told) = channel();
        let db = Connection::open_with_flags(path, FLAGS)?;
        let copy = move || {
            for () in asked {
                // Passive: it takes what is whole in the log, and never makes the writer wait.
                let copied = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if tell.send(copied).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(copy)?;
        Ok(Self { ask, told, thread })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, store::Store};

    #[test]
    fn the_log_begins_anew_and_nothing_of_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let db = &store.db;
        db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        db.execute_batch("CREATE TABLE t (bytes BLOB)").unwrap();
        let mut checkpoints = Checkpoints::of(path.clone());
        let transaction = "BEGIN IMMEDIATE; INSERT INTO t VALUES (zeroblob(400000)); COMMIT";
        for _ in 0..10 * MOST_BEHIND {
            db.execute_batch(transaction).unwrap();
            checkpoints.committed().unwrap();
        }
        let log = folder.path().join("state.db-wal").metadata().unwrap().len();
        assert!(log < 2 * MOST_BEHIND as u64 * 400_000, "{log} bytes of log");
        let sum = "SELECT sum(length(bytes)) / 400000 FROM t";
        let transactions: i64 = db.query_row(sum, [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(transactions), Ok(10 * MOST_BEHIND));
    }
}
