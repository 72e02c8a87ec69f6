//! Jobs that are thrown away: what `plan` and `rehearse` work on.

use std::path::{Path, PathBuf};

use super::{error::Error, files::JobFiles, import::digest_of, passes};
use crate::{
    clock::Clock,
    intake::{Input, InputLine, ReadAhead, ReadOptions, RowReader},
    ledger::Ledger,
    model::{State, Tally},
    store::{Reader, Store, TrialImport, TrialSubjects},
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
            copy.merge((corp_id, &files.name()), &store.counters()?, None)?;
        }
        Ok(store.clear_corp()?)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Keeps the folder; returns the path of the job file in it.
    pub(crate) fn keep(self) -> PathBuf {
        self.0.keep().join("idferry.db")
    }
}

/// What a scratch job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScratchUse {
    /// Counts are enough.
    Plan,
    /// The subjects are asked about, and for pending_ids too if that is so.
    Rehearsal {
        /// Whether it is.
        pending_ids: bool,
    },
}

/// What a job would be with more inputs imported. The subjects that were answered are not in it, but
/// for their number.
pub(crate) struct ScratchCopy {
    /// Where it is.
    pub(crate) folder: ScratchFolder,
    /// Lines of all inputs.
    pub(crate) lines: u64,
    /// Those of them that cannot be subjects.
    pub(crate) invalid: u64,
    /// The subjects.
    pub(crate) tally: Tally,
    /// Those that a run has to ask.
    pub(crate) left: u64,
}

impl ScratchCopy {
    /// Reads the job file `origin`, if it exists, and `inputs`, and writes neither. Without inputs
    /// it must exist.
    pub(crate) fn of(
        origin: &Path,
        inputs: &[Input],
        options: &ReadOptions,
        purpose: ScratchUse,
    ) -> Result<Self, Error> {
        let exists = std::fs::symlink_metadata(origin).is_ok();
        if inputs.is_empty() && !exists {
            return Err(Store::missing(origin).into());
        }
        let folder = ScratchFolder::new()?;
        let mut store = Store::open(&folder.job_file(), Clock::system().now())?;
        store.disable_fsync()?;
        let origin = exists.then(|| Reader::open(origin)).transpose()?;
        if let Some(origin) = &origin {
            let pending_ids = purpose == ScratchUse::Rehearsal { pending_ids: true };
            let pending_ids_at = pending_ids.then(|| Clock::system().now());
            origin.copy_to_scratch(&mut store, purpose != ScratchUse::Plan, pending_ids_at)?;
        }
        let read = match &origin {
            Some(origin) => TrialInputs::read(origin, folder.path(), inputs, options)?,
            None => TrialInputs::read(&store.reader(), folder.path(), inputs, options)?,
        };
        let mut tally = store.tally();
        tally.add(State::Queued, read.new.count());
        let left = passes::left(tally.of(State::Queued), &store.passes(), None)?;
        if purpose != ScratchUse::Plan {
            read.new.append_to(&mut store)?;
        }
        Ok(Self {
            lines: read.sources.iter().map(|source| source.lines).sum(),
            invalid: read.sources.iter().map(|source| source.invalid).sum(),
            tally,
            left,
            folder,
        })
    }
}

/// A source of the job, imported or to be.
struct TrialSource {
    name: String,
    lines: u64,
    invalid: u64,
}

/// Inputs that were read but not imported.
struct TrialInputs {
    new: TrialSubjects,
    /// Those of the job included.
    sources: Vec<TrialSource>,
}

impl TrialInputs {
    /// Reads those of `inputs` that the job does not hold yet.
    fn read(
        job: &Reader<'_>,
        folder: &Path,
        inputs: &[Input],
        options: &ReadOptions,
    ) -> Result<Self, Error> {
        let mut rows = job.try_import(folder)?;
        let sources = job.sources()?.into_iter().map(|source| TrialSource {
            name: source.name,
            lines: source.lines,
            invalid: source.rejected,
        });
        let mut sources: Vec<_> = sources.collect();
        let mut digests = Vec::new();
        for input in inputs {
            let digest = digest_of(input, options)?;
            if let Some(digest) = &digest {
                if digests.contains(digest) || job.knows_source(digest)? {
                    continue;
                }
                digests.push(*digest);
            }
            let read = read_all(input, options, &mut rows)?;
            // As an import does: lines that were mended count no more, and another content of the same
            // file replaces the first.
            for (origin, lines) in read.origins() {
                let superseded = job.superseded(origin, lines)?;
                let origin = sources.iter_mut().find(|other| other.name == origin.source);
                if let Some(origin) = origin {
                    origin.invalid = origin.invalid.saturating_sub(superseded);
                }
            }
            let source = TrialSource::of(&read);
            if digest.is_some() {
                sources.retain(|other| other.name != source.name);
            }
            sources.push(source);
        }
        let new = rows.finish()?;
        Ok(Self { new, sources })
    }
}

impl TrialSource {
    fn of(read: &RowReader) -> Self {
        Self {
            name: read.name().to_string(),
            lines: read.lines(),
            invalid: read.invalid(),
        }
    }
}

fn read_all(
    input: &Input,
    options: &ReadOptions,
    rows: &mut TrialImport<'_>,
) -> Result<RowReader, Error> {
    let mut lines = ReadAhead::of(RowReader::open(input, options)?)?;
    loop {
        match lines.next()? {
            InputLine::Row(row) => rows.add(&row)?,
            InputLine::Invalid(_) => {}
            InputLine::End => break,
        }
    }
    let read = lines.finish();
    read.ensure_any_row()?;
    Ok(read)
}
