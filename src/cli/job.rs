//! What `plan` and `rehearse` know of a job without touching it: its inputs, or its state file
//! alone, in a scratch copy that is thrown away.

use std::path::{Path, PathBuf};

use super::{
    Failure,
    args::{Inputs, StateFile},
    enrol::enrol,
    say,
};
use crate::{
    clock::Clock,
    config::Run,
    model::Tally,
    rehearsal::Scratch,
    report::style::counted,
    store::{Reader, Store},
};

/// A copy of the job with its inputs taken in.
pub(super) struct Job {
    /// Where it lies; removed when dropped.
    pub(super) scratch: Scratch,
    /// Lines read, of sources that were known and of new ones.
    pub(super) lines: u64,
    /// Those that cannot be subjects.
    pub(super) rejected: u64,
    /// The subjects.
    pub(super) tally: Tally,
}

impl Job {
    /// Copies the state file, if there is one, and takes the inputs in. The file itself is only
    /// read.
    pub(super) fn copy(inputs: &Inputs, state: &StateFile, file: &Run) -> Result<Self, Failure> {
        let origin = state.path(file, false);
        let list = inputs.list();
        if list.is_empty() && !origin.exists() {
            return Err(crate::store::StoreError::Missing { path: origin }.into());
        }
        let scratch = Scratch::new().map_err(|why| {
            Failure::internal(format!(
                "no scratch folder can be made: {why}. Free some space, or point TMPDIR elsewhere"
            ))
        })?;
        let path = scratch.state();
        if origin.exists() {
            Reader::open(&origin)?.copy_to(&path)?;
        }
        let mut store = Store::open(&path, Clock::system().now())?;
        store.relax()?;
        let rejects = enrol(
            &mut store,
            &list,
            &inputs.options(file)?,
            rejects_of(&path),
            true,
        )?;
        if let Some((_, rows)) = rejects {
            let rows = counted(rows, "line");
            say(&format!(
                "{rows} cannot be subjects; `idferry run` writes them to a file"
            ));
        }
        let sources = store.reader()?.sources()?;
        Ok(Self {
            lines: sources.iter().map(|source| source.lines).sum(),
            rejected: sources.iter().map(|source| source.rejected).sum(),
            tally: store.tally(),
            scratch,
        })
    }
}

fn rejects_of(state: &Path) -> PathBuf {
    state.with_extension("rejects.csv")
}
