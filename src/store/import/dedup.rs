//! Finding duplicates: the sorted keys of new rows are merged with those of known subjects, and
//! rows whose hash occurs before are compared by text.
//!
//! The merge yields equal hashes in random order of their ids. Comparing each at once would read
//! texts from all over the file; therefore candidates are sorted by the id of their row, and compared
//! many at a time: the spool is read once for all of them, and what they are compared with in the
//! order of ids for each batch. In a file that was imported before, with little changed, both orders
//! are nearly the same, so that subjects are read once too.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    ops::Range,
};

use rusqlite::Connection;

use super::{
    bitmap::{Bitmap, Renumbering},
    key_runs::{KeyRunWriter, KeyRuns, StoredRun},
    key_sort::{ExternalSorter, KeySorter, SortRecord, SortedPart, read_word},
    known_texts::{KnownTexts, row_of},
    merge::{Merge, Pair},
    spool::RowSpool,
};
use crate::store::error::Result;

/// Candidates compared at once: about 30 MB.
const COMPARED_AT_ONCE: usize = 256 << 10;
/// A row and an earlier row or known subject of the same hash. With 64-bit hashes nearly all are
/// duplicates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The id of the row.
    id: i64,
    /// The id of what it is compared with.
    known: i64,
    key: u64,
}

impl SortRecord for Candidate {
    const BYTES: u64 = 24;

    fn write(&self, file: &mut impl Write) -> io::Result<()> {
        file.write_all(&self.id.to_le_bytes())?;
        file.write_all(&self.known.to_le_bytes())?;
        file.write_all(&self.key.to_le_bytes())
    }

    fn read(file: &mut impl Read) -> io::Result<Self> {
        Ok(Self {
            id: i64::from_le_bytes(read_word(file)?),
            known: i64::from_le_bytes(read_word(file)?),
            key: u64::from_le_bytes(read_word(file)?),
        })
    }
}

/// The duplicates of an import, and the keys of its new subjects.
pub(super) struct Duplicates {
    pub(super) duplicates: Bitmap,
    keys: KeyRunWriter,
    /// Keys of new subjects whose hash another subject has: a run of their own.
    hash_collisions: KeyRunWriter,
    /// The number of the new run.
    number: i64,
    /// Whether `keys` holds all earlier runs too.
    compacted: bool,
}

impl Duplicates {
    /// Stores the keys of the new subjects.
    pub(super) fn save_keys(self, db: &Connection) -> Result<()> {
        let renumbering = Renumbering::without(&self.duplicates);
        let subject_of = |id| renumbering.subject_of(id);
        self.keys.save(db, self.number, subject_of)?;
        self.hash_collisions.save(db, self.number + 1, subject_of)?;
        if self.compacted {
            db.execute("DELETE FROM key_chunks WHERE run < ?1", [self.number])?;
        }
        Ok(())
    }
}

/// Finds the rows in `spool`, of the given ids, that equal an earlier row or a known subject. Takes
/// their keys out of `sorter`.
pub(super) fn find_duplicates(
    db: &Connection,
    sorter: &mut KeySorter,
    spool: &mut RowSpool,
    ids: Range<i64>,
) -> Result<Duplicates> {
    let runs = KeyRuns::of(db)?;
    let mut keys = KeyMerge {
        new: sorter.take_sorted()?,
        known: runs.sorted(db)?,
        written: KeyRunWriter::new(sorter.folder()),
        compacts: runs.are_many(),
    };
    let mut dedup = Dedup {
        db,
        spool,
        first: ids.start,
        duplicates: Bitmap::new(ids.start, ids.end),
        candidates: ExternalSorter::new(sorter.folder().to_owned()),
        same_hash: BTreeMap::new(),
    };
    let mut same = Vec::new();
    while let Some((key, _)) = keys.new.peek() {
        keys.known_of(key, &mut same)?;
        keys.new_of(key, &mut same, &mut dedup)?;
    }
    keys.copy_rest()?;
    let KeyMerge {
        new,
        known,
        written,
        compacts,
    } = keys;
    // Their buffers make room for the texts.
    drop((new, known));
    let (duplicates, collisions) = dedup.finish()?;
    let mut hash_collisions = KeyRunWriter::new(sorter.folder());
    for pair in collisions {
        hash_collisions.push(pair)?;
    }
    Ok(Duplicates {
        duplicates,
        keys: written,
        hash_collisions,
        number: runs.next(),
        compacted: compacts,
    })
}

/// New keys beside the known ones, both in ascending order, and the run that is written of them.
struct KeyMerge<'c> {
    new: Merge<SortedPart<Pair>>,
    known: Merge<StoredRun<'c>>,
    written: KeyRunWriter,
    /// Whether the known keys are written too.
    compacts: bool,
}

impl KeyMerge<'_> {
    /// Reads the known keys up to `key` and sets `same` to the ids of those that equal it.
    fn known_of(&mut self, key: u64, same: &mut Vec<i64>) -> Result<()> {
        same.clear();
        while let Some(pair) = self.known.peek()
            && pair.0 <= key
        {
            self.known.next()?;
            if pair.0 == key {
                same.push(pair.1);
            }
            if self.compacts {
                self.written.push(pair)?;
            }
        }
        Ok(())
    }

    /// Reads the new keys that equal `key`. The first is a new subject if `same` is empty, and then
    /// the only one in it; all others are candidates.
    fn new_of(&mut self, key: u64, same: &mut Vec<i64>, dedup: &mut Dedup<'_>) -> Result<()> {
        while let Some(pair) = self.new.peek()
            && pair.0 == key
        {
            self.new.next()?;
            if same.is_empty() {
                same.push(pair.1);
                self.written.push(pair)?;
            } else {
                dedup.add(pair, same)?;
            }
        }
        Ok(())
    }

    fn copy_rest(&mut self) -> Result<()> {
        while self.compacts
            && let Some(pair) = self.known.next()?
        {
            self.written.push(pair)?;
        }
        Ok(())
    }
}

