//! Which subjects the rows of an input are, found as duplicates are: by merging sorted keys.
//!
//! A lookup for each of ten million rows would need an index, which the table of subjects does not
//! have. The hashes of the rows are sorted instead and merged with those of the subjects; what they
//! have in common is sorted again, by row, so that the input can be read once more beside it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{
    key_runs::KeyRuns,
    key_sort::{ExternalSorter, KeySorter, SortedPart, key_of},
    merge::{Merge, Pair},
};
use crate::{model::Row, store::error::Result};

/// Rows being collected.
pub(crate) struct SubjectLookup<'r> {
    db: &'r Connection,
    folder: PathBuf,
    sorter: KeySorter,
    rows: i64,
}

/// For each row the subjects of its hash, nearly always one or none.
pub(crate) struct SubjectMatches {
    matches: Merge<SortedPart<Pair>>,
}

impl<'r> SubjectLookup<'r> {
    /// Returns an empty one over the job file behind `db`. Temporary files are made in `folder`,
    /// without a name.
    pub(in crate::store) fn new(db: &'r Connection, folder: &Path) -> Self {
        Self {
            db,
            folder: folder.to_owned(),
            sorter: KeySorter::new(folder.to_owned()),
            rows: 0,
        }
    }

    /// Adds a row, which gets the next number, from 0.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Result<()> {
        self.sorter.push((key_of(row), self.rows))?;
        self.rows += 1;
        Ok(())
    }

    /// Finds the subjects of the rows.
    pub(crate) fn finish(mut self) -> Result<SubjectMatches> {
        let mut rows = self.sorter.take_sorted()?;
        let mut known = KeyRuns::of(self.db)?.sorted(self.db)?;
        let mut matches = ExternalSorter::new(self.folder);
        let mut same = Vec::new();
        let mut hash = None;
        while let Some((key, row)) = rows.next()? {
            if hash != Some(key) {
                hash = Some(key);
                same.clear();
                while let Some(pair) = known.peek()
                    && pair.0 <= key
                {
                    known.next()?;
                    if pair.0 == key {
                        same.push(pair.1);
                    }
                }
            }
            for subject in &same {
                matches.push((row.unsigned_abs(), *subject))?;
            }
        }
        // Their buffers make room for those of the matches.
        drop((rows, known));
        Ok(SubjectMatches {
            matches: matches.take_sorted()?,
        })
    }
}

impl SubjectMatches {
    /// Returns the matches of the rows before `row` that were not returned yet: the number of each
    /// row and the id of a subject that has its hash.
    pub(crate) fn before(&mut self, row: u64) -> Result<Vec<(u64, i64)>> {
        let mut found = Vec::new();
        while let Some(pair) = self.matches.peek()
            && pair.0 < row
        {
            self.matches.next()?;
            found.push(pair);
        }
        Ok(found)
    }
}
