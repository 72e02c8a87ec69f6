//! The last stage of a run: results, changes and rejects become files.

use std::path::Path;

use super::Session;
use crate::{
    export::Target,
    job::{error::Error, results},
    model::CorpChanges,
    store::{Reader, RunId},
};

impl Session {
    /// Writes the invalid lines of all inputs to `path`, if there are any.
    pub(crate) fn export_rejects(&self, path: &Path) -> Result<(), Error> {
        results::publish_invalid_lines(&self.store.reader(), path)
    }

    /// Writes the results to `target`, unless they are there already. Returns how many lines they
    /// have; `None` if the reader of a pipe has left.
    pub(crate) fn export(&self, target: &Target) -> Result<Option<u64>, Error> {
        results::publish(&self.store, target)
    }

    /// From here on every link that is gained or lost is to be written by
    /// [`export_changes`](Self::export_changes), be it at the end of a later run.
    pub(crate) fn begin_changes(&self) -> Result<(), Error> {
        Ok(self.store.begin_changes()?)
    }

    /// Writes the links gained and lost since this was done last to `target`.
    pub(crate) fn export_changes(&self, target: &Target) -> Result<(), Error> {
        results::publish_changes(&self.store, target)
    }

    /// The links that a resync has gained and lost at each downstream corp; `None` for another run, whose
    /// results are all new.
    pub(crate) fn changes(&self, run: RunId) -> Result<Option<Vec<CorpChanges>>, Error> {
        if self.settings.refresh.is_none() {
            return Ok(None);
        }
        let since = self.store.journal().began(run)?;
        Ok(Some(self.store.reader().changes_by_corp(since)?))
    }

    /// The job file, for reading.
    pub(crate) const fn reader(&self) -> Reader<'_> {
        self.store.reader()
    }
}
