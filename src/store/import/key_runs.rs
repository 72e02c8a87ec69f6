//! Finding duplicates without an index on random keys and without all keys in memory.
//!
//! A subject's key is a 64-bit hash. The keys of one import are sorted (in memory, or in runs in
//! an unlinked file beside the state file when they are many) and merged with the sorted runs of
//! earlier imports, which the state file keeps as rows of a few thousand pairs. Equal hashes are
//! only candidates: their texts are compared. A tenth run melts all of them into one.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, params};
use tempfile::{SpooledTempFile, spooled_tempfile_in};
use xxhash_rust::xxh3::Xxh3;

use crate::{model::Row, store::StoreError};

/// Pairs sorted at once: 32 MB.
const SORTED_AT_ONCE: usize = 2 << 20;
/// What of a new run is kept in memory before there is a file.
const SPOOLED_IN_MEMORY: usize = 2 << 20;
/// Pairs a row of `key_chunks`: 52 KB.
const PAIRS_A_CHUNK: usize = 4096;
/// Runs kept apart before they are melted into one.
const MOST_RUNS: usize = 8;
/// Bytes a stored pair: the hash, and 40 bits of id.
const PAIR: usize = 13;

/// (hash, subject id)
pub(super) type Pair = (u64, i64);

/// The key of a subject.
pub(super) fn key_of(row: &Row<'_>) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(row.unionid.as_bytes());
    hash.update(b"\x1f");
    hash.update(row.openid.as_bytes());
    if let Some(corpid) = row.corpid {
        hash.update(b"\x1f");
        hash.update(corpid.as_bytes());
    }
    hash.digest()
}

/// Collects pairs, then gives them back in order.
pub(super) struct Sorter {
    folder: PathBuf,
    pairs: Vec<Pair>,
    spilled: Option<(BufWriter<File>, Vec<u64>)>,
    limit: usize,
}

impl Sorter {
    /// Sorts in memory, and in an unlinked file in `folder` if there are many.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            pairs: Vec::new(),
            spilled: None,
            limit: SORTED_AT_ONCE,
        }
    }

    /// Where its file would lie.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn push(&mut self, pair: Pair) -> Result<(), StoreError> {
        self.pairs.push(pair);
        if self.pairs.len() == self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), StoreError> {
        self.pairs.sort_unstable();
        if self.spilled.is_none() {
            let file = tempfile::tempfile_in(&self.folder)?;
            self.spilled = Some((BufWriter::with_capacity(1 << 20, file), Vec::new()));
        }
        if let Some((file, runs)) = &mut self.spilled {
            for (key, id) in &self.pairs {
                file.write_all(&key.to_le_bytes())?;
                file.write_all(&id.to_le_bytes())?;
            }
            runs.push(self.pairs.len() as u64);
        }
        self.pairs.clear();
        Ok(())
    }

    /// All pairs, least first.
    pub(super) fn sorted(mut self) -> Result<Merge<Feed>, StoreError> {
        self.pairs.sort_unstable();
        let mut feeds = Vec::new();
        if let Some((file, runs)) = self.spilled.take() {
            let mut file = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let file = Arc::new(file);
            let mut from = 0;
            for pairs in runs {
                feeds.push(Feed::spilled(&file, from, pairs));
                from += pairs * 16;
            }
        }
        feeds.push(Feed::Memory(self.pairs.into_iter()));
        Merge::new(feeds)
    }
}

/// One sorted stream of a [`Merge`].
pub(super) trait Stream {
    fn next(&mut self) -> Result<Option<Pair>, StoreError>;
}

/// One sorted stream of new pairs.
pub(super) enum Feed {
    Memory(std::vec::IntoIter<Pair>),
    Spilled(BufReader<Part>, u64),
}

impl Feed {
    fn spilled(file: &Arc<File>, at: u64, pairs: u64) -> Self {
        let part = Part {
            file: Arc::clone(file),
            at,
        };
        Self::Spilled(BufReader::with_capacity(64 << 10, part), pairs)
    }
}

impl Stream for Feed {
    fn next(&mut self) -> Result<Option<Pair>, StoreError> {
        match self {
            Self::Memory(pairs) => Ok(pairs.next()),
            Self::Spilled(_, 0) => Ok(None),
            Self::Spilled(part, left) => {
                *left -= 1;
                let (mut key, mut id) = ([0; 8], [0; 8]);
                part.read_exact(&mut key)?;
                part.read_exact(&mut id)?;
                Ok(Some((u64::from_le_bytes(key), i64::from_le_bytes(id))))
            }
        }
    }
}

/// A reader at its own place in a shared file.
pub(super) struct Part {
    file: Arc<File>,
    at: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// One run of earlier keys, read chunk by chunk.
pub(super) struct Stored<'c> {
    db: &'c Connection,
    run: i64,
    chunk: i64,
    pairs: std::vec::IntoIter<Pair>,
}