struct Dedup<'f> {
    db: &'f Connection,
    spool: &'f mut RowSpool,
    /// The id of the first row of the spool.
    first: i64,
    duplicates: Bitmap,
    candidates: ExternalSorter<Candidate>,
    /// Subjects whose hash an earlier subject has too, by hash. Nearly always empty.
    same_hash: BTreeMap<u64, Vec<i64>>,
}

impl Dedup<'_> {
    /// Adds a row and the subjects of its hash, of which there is at least one.
    fn add(&mut self, (key, id): Pair, same: &[i64]) -> Result<()> {
        let [known, others @ ..] = same else {
            return Ok(());
        };
        if !others.is_empty() {
            self.same_hash.insert(key, others.to_vec());
        }
        let known = *known;
        self.candidates.push(Candidate { id, known, key })
    }

    /// Compares all candidates with the first subject of their hash, in the order of their ids.
    /// Returns those that differ from it.
    fn compare_all(&mut self) -> Result<Vec<Candidate>> {
        let mut sorted = self.candidates.take_sorted()?;
        let mut unequal = Vec::new();
        let mut batch = Vec::new();
        while let Some(candidate) = sorted.next()? {
            batch.push(candidate);
            if batch.len() == COMPARED_AT_ONCE {
                unequal.extend(self.compare(&batch)?);
                batch.clear();
            }
        }
        unequal.extend(self.compare(&batch)?);
        Ok(unequal)
    }

    /// Compares candidates, which are in the order of their ids: equal ones are duplicates, the
    /// others are returned.
    fn compare(&mut self, candidates: &[Candidate]) -> Result<Vec<Candidate>> {
        let known = candidates.iter().map(|candidate| candidate.known);
        let texts = KnownTexts::of(self.db, self.spool, self.first, known)?;
        let mut rows = self.spool.read()?;
        let mut unequal = Vec::new();
        for (index, candidate) in candidates.iter().enumerate() {
            rows.seek(row_of(candidate.id, self.first))?;
            if texts.equals(index, &rows.next()?) {
                self.duplicates.set(candidate.id);
            } else {
                unequal.push(*candidate);
            }
        }
        Ok(unequal)
    }

    /// Compares unequal candidates with every other subject of their hash. One that equals none is
    /// a new subject, and later ones are compared with it too.
    fn finish(mut self) -> Result<(Bitmap, Vec<Pair>)> {
        let mut unequal = self.compare_all()?;
        let mut hash_collisions = Vec::new();
        // With how many of them each was compared.
        let mut compared = 0;
        while !unequal.is_empty() {
            let mut candidates = Vec::new();
            for mut candidate in std::mem::take(&mut unequal) {
                let same_hash = self.same_hash.entry(candidate.key).or_default();
                if let Some(other) = same_hash.get(compared) {
                    candidate.known = *other;
                    candidates.push(candidate);
                } else {
                    same_hash.push(candidate.id);
                    hash_collisions.push((candidate.key, candidate.id));
                }
            }
            unequal = self.compare(&candidates)?;
            compared += 1;
        }
        hash_collisions.sort_unstable();
        Ok((self.duplicates, hash_collisions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, model::Row, store::Store};

    /// Imports tables of unionids, all of one hash, one after the other. Returns for each row
    /// whether it is new.
    fn import_all(tables: &[&str]) -> Vec<Vec<bool>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let mut first = 1;
        let mut all_new = Vec::new();
        for table in tables {
            let mut sorter = KeySorter::new(folder.path().to_owned());
            let mut spool = RowSpool::new(folder.path());
            let mut next = first;
            for unionid in table.split(' ') {
                let row = Row {
                    unionid,
                    openid: "o",
                    corpid: None,
                };
                spool.push(&row, None).unwrap();
                sorter.push((7, next)).unwrap();
                next += 1;
            }
            let ids = first..next;
            let found = find_duplicates(&store.db, &mut sorter, &mut spool, ids.clone()).unwrap();
            let new: Vec<_> = ids.map(|id| !found.duplicates.contains(id)).collect();
            for (is_new, unionid) in new.iter().zip(table.split(' ')) {
                if *is_new {
                    let insert = "INSERT INTO subjects (unionid, openid) VALUES (?1, 'o')";
                    store.db.execute(insert, [unionid]).unwrap();
                    first += 1;
                }
            }
            found.save_keys(&store.db).unwrap();
            all_new.push(new);
        }
        all_new
    }

    #[test]
    fn equal_hashes_are_told_apart_by_text() {
        let (new, old) = (true, false);
        assert_eq!(
            import_all(&["a b a c b c", "c d b a d", "e d c"]),
            [
                vec![new, new, old, new, old, old],
                vec![old, new, old, old, old],
                vec![new, old, old],
            ]
        );
    }

    #[test]
    fn many_runs_are_compacted_into_one() {
        let tables: Vec<String> = (0..12).map(|n| format!("a{n} a0 a{n}")).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let new = import_all(&tables);
        for rows in &new {
            assert_eq!(rows, &[true, false, false]);
        }
    }
}
