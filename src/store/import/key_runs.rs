//! The keys of known subjects: one sorted run for each import, stored in rows of a few thousand
//! pairs. Many runs are compacted into one.

use std::{
    io::{BufWriter, IntoInnerError, Read, Seek, SeekFrom, Write},
    path::Path,
};

use rusqlite::{Connection, OptionalExtension, params};
use tempfile::{SpooledTempFile, spooled_tempfile_in};

use super::merge::{Merge, Pair, SortedStream};
use crate::store::error::Result;

/// Bytes of a new run that are kept in memory before a file is created.
const SPOOLED_IN_MEMORY: usize = 2 << 20;
/// Pairs in a row of `key_chunks`: 52 KB.
const PAIRS_A_CHUNK: usize = 4096;
/// Runs kept before the next import compacts them.
const MOST_RUNS: usize = 8;
/// Bytes of a stored pair: the hash, and 40 bits of the id.
const PAIR: usize = 13;

/// The runs in the job file.
pub(super) struct KeyRuns {
    numbers: Vec<i64>,
}

impl KeyRuns {
    pub(super) fn of(db: &Connection) -> Result<Self> {
        let mut list = db.prepare("SELECT DISTINCT run FROM key_chunks ORDER BY run")?;
        let numbers = list.query_map([], |row| row.get(0))?;
        Ok(Self {
            numbers: numbers.collect::<std::result::Result<_, _>>()?,
        })
    }

    /// Returns the pairs of all runs in ascending order.
    pub(super) fn sorted<'c>(&self, db: &'c Connection) -> Result<Merge<StoredRun<'c>>> {
        let runs = self.numbers.iter().map(|number| StoredRun {
            db,
            number: *number,
            chunk: 0,
            pairs: Vec::new().into_iter(),
        });
        Merge::new(runs.collect())
    }

    /// Whether the next run is to take in all of these.
    pub(super) fn are_many(&self) -> bool {
        self.numbers.len() >= MOST_RUNS
    }

    /// Returns the number of the next run.
    pub(super) fn next(&self) -> i64 {
        self.numbers.last().map_or(1, |number| number + 1)
    }
}

/// A run in the job file, read chunk by chunk.
pub(super) struct StoredRun<'c> {
    db: &'c Connection,
    number: i64,
    chunk: i64,
    pairs: std::vec::IntoIter<Pair>,
}

impl SortedStream for StoredRun<'_> {
    type Item = Pair;

    fn next(&mut self) -> Result<Option<Pair>> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Ok(Some(pair));
            }
            let mut find = self.db.prepare_cached(
                "SELECT id, pairs FROM key_chunks WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT 1",
            )?;
            let mut rows = find.query(params![self.number, self.chunk])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            self.chunk = row.get(0)?;
            let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
            let pairs: Vec<Pair> = bytes.chunks_exact(PAIR).map(unpack).collect();
            self.pairs = pairs.into_iter();
        }
    }
}

/// Deletes the keys of subjects that are in the table `forgotten`.
pub(in crate::store) fn delete_keys(db: &Connection) -> Result<()> {
    let mut is_forgotten = db.prepare("SELECT 1 FROM forgotten WHERE subject = ?1")?;
    let mut next =
        db.prepare("SELECT id, pairs FROM key_chunks WHERE id > ?1 ORDER BY id LIMIT 1")?;
    let mut chunk = 0;
    loop {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let Some((id, pairs)) = next.query_row([chunk], read).optional()? else {
            return Ok(());
        };
        chunk = id;
        let pairs: Vec<u8> = pairs;
        let mut kept = Vec::with_capacity(pairs.len());
        for pair in pairs.chunks_exact(PAIR) {
            if !is_forgotten.exists([unpack(pair).1])? {
                kept.extend_from_slice(pair);
            }
        }
        if kept.is_empty() {
            db.execute("DELETE FROM key_chunks WHERE id = ?1", [chunk])?;
        } else if kept.len() < pairs.len() {
            db.execute(
                "UPDATE key_chunks SET pairs = ?2 WHERE id = ?1",
                params![chunk, kept],
            )?;
        }
    }
}

/// A new run, kept in memory or a temporary file until it is saved.
pub(super) struct KeyRunWriter {
    pairs: BufWriter<SpooledTempFile>,
}

impl KeyRunWriter {
    /// Returns an empty one, whose file, if it needs one, is created in `folder` without a name.
    pub(super) fn new(folder: &Path) -> Self {
        let pairs = spooled_tempfile_in(SPOOLED_IN_MEMORY, folder);
        Self {
            pairs: BufWriter::with_capacity(PAIRS_A_CHUNK * PAIR, pairs),
        }
    }

    /// Appends a pair, which must not be less than the one before.
    pub(super) fn push(&mut self, pair: Pair) -> Result<()> {
        self.pairs.write_all(&pack(pair))?;
        Ok(())
    }

    /// Writes the run into the job file, each id replaced by what `subject_of` returns for it.
    pub(super) fn save(
        self,
        db: &Connection,
        number: i64,
        subject_of: impl Fn(i64) -> i64,
    ) -> Result<()> {
        let pairs = self.pairs.into_inner();
        let mut pairs = pairs.map_err(IntoInnerError::into_error)?;
        pairs.seek(SeekFrom::Start(0))?;
        let mut insert =
            db.prepare_cached("INSERT INTO key_chunks (run, pairs) VALUES (?1, ?2)")?;
        let mut chunk = Vec::with_capacity(PAIRS_A_CHUNK * PAIR);
        loop {
            chunk.clear();
            let most = (PAIRS_A_CHUNK * PAIR) as u64;
            if (&mut pairs).take(most).read_to_end(&mut chunk)? == 0 {
                return Ok(());
            }
            for pair in chunk.chunks_exact_mut(PAIR) {
                let (key, id) = unpack(pair);
                pair.copy_from_slice(&pack((key, subject_of(id))));
            }
            insert.execute(params![number, chunk])?;
        }
    }
}

/// Returns a pair as it is stored.
fn pack((key, id): Pair) -> [u8; PAIR] {
    let mut bytes = [0; PAIR];
    bytes[..8].copy_from_slice(&key.to_le_bytes());
    bytes[8..].copy_from_slice(&id.to_le_bytes()[..PAIR - 8]);
    bytes
}

fn unpack(bytes: &[u8]) -> Pair {
    let (mut key, mut id) = ([0; 8], [0; 8]);
    key.copy_from_slice(&bytes[..8]);
    id[..PAIR - 8].copy_from_slice(&bytes[8..]);
    (u64::from_le_bytes(key), i64::from_le_bytes(id))
}
