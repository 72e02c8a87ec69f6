//! Finding duplicates: the sorted keys of new rows are merged with those of known subjects, and
//! rows whose hash occurs before are compared by text.
//!
//! The merge yields equal hashes in random order of their ids. Comparing each at once would read
//! texts from all over the file; therefore candidates are collected and compared many at a time, in
//! one pass in the order of ids.

use std::{collections::BTreeMap, ops::Range};

use rusqlite::Connection;

use super::{
    bitmap::{Bitmap, Renumbering},
    key_runs::{KeyRunWriter, KeyRuns, StoredRun},
    key_sort::{KeySorter, NewKeys},
    merge::{Merge, Pair},
    spool::{RowSpool, SpooledRow},
};
use crate::store::error::Result;

/// Candidates compared in one pass: about 30 MB.
const COMPARED_AT_ONCE: usize = 256 << 10;

/// A row and an earlier row or known subject of the same hash. With 64-bit hashes nearly all are
/// duplicates.
struct Candidate {
    key: u64,
    /// The id of the row.
    id: i64,
    /// The id of what it is compared with.
    known: i64,
    /// With how many other subjects of its hash, beyond the first, it was compared.
    compared: usize,
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
        candidates: Vec::new(),
        same_hash: BTreeMap::new(),
        unequal: Vec::new(),
    };
    let mut same = Vec::new();
    while let Some((key, _)) = keys.new.peek() {
        keys.known_of(key, &mut same)?;
        keys.new_of(key, &mut same, &mut dedup)?;
    }
    keys.copy_rest()?;
    let (duplicates, collisions) = dedup.finish()?;
    let mut hash_collisions = KeyRunWriter::new(sorter.folder());
    for pair in collisions {
        hash_collisions.push(pair)?;
    }
    Ok(Duplicates {
        duplicates,
        keys: keys.written,
        hash_collisions,
        number: runs.next(),
        compacted: keys.compacts,
    })
}

/// New keys beside the known ones, both in ascending order, and the run that is written of them.
struct KeyMerge<'c> {
    new: Merge<NewKeys>,
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
    candidates: Vec<Candidate>,
    /// Subjects whose hash an earlier subject has too, by hash. Nearly always empty.
    same_hash: BTreeMap<u64, Vec<i64>>,
    /// Candidates that differ from what they were compared with.
    unequal: Vec<Candidate>,
}

impl Dedup<'_> {
    /// Adds a row and the subjects of its hash, of which there is at least one.
    fn add(&mut self, (key, id): Pair, same: &[i64]) -> Result<()> {
        if let [known, others @ ..] = same {
            if !others.is_empty() {
                self.same_hash.insert(key, others.to_vec());
            }
            self.candidates.push(Candidate {
                key,
                id,
                known: *known,
                compared: 0,
            });
        }
        if self.candidates.len() == COMPARED_AT_ONCE {
            self.compare()?;
        }
        Ok(())
    }

    /// Compares all candidates: equal ones are duplicates, the others are unequal.
    fn compare(&mut self) -> Result<()> {
        let candidates = std::mem::take(&mut self.candidates);
        let equal = equal_texts(self.db, self.spool, self.first, &candidates)?;
        for (candidate, equal) in candidates.into_iter().zip(equal) {
            if equal {
                self.duplicates.set(candidate.id);
            } else {
                self.unequal.push(candidate);
            }
        }
        Ok(())
    }

    /// Compares unequal candidates with every other subject of their hash. One that equals none is
    /// a new subject, and later ones are compared with it too.
    fn finish(mut self) -> Result<(Bitmap, Vec<Pair>)> {
        self.compare()?;
        let mut hash_collisions = Vec::new();
        while !self.unequal.is_empty() {
            let mut unequal = std::mem::take(&mut self.unequal);
            unequal.sort_unstable_by_key(|candidate| candidate.id);
            for mut candidate in unequal {
                let same_hash = self.same_hash.entry(candidate.key).or_default();
                if let Some(other) = same_hash.get(candidate.compared) {
                    candidate.known = *other;
                    candidate.compared += 1;
                    self.candidates.push(candidate);
                } else {
                    same_hash.push(candidate.id);
                    hash_collisions.push((candidate.key, candidate.id));
                }
            }
            self.compare()?;
        }
        hash_collisions.sort_unstable();
        Ok((self.duplicates, hash_collisions))
    }
}

/// One of the two texts of a candidate, to be read when the pass comes to its id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    id: i64,
    /// The index of the candidate.
    index: usize,
    /// Whether it is the candidate's own text, which comes second: what it is compared with has the
    /// lower id.
    is_own: bool,
}

/// Returns for each candidate whether its text equals that of what it is compared with.
fn equal_texts(
    db: &Connection,
    spool: &mut RowSpool,
    first: i64,
    candidates: &[Candidate],
) -> Result<Vec<bool>> {
    let mut visits = Vec::with_capacity(candidates.len() * 2);
    for (index, candidate) in candidates.iter().enumerate() {
        for (id, is_own) in [(candidate.known, false), (candidate.id, true)] {
            visits.push(Visit { id, index, is_own });
        }
    }
    visits.sort_unstable();
    let in_spool = visits.partition_point(|visit| visit.id < first);
    let (in_file, in_spool) = visits.split_at(in_spool);
    let mut texts = KnownTexts {
        bytes: Vec::new(),
        rows: vec![TextRange::default(); candidates.len()],
    };
    let mut find = db.prepare_cached("SELECT unionid, openid, corp FROM subjects WHERE id = ?1")?;
    for visit in in_file {
        find.query_row([visit.id], |row| {
            let known = SpooledRow {
                unionid: row.get_ref(0)?.as_bytes()?,
                openid: row.get_ref(1)?.as_bytes()?,
                corp: row.get(2)?,
            };
            texts.keep(visit.index, &known);
            Ok(())
        })?;
    }
    let mut equal = vec![false; candidates.len()];
    let (mut rows, mut next) = (spool.read()?, first);
    for same_row in in_spool.chunk_by(|a, b| a.id == b.id) {
        let id = same_row[0].id;
        rows.skip(id - next)?;
        let row = rows.next()?;
        next = id + 1;
        for visit in same_row {
            if visit.is_own {
                equal[visit.index] = texts.equals(visit.index, &row);
            } else {
                texts.keep(visit.index, &row);
            }
        }
    }
    Ok(equal)
}

/// The texts that candidates are compared with, by the index of the candidate.
struct KnownTexts {
    bytes: Vec<u8>,
    rows: Vec<TextRange>,
}

/// Where the text of a row is.
#[derive(Clone, Copy, Default)]
struct TextRange {
    start: usize,
    unionid_end: usize,
    openid_end: usize,
    corp: Option<i64>,
}

impl KnownTexts {
    fn keep(&mut self, index: usize, row: &SpooledRow<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row.unionid);
        let unionid_end = self.bytes.len();
        self.bytes.extend_from_slice(row.openid);
        self.rows[index] = TextRange {
            start,
            unionid_end,
            openid_end: self.bytes.len(),
            corp: row.corp,
        };
    }

    fn equals(&self, index: usize, row: &SpooledRow<'_>) -> bool {
        let known = &self.rows[index];
        self.bytes[known.start..known.unionid_end] == *row.unionid
            && self.bytes[known.unionid_end..known.openid_end] == *row.openid
            && known.corp == row.corp
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
