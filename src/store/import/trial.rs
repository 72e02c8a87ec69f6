//! Rows beside a job file that is only read: which of them would be new subjects.

use std::{ops::Range, path::Path};

use rusqlite::Connection;

use super::{
    append::append,
    bitmap::Bitmap,
    dedup::find_duplicates,
    key_sort::{KeySorter, key_of},
    spool::RowSpool,
};
use crate::{
    model::{Row, State},
    store::{
        Store,
        corps::{Corps, load_corps},
        error::Result,
        tally::save_tally,
    },
};

/// Rows being collected, of any number of sources.
pub(crate) struct TrialImport<'r> {
    db: &'r Connection,
    corps: Corps,
    /// Corps that the file does not have, in the order of the numbers they are given here.
    new_corps: Vec<(i64, Box<str>)>,
    sorter: KeySorter,
    spool: RowSpool,
    ids: Range<i64>,
}

/// The rows of a [`TrialImport`], and which of them would be new subjects.
pub(crate) struct TrialSubjects {
    new_corps: Vec<(i64, Box<str>)>,
    spool: RowSpool,
    ids: Range<i64>,
    duplicates: Bitmap,
}

impl<'r> TrialImport<'r> {
    /// Returns an empty one over the job file behind `db`. Temporary files are made in `folder`,
    /// without a name.
    pub(in crate::store) fn new(db: &'r Connection, folder: &Path) -> Result<Self> {
        let sql = "SELECT coalesce(max(id), 0) + 1 FROM subjects";
        let first = db.query_row(sql, [], |row| row.get(0))?;
        Ok(Self {
            db,
            corps: load_corps(db)?,
            new_corps: Vec::new(),
            sorter: KeySorter::new(folder.to_owned()),
            spool: RowSpool::new(folder),
            ids: first..first,
        })
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: &Row<'_>) -> Result<()> {
        let corp = row.corpid.map(|corpid| self.corp(corpid));
        self.spool.push(row, corp)?;
        self.sorter.push((key_of(row), self.ids.end))?;
        self.ids.end += 1;
        Ok(())
    }

    fn corp(&mut self, corpid: &str) -> i64 {
        if let Some(corp) = self.corps.get(corpid) {
            return *corp;
        }
        let corp = self.corps.values().max().unwrap_or(&0) + 1;
        self.corps.insert(corpid.into(), corp);
        self.new_corps.push((corp, corpid.into()));
        corp
    }

    /// Finds the rows that would be new subjects.
    pub(crate) fn finish(mut self) -> Result<TrialSubjects> {
        let (sorter, spool, ids) = (&mut self.sorter, &mut self.spool, self.ids.clone());
        let duplicates = find_duplicates(self.db, sorter, spool, ids)?.duplicates;
        Ok(TrialSubjects {
            new_corps: self.new_corps,
            spool: self.spool,
            ids: self.ids,
            duplicates,
        })
    }
}

impl TrialSubjects {
    /// Returns how many there are.
    pub(crate) fn count(&self) -> u64 {
        let rows = u64::try_from(self.ids.end - self.ids.start).unwrap_or_default();
        rows - self.duplicates.count()
    }

    /// Appends them to the queue of `scratch`, which has the corps of the job file.
    pub(crate) fn append_to(mut self, scratch: &mut Store) -> Result<()> {
        let new = self.count();
        let db = &scratch.db;
        db.execute_batch("BEGIN IMMEDIATE")?;
        for corp in &self.new_corps {
            let sql = "INSERT INTO corps (id, corpid) VALUES (?1, ?2)";
            db.execute(sql, (corp.0, &*corp.1))?;
        }
        let path = scratch.file.path();
        append(db, path, &mut self.spool, self.ids, &self.duplicates)?;
        scratch.tally.add(State::Queued, new);
        save_tally(db, &scratch.tally)?;
        db.execute_batch("COMMIT")?;
        scratch.corps = load_corps(db)?;
        Ok(())
    }
}
