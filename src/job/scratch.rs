//! Copies of a job that are thrown away: what `plan` and `rehearse` work on.

use std::path::{Path, PathBuf};

use super::{error::Error, files::JobFiles, import::import};
use crate::{
    clock::Clock,
    intake::{Input, ReadOptions},
    ledger::Ledger,
    model::Tally,
    store::{Reader, Store},
};

/// A folder for a job file, removed when dropped.
pub struct ScratchFolder(tempfile::TempDir);

impl ScratchFolder {
    /// Makes a folder in the system's place for temporary files.
    ///
    /// # Errors
    ///
    /// If none can be made.
    pub fn new() -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("idferry-rehearsal-")
            .tempdir();
        folder.map(Self).map_err(|why| {
            Error::internal(format!(
                "no scratch folder can be made: {why}. Free some space, or point TMPDIR elsewhere"
            ))
        })
    }

    /// The path of the job file in it.
    #[must_use]
    pub fn job_file(&self) -> PathBuf {
        self.0.path().join("idferry.db")
    }

    /// Gives the job in it, and what the ledger has of its corp, to the corp `corp_id`.
    pub(crate) fn rename_corp(&self, ledger: &Path, corp_id: &str) -> Result<(), Error> {
        let files = JobFiles::beside(&self.job_file());
        let mut store = Store::open(&files.job, Clock::system().now())?;
        let corp = store.reader().corp_id()?;
        if let Some(corp) = corp {
            let copy = Ledger::open(&files.ledger)?;
            copy.adopt(ledger, &corp, corp_id)?;
            copy.merge(corp_id, &store.counters()?, None)?;
        }
        Ok(store.clear_corp()?)
    }

    /// Keeps the folder; returns the path of the job file in it.
    pub(crate) fn keep(self) -> PathBuf {
        self.0.keep().join("idferry.db")
    }
}

/// A copy of a job with more inputs imported.
pub(crate) struct ScratchCopy {
    /// Where it is.
    pub(crate) folder: ScratchFolder,
    /// Lines of all inputs.
    pub(crate) lines: u64,
    /// Those of them that cannot be subjects.
    pub(crate) invalid: u64,
    /// The subjects.
    pub(crate) tally: Tally,
}

impl ScratchCopy {
    /// Copies the job file `origin`, if it exists, and imports `inputs` into the copy. The job
    /// file itself is only read. Without inputs it must exist.
    pub(crate) fn of(
        origin: &Path,
        inputs: &[Input],
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        if inputs.is_empty() && !origin.exists() {
            return Err(Store::missing(origin).into());
        }
        let folder = ScratchFolder::new()?;
        let path = folder.job_file();
        if origin.exists() {
            Reader::open(origin)?.copy_to(&path)?;
        }
        let mut store = Store::open(&path, Clock::system().now())?;
        store.disable_fsync()?;
        import(&mut store, inputs, options, &mut |_| ())?;
        let sources = store.reader().sources()?;
        Ok(Self {
            lines: sources.iter().map(|source| source.lines).sum(),
            invalid: sources.iter().map(|source| source.rejected).sum(),
            tally: store.tally(),
            folder,
        })
    }
}