impl Stream for Stored<'_> {
    fn next(&mut self) -> Result<Option<Pair>, StoreError> {
        loop {
            if let Some(pair) = self.pairs.next() {
                return Ok(Some(pair));
            }
            let mut find = self.db.prepare_cached(
                "SELECT id, pairs FROM key_chunks WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT 1",
            )?;
            let mut rows = find.query(params![self.run, self.chunk])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            self.chunk = row.get(0)?;
            self.pairs = {
                let pairs = row.get_ref(1)?.as_blob().unwrap_or_default();
                let pairs: Vec<Pair> = pairs.chunks_exact(PAIR).map(unpack).collect();
                pairs.into_iter()
            };
        }
    }
}

/// Merges sorted streams into one.
pub(super) struct Merge<S> {
    streams: Vec<S>,
    /// The least pair, and where it is from.
    head: Option<(Pair, usize)>,
    /// Those of the other streams.
    others: BinaryHeap<Reverse<(Pair, usize)>>,
}

impl<S: Stream> Merge<S> {
    fn new(mut streams: Vec<S>) -> Result<Self, StoreError> {
        let mut others = BinaryHeap::new();
        for (place, stream) in streams.iter_mut().enumerate() {
            if let Some(pair) = stream.next()? {
                others.push(Reverse((pair, place)));
            }
        }
        Ok(Self {
            streams,
            head: others.pop().map(|Reverse(head)| head),
            others,
        })
    }

    pub(super) fn peek(&self) -> Option<Pair> {
        self.head.map(|(pair, _)| pair)
    }

    pub(super) fn next(&mut self) -> Result<Option<Pair>, StoreError> {
        let Some((pair, place)) = self.head else {
            return Ok(None);
        };
        let next = self.streams[place].next()?.map(|next| (next, place));
        // Mostly the same stream goes on, or there is no other.
        self.head = match next {
            None => self.others.pop().map(|Reverse(head)| head),
            Some(next) => Some(match self.others.peek_mut() {
                Some(mut least) if least.0 < next => {
                    std::mem::replace(&mut *least, Reverse(next)).0
                }
                _ => next,
            }),
        };
        Ok(Some(pair))
    }
}

/// The earlier keys of the state file.
pub(super) struct Runs {
    runs: Vec<i64>,
}

impl Runs {
    pub(super) fn of(db: &Connection) -> Result<Self, StoreError> {
        let mut list = db.prepare("SELECT DISTINCT run FROM key_chunks ORDER BY run")?;
        let runs = list.query_map([], |row| row.get(0))?;
        let runs = runs.collect::<Result<_, _>>()?;
        Ok(Self { runs })
    }

    pub(super) fn sorted<'c>(&self, db: &'c Connection) -> Result<Merge<Stored<'c>>, StoreError> {
        let stored = self.runs.iter().map(|run| Stored {
            db,
            run: *run,
            chunk: 0,
            pairs: Vec::new().into_iter(),
        });
        Merge::new(stored.collect())
    }

    /// Whether the next run should take in all earlier ones.
    pub(super) fn are_many(&self) -> bool {
        self.runs.len() >= MOST_RUNS
    }

    /// The number of the next run.
    pub(super) fn next(&self) -> i64 {
        self.runs.last().map_or(1, |run| run + 1)
    }
}

/// One run on its way into the state file, kept aside until its import is whole.
pub(super) struct RunWriter {
    pairs: BufWriter<SpooledTempFile>,
}

impl RunWriter {
    /// A small one, in memory.
    pub(super) fn new() -> Self {
        Self::beside(Path::new("."))
    }

    /// One whose file, if it needs one, lies in `folder`.
    pub(super) fn beside(folder: &Path) -> Self {
        let pairs = spooled_tempfile_in(SPOOLED_IN_MEMORY, folder);
        Self {
            pairs: BufWriter::with_capacity(PAIRS_A_CHUNK * PAIR, pairs),
        }
    }

    pub(super) fn push(&mut self, pair: Pair) -> Result<(), StoreError> {
        self.pairs.write_all(&pack(pair))?;
        Ok(())
    }

    /// Writes it into the state file, chunk by chunk, every id as `place` has it.
    pub(super) fn save(
        self,
        db: &Connection,
        run: i64,
        place: impl Fn(i64) -> i64,
    ) -> Result<(), StoreError> {
        let mut pairs = self
            .pairs
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
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
                pair.copy_from_slice(&pack((key, place(id))));
            }
            insert.execute(params![run, chunk])?;
        }
    }
}

/// A pair as it is stored.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spilled_runs_come_back_in_one_order() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut sorter = Sorter::new(std::env::temp_dir());
        sorter.limit = 100;
        let mut all: Vec<Pair> = (0..1234).map(|id| (rng.u64(..), id)).collect();
        for pair in &all {
            sorter.push(*pair).unwrap();
        }
        all.sort_unstable();
        let mut merge = sorter.sorted().unwrap();
        for pair in all {
            assert_eq!(merge.peek(), Some(pair));
            assert_eq!(merge.next().unwrap(), Some(pair));
        }
        assert_eq!(merge.next().unwrap(), None);
    }
}
