//! Folding duplicates: the keys of new rows are merged with those of known subjects, and rows
//! whose hash is known are compared by text.
//!
//! Hashes meet in no order, so that texts compared one by one would be read all over the file.
//! They are compared many at a time, in one pass in the order of their ids.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{
    bitmap::{Bitmap, Renumbering},
    key_runs::{Pair, RunWriter, Runs, Sorter},
    spool::RowSpool,
};
use crate::store::Result;

/// Rows compared in one pass: about 30 MB.
const COMPARED_AT_ONCE: usize = 256 << 10;

/// A row and a subject of the same hash, of which it is most probably a repetition.
struct Candidate {
    key: u64,
    known: i64,
    id: i64,
    /// How many rivals of its hash, beyond the first, it was compared with.
    tried: usize,
}

/// What folding came to. Nothing of it is in the state file yet.
pub(super) struct Folded {
    /// The rows that are no subjects of their own.
    pub(super) twice: Bitmap,
    run: RunWriter,
    /// Keys of new subjects whose hash another subject has: a run of their own.
    hash_collisions: Vec<Pair>,
    number: i64,
    melt: bool,
}

impl Folded {
    /// Writes the keys of the new subjects.
    pub(super) fn save(self, db: &Connection) -> Result<()> {
        let places = Renumbering::of(&self.twice);
        self.run.save(db, self.number, |id| places.of_row(id))?;
        let mut run = RunWriter::new();
        for pair in self.hash_collisions {
            run.push(pair)?;
        }
        run.save(db, self.number + 1, |id| places.of_row(id))?;
        if self.melt {
            db.execute("DELETE FROM key_chunks WHERE run < ?1", [self.number])?;
        }
        Ok(())
    }
}

/// Finds the rows from `first` up to `next`, in `spool`, that fall on an earlier subject.
pub(super) fn fold(
    db: &Connection,
    sorter: Sorter,
    spool: &mut RowSpool,
    (first, next): (i64, i64),
) -> Result<Folded> {
    let runs = Runs::of(db)?;
    let (melt, number) = (runs.are_many(), runs.next());
    let mut run = RunWriter::beside(sorter.folder());
    let (mut new, mut old) = (sorter.sorted()?, runs.sorted(db)?);
    let mut folding = Dedup {
        db,
        spool,
        first,
        twice: Bitmap::new(first, next),
        suspects: Vec::new(),
        same_hash: BTreeMap::new(),
        unequal: Vec::new(),
    };
    let mut same: Vec<i64> = Vec::new();
    while let Some((key, _)) = new.peek() {
        // Earlier keys first: what they stand for came before.
        same.clear();
        while let Some(pair) = old.peek()
            && pair.0 <= key
        {
            old.next()?;
            if pair.0 == key {
                same.push(pair.1);
            }
            if melt {
                run.push(pair)?;
            }
        }
        while let Some(pair) = new.peek()
            && pair.0 == key
        {
            new.next()?;
            if same.is_empty() {
                same.push(pair.1);
                run.push(pair)?;
            } else {
                folding.suspect(pair, &same)?;
            }
        }
    }
    if melt {
        while let Some(pair) = old.next()? {
            run.push(pair)?;
        }
    }
    let (twice, hash_collisions) = folding.finish()?;
    Ok(Folded {
        twice,
        run,
        hash_collisions,
        number,
        melt,
    })
}

struct Dedup<'f> {
    db: &'f Connection,
    spool: &'f mut RowSpool,
    first: i64,
    twice: Bitmap,
    suspects: Vec<Candidate>,
    /// Subjects whose hash an earlier subject has too: hardly ever one.
    same_hash: BTreeMap<u64, Vec<i64>>,
    /// Rows that are not what the first subject of their hash is.
    unequal: Vec<Candidate>,
}

impl Dedup<'_> {
    fn suspect(&mut self, (key, id): Pair, same: &[i64]) -> Result<()> {
        if let [known, same_hash @ ..] = same {
            if !same_hash.is_empty() {
                self.same_hash.insert(key, same_hash.to_vec());
            }
            self.suspects.push(Candidate {
                key,
                known: *known,
                id,
                tried: 0,
            });
        }
        if self.suspects.len() == COMPARED_AT_ONCE {
            self.compare()?;
        }
        Ok(())
    }

    /// Marks the suspects that are what they are taken for; puts the others aside.
    fn compare(&mut self) -> Result<()> {
        let suspects = std::mem::take(&mut self.suspects);
        let equal = compared(self.db, self.spool, self.first, &suspects)?;
        for (suspect, equal) in suspects.into_iter().zip(equal) {
            match equal {
                true => self.twice.set(suspect.id),
                false => self.unequal.push(suspect),
            }
        }
        Ok(())
    }

    /// Gives those put aside every other subject of their hash to be compared with. Whoever is
    /// none of them is a subject, and stands against the rest.
    fn finish(mut self) -> Result<(Bitmap, Vec<Pair>)> {
        self.compare()?;
        let mut hash_collisions = Vec::new();
        while !self.unequal.is_empty() {
            let mut unequal = std::mem::take(&mut self.unequal);
            unequal.sort_unstable_by_key(|suspect| suspect.id);
            for mut suspect in unequal {
                let same_hash = self.same_hash.entry(suspect.key).or_default();
                match same_hash.get(suspect.tried) {
                    Some(rival) => {
                        suspect.known = *rival;
                        suspect.tried += 1;
                        self.suspects.push(suspect);
                    }
                    None => {
                        same_hash.push(suspect.id);
                        hash_collisions.push((suspect.key, suspect.id));
                    }
                }
            }
            self.compare()?;
        }
        hash_collisions.sort_unstable();
        Ok((self.twice, hash_collisions))
    }
}

