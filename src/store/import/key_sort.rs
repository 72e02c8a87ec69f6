//! Sorting records in memory, or in sorted parts in a temporary file if they are many.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use xxhash_rust::xxh3::Xxh3;

use super::merge::{Merge, Pair, SortedStream};
use crate::{model::Row, store::error::Result};

/// Bytes sorted at once.
const SORTED_AT_ONCE: usize = 32 << 20;

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

/// What an [`ExternalSorter`] sorts: a few 64-bit words.
pub(super) trait SortRecord: Copy + Ord {
    /// Bytes in the temporary file.
    const BYTES: u64;

    fn write(&self, file: &mut impl Write) -> io::Result<()>;

    fn read(file: &mut impl Read) -> io::Result<Self>;
}

/// Reads one word of a record.
pub(super) fn read_word(file: &mut impl Read) -> io::Result<[u8; 8]> {
    let mut word = [0; 8];
    file.read_exact(&mut word)?;
    Ok(word)
}

impl SortRecord for Pair {
    const BYTES: u64 = 16;

    fn write(&self, file: &mut impl Write) -> io::Result<()> {
        file.write_all(&self.0.to_le_bytes())?;
        file.write_all(&self.1.to_le_bytes())
    }

    fn read(file: &mut impl Read) -> io::Result<Self> {
        let key = u64::from_le_bytes(read_word(file)?);
        Ok((key, i64::from_le_bytes(read_word(file)?)))
    }
}

/// Sorts the keys of new rows.
pub(super) type KeySorter = ExternalSorter<Pair>;

/// Collects records and returns them sorted.
pub(super) struct ExternalSorter<R> {
    folder: PathBuf,
    records: Vec<R>,
    /// The temporary file, and the number of records of each sorted part in it.
    spilled: Option<(BufWriter<File>, Vec<u64>)>,
    limit: usize,
}

impl<R: SortRecord> ExternalSorter<R> {
    /// Returns an empty one, whose file, if it needs one, is created in `folder` without a name.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            records: Vec::new(),
            spilled: None,
            limit: SORTED_AT_ONCE / size_of::<R>(),
        }
    }

    /// Returns the folder of its temporary file.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn push(&mut self, record: R) -> Result<()> {
        self.records.push(record);
        if self.records.len() == self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        self.records.sort_unstable();
        let (file, parts) = match &mut self.spilled {
            Some(spilled) => spilled,
            none => {
                let file = tempfile::tempfile_in(&self.folder)?;
                none.insert((BufWriter::with_capacity(1 << 20, file), Vec::new()))
            }
        };
        for record in &self.records {
            record.write(file)?;
        }
        parts.push(self.records.len() as u64);
        self.records.clear();
        Ok(())
    }

    /// Takes all records out, in ascending order.
    pub(super) fn take_sorted(&mut self) -> Result<Merge<SortedPart<R>>> {
        let mut records = std::mem::take(&mut self.records);
        records.sort_unstable();
        let mut streams = Vec::new();
        if let Some((file, parts)) = self.spilled.take() {
            let file = file.into_inner();
            let mut file = file.map_err(io::IntoInnerError::into_error)?;
            file.seek(SeekFrom::Start(0))?;
            let file = Arc::new(file);
            let mut from = 0;
            for records in parts {
                streams.push(SortedPart::spilled(&file, from, records));
                from += records * R::BYTES;
            }
        }
        streams.push(SortedPart::Memory(records.into_iter()));
        Merge::new(streams)
    }
}

/// A sorted part of the records of an [`ExternalSorter`].
pub(super) enum SortedPart<R> {
    Memory(std::vec::IntoIter<R>),
    /// In the temporary file, with the number of records left.
    Spilled(BufReader<FilePart>, u64, PhantomData<R>),
}

impl<R> SortedPart<R> {
    fn spilled(file: &Arc<File>, at: u64, records: u64) -> Self {
        let part = FilePart {
            file: Arc::clone(file),
            at,
        };
        let part = BufReader::with_capacity(64 << 10, part);
        Self::Spilled(part, records, PhantomData)
    }
}

impl<R: SortRecord> SortedStream for SortedPart<R> {
    type Item = R;

    fn next(&mut self) -> Result<Option<R>> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::Spilled(_, 0, _) => Ok(None),
            Self::Spilled(part, left, _) => {
                *left -= 1;
                Ok(Some(R::read(part)?))
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
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
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
