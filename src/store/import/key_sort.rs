//! The keys of new rows, sorted in memory, or in sorted parts in a temporary file if they are many.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use xxhash_rust::xxh3::Xxh3;

use super::merge::{Merge, Pair, PairStream};
use crate::{model::Row, store::error::Result};

/// Pairs sorted at once: 32 MB.
const SORTED_AT_ONCE: usize = 2 << 20;
/// Bytes of a pair in the temporary file.
const PAIR: u64 = 16;

/// Returns the hash of a subject.
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

/// Collects pairs and returns them sorted.
pub(super) struct KeySorter {
    folder: PathBuf,
    pairs: Vec<Pair>,
    /// The temporary file, and the number of pairs of each sorted part in it.
    spilled: Option<(BufWriter<File>, Vec<u64>)>,
    limit: usize,
}

impl KeySorter {
    /// Returns an empty one, whose file, if it needs one, is created in `folder` without a name.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            pairs: Vec::new(),
            spilled: None,
            limit: SORTED_AT_ONCE,
        }
    }

    /// Returns the folder of its temporary file.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn push(&mut self, pair: Pair) -> Result<()> {
        self.pairs.push(pair);
        if self.pairs.len() == self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.pairs.sort_unstable();
        let (file, parts) = match &mut self.spilled {
            Some(spilled) => spilled,
            none => {
                let file = tempfile::tempfile_in(&self.folder)?;
                none.insert((BufWriter::with_capacity(1 << 20, file), Vec::new()))
            }
        };
        for (key, id) in &self.pairs {
            file.write_all(&key.to_le_bytes())?;
            file.write_all(&id.to_le_bytes())?;
        }
        parts.push(self.pairs.len() as u64);
        self.pairs.clear();
        Ok(())
    }

    /// Takes all pairs out, in ascending order.
    pub(super) fn take_sorted(&mut self) -> Result<Merge<NewKeys>> {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.sort_unstable();
        let mut streams = Vec::new();
        if let Some((file, parts)) = self.spilled.take() {
            let file = file.into_inner();
            let mut file = file.map_err(std::io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let file = Arc::new(file);
            let mut from = 0;
            for pairs in parts {
                streams.push(NewKeys::spilled(&file, from, pairs));
                from += pairs * PAIR;
            }
        }
        streams.push(NewKeys::Memory(pairs.into_iter()));
        Merge::new(streams)
    }
}

/// A sorted part of the pairs of a [`KeySorter`].
pub(super) enum NewKeys {
    Memory(std::vec::IntoIter<Pair>),
    /// In the temporary file, with the number of pairs left.
    Spilled(BufReader<FilePart>, u64),
}

impl NewKeys {
    fn spilled(file: &Arc<File>, at: u64, pairs: u64) -> Self {
        let part = FilePart {
            file: Arc::clone(file),
            at,
        };
        Self::Spilled(BufReader::with_capacity(64 << 10, part), pairs)
    }
}

impl PairStream for NewKeys {
    fn next(&mut self) -> Result<Option<Pair>> {
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

/// Reads from a position of its own in a shared file.
pub(super) struct FilePart {
    file: Arc<File>,
    at: u64,
}

impl Read for FilePart {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spilled_parts_are_merged_in_order() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut sorter = KeySorter::new(std::env::temp_dir());
        sorter.limit = 100;
        let mut all: Vec<Pair> = (0..1234).map(|id| (rng.u64(..), id)).collect();
        for pair in &all {
            sorter.push(*pair).unwrap();
        }
        all.sort_unstable();
        let mut merge = sorter.take_sorted().unwrap();
        for pair in all {
            assert_eq!(merge.peek(), Some(pair));
            assert_eq!(merge.next().unwrap(), Some(pair));
        }
        assert_eq!(merge.next().unwrap(), None);
    }
}