/// Which suspects have the text of the subject they are suspected to be. One pass in id order: a
/// known subject always has the lower id.
fn compared(
    db: &Connection,
    spool: &mut RowSpool,
    first: i64,
    suspects: &[Candidate],
) -> Result<Vec<bool>> {
    let mut visits: Vec<(i64, usize, bool)> = Vec::with_capacity(suspects.len() * 2);
    for (place, suspect) in suspects.iter().enumerate() {
        visits.push((suspect.known, place, false));
        visits.push((suspect.id, place, true));
    }
    visits.sort_unstable();
    let mut equal = vec![false; suspects.len()];
    let mut known = Texts {
        text: Vec::new(),
        rows: vec![(0, 0, 0, None); suspects.len()],
    };
    let mut find = db.prepare_cached("SELECT unionid, openid, corp FROM subjects WHERE id = ?1")?;
    let mut visits = visits.into_iter().peekable();
    while let Some((id, place, _)) = visits.next_if(|visit| visit.0 < first) {
        find.query_row([id], |row| {
            let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_bytes()?);
            known.keep(place, text(0)?, text(1)?, row.get(2)?);
            Ok(())
        })?;
    }
    if visits.peek().is_none() {
        return Ok(equal);
    }
    let (mut rows, mut at) = (spool.read()?, first);
    while let Some((id, place, is_new)) = visits.next() {
        rows.skip(id - at)?;
        let row = rows.next()?;
        at = id + 1;
        let mut visit = |place: usize, is_new: bool| match is_new {
            false => known.keep(place, row.unionid, row.openid, row.corp),
            true => equal[place] = known.is(place, row.unionid, row.openid, row.corp),
        };
        visit(place, is_new);
        // Several rows may fall on one.
        while let Some((_, place, is_new)) = visits.next_if(|visit| visit.0 == id) {
            visit(place, is_new);
        }
    }
    Ok(equal)
}

/// The texts of known subjects, one for each suspect.
struct Texts {
    text: Vec<u8>,
    /// Where one begins, where its unionid and where its openid end, and its corp.
    rows: Vec<(usize, usize, usize, Option<i64>)>,
}

impl Texts {
    fn keep(&mut self, place: usize, unionid: &[u8], openid: &[u8], corp: Option<i64>) {
        let begins = self.text.len();
        self.text.extend_from_slice(unionid);
        let unionid_ends = self.text.len();
        self.text.extend_from_slice(openid);
        self.rows[place] = (begins, unionid_ends, self.text.len(), corp);
    }

    fn is(&self, place: usize, unionid: &[u8], openid: &[u8], corp: Option<i64>) -> bool {
        let (begins, unionid_ends, ends, theirs) = self.rows[place];
        self.text[begins..unionid_ends] == *unionid
            && self.text[unionid_ends..ends] == *openid
            && theirs == corp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, model::Row, store::Store};

    /// Rows by name, all of one hash, taken in one table after the other; answers which stayed.
    fn fold_all(tables: &[&str]) -> Vec<Vec<bool>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        let store = Store::open(&path, Timestamp::default()).unwrap();
        let mut first = 1;
        let mut stayed = Vec::new();
        for table in tables {
            let mut sorter = Sorter::new(folder.path().to_owned());
            let mut spool = RowSpool::new(folder.path());
            let mut next = first;
            for unionid in table.split(' ') {
                let (openid, corpid) = ("o", None);
                let row = Row {
                    unionid,
                    openid,
                    corpid,
                };
                spool.push(&row, None).unwrap();
                sorter.push((7, next)).unwrap();
                next += 1;
            }
            let folded = fold(&store.db, sorter, &mut spool, (first, next)).unwrap();
            let kept: Vec<_> = (first..next).map(|id| !folded.twice.has(id)).collect();
            for (kept, unionid) in kept.iter().zip(table.split(' ')) {
                if *kept {
                    let insert = "INSERT INTO subjects (unionid, openid) VALUES (?1, 'o')";
                    store.db.execute(insert, [unionid]).unwrap();
                    first += 1;
                }
            }
            folded.save(&store.db).unwrap();
            stayed.push(kept);
        }
        stayed
    }

    #[test]
    fn equal_hashes_are_told_apart_by_text() {
        let (new, old) = (true, false);
        assert_eq!(
            fold_all(&["a b a c b c", "c d b a d", "e d c"]),
            [
                vec![new, new, old, new, old, old],
                vec![old, new, old, old, old],
                vec![new, old, old],
            ]
        );
    }

    #[test]
    fn many_runs_melt_into_one() {
        let tables: Vec<String> = (0..12).map(|n| format!("a{n} a0 a{n}")).collect();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let stayed = fold_all(&tables);
        assert_eq!(stayed[0], [true, false, false]);
        for kept in &stayed[1..] {
            assert_eq!(kept, &[true, false, false]);
        }
    }
}
