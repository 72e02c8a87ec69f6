//! What `plan` and `rehearse` know of a job without touching it: its inputs, or its state file
//! alone, in a scratch copy that is thrown away.

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
        store.disable_fsync()?;
        enrol(&mut store, &list, &inputs.options(file)?, true)?;
        let sources = store.reader()?.sources()?;
        let rejected = sources.iter().map(|source| source.rejected).sum();
        if rejected > 0 {
            let rows = counted(rejected, "line");
            say(&format!(
                "{rows} cannot be subjects; `idferry run` writes them to a file"
            ));
        }
        Ok(Self {
            lines: sources.iter().map(|source| source.lines).sum(),
            rejected,
            tally: store.tally(),
            scratch,
        })
    }
}
