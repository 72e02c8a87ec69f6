//! How a job stands and how it came there: what the page and the report show.

use super::{
    error::Error,
    files::JobFiles,
    runs::{ListedRun, RunList},
    status::Status,
};
use crate::{
    clock::Timestamp,
    model::State,
    runner::event::Entry,
    store::{Reader, Sample},
    wecom::errcode,
};

/// A job in detail. It holds nothing of any person.
#[derive(Debug)]
pub struct Details {
    /// How it stands.
    pub status: Status,
    /// What refused or parked subjects, by errcode.
    pub refusals: Vec<RefusedSubjects>,
    /// Links that stand, by downstream corp, the most first.
    pub dealers: Vec<(String, u64)>,
    /// What its runs did, the latest last.
    pub samples: Vec<Sample>,
    /// Its runs, the latest last.
    pub runs: Vec<ListedRun>,
}

/// Subjects in a state that is no answer.
#[derive(Debug)]
pub struct RefusedSubjects {
    /// Rejected or parked.
    pub state: State,
    /// Why; `None` if no reply could be read.
    pub errcode: Option<i64>,
    /// What that means.
    pub entry: Option<&'static Entry>,
    /// How many.
    pub subjects: u64,
}

impl Details {
    /// Reads a job file and the corp's ledger.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn read(files: &JobFiles) -> Result<Self, Error> {
        let status = Status::read(files)?;
        let reader = Reader::open(&files.job)?;
        let mut details = Self::beside(status, &reader, Timestamp::default())?;
        details.dealers = reader.links_by_corp()?;
        Ok(details)
    }

    /// The same without the dealers, whose links take long to count, and with what its runs did since
    /// a moment alone.
    pub(crate) fn beside(
        status: Status,
        reader: &Reader<'_>,
        since: Timestamp,
    ) -> Result<Self, Error> {
        let refusals = reader.refusals()?.into_iter();
        let refusals = refusals.map(|(state, errcode, subjects)| RefusedSubjects {
            state,
            errcode,
            entry: errcode.map(errcode::lookup),
            subjects,
        });
        let mut runs = RunList::of(reader, status.now)?.runs;
        if let Some(last) = runs.last_mut() {
            last.running = status.running;
        }
        Ok(Self {
            refusals: refusals.collect(),
            dealers: Vec::new(),
            samples: reader.samples(since)?,
            runs,
            status,
        })
    }
}
