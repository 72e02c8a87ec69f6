//! Checkpoints during an import: a second thread copies the log into the file, while the first
//! appends to the log.
//!
//! A run does not need this: its log grows by its answers alone, and SQLite checkpoints it a few
//! times a minute. An import fills the log as fast as it can and would wait for every checkpoint.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::store::{
    error::{Result, StoreError},
    sqlite_file::FLAGS,
};

/// Transactions after which all checkpoints are waited for, so that SQLite restarts the log: about
/// 60 MB.
const MOST_PENDING: usize = 8;

/// Checkpoints on a thread of their own, which starts with the first one and has ended when this is
/// dropped: no connection may outlive the lock on the file.
pub(super) struct Checkpoints {
    path: PathBuf,
    thread: Option<CheckpointThread>,
    /// Checkpoints requested and not waited for.
    pending: usize,
}

impl Checkpoints {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            thread: None,
            pending: 0,
        }
    }

    /// Requests a checkpoint. To be called between transactions: the log is only restarted while
    /// there is no writer.
    pub(super) fn committed(&mut self) -> Result<()> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => none.insert(CheckpointThread::start(&self.path)?),
        };
        // If the thread is gone, receiving below fails.
        let _ = thread.requests.send(());
        self.pending += 1;
        if self.pending == MOST_PENDING {
            for _ in 0..std::mem::take(&mut self.pending) {
                thread.results.recv().map_err(|_| thread_is_gone())??;
            }
        }
        Ok(())
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        if let Some(CheckpointThread {
            requests, handle, ..
        }) = self.thread.take()
        {
            drop(requests);
            let _ = handle.join();
        }
    }
}

fn thread_is_gone() -> StoreError {
    std::io::Error::other("the checkpoint thread has ended").into()
}

/// Makes one checkpoint for each request, and ends when the requests are dropped.
struct CheckpointThread {
    requests: Sender<()>,
    results: Receiver<rusqlite::Result<()>>,
    handle: JoinHandle<()>,
}

impl CheckpointThread {
    fn start(path: &Path) -> Result<Self> {
        let (requests, requested) = channel();
        let (done, results) = channel();
        let db = Connection::open_with_flags(path, FLAGS)?;
        let run = move || {
            for () in requested {
                // Passive: copies what is committed and never blocks the writer.
                let result = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if done.send(result).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("checkpoints".to_owned());
        Ok(Self {
            requests,
            results,
            handle: thread.spawn(run)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, store::Store};

    #[test]
    fn log_is_restarted_and_nothing_of_it_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let db = &store.db;
        db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        db.execute_batch("CREATE TABLE t (bytes BLOB)").unwrap();
        let mut checkpoints = Checkpoints::of(path.clone());
        let transaction = "BEGIN IMMEDIATE; INSERT INTO t VALUES (zeroblob(400000)); COMMIT";
        for _ in 0..10 * MOST_PENDING {
            db.execute_batch(transaction).unwrap();
            checkpoints.committed().unwrap();
        }
        let log = folder.path().join("state.db-wal").metadata().unwrap().len();
        let most = 2 * MOST_PENDING as u64 * 400_000;
        assert!(log < most, "{log} bytes of log");
        let sum = "SELECT sum(length(bytes)) / 400000 FROM t";
        let transactions: i64 = db.query_row(sum, [], |row| row.get(0)).unwrap();
        assert_eq!(usize::try_from(transactions), Ok(10 * MOST_PENDING));
    }
}
