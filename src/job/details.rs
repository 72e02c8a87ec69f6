//! How a job stands and how it came there: what the page and the report show.

use super::{
    error::Error,
    files::JobFiles,
    runs::{ListedRun, RunList},
    status::Status,
};
use crate::{
    clock::Clock,
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
        let reader = Reader::open(&files.job)?;
        Self::with(Status::read(files)?, &reader, reader.links_by_corp()?)
    }

    fn with(
        status: Status,
        reader: &Reader<'_>,
        dealers: Vec<(String, u64)>,
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
        let mut samples = reader.samples()?;
        samples.extend(present_wait(&status));
        Ok(Self {
            refusals: refusals.collect(),
            dealers,
            samples,
            runs,
            status,
        })
    }
}

/// What the run has waited since it wrote to the job file last, which it does once a minute.
fn present_wait(status: &Status) -> Option<Sample> {
    let (run, wait) = (status.run.as_ref()?, status.waiting.as_ref()?);
    let span = status.now.since(run.seen_at);
    Some(Sample {
        at: run.seen_at,
        hold: wait.code.clone(),
        millis: u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
        calls: 0,
        answered: 0,
    })
}

/// Reads the details of a job again and again, in the process of its run. Links are counted now and
/// then, because that takes long.
pub struct DetailsReader {
    files: JobFiles,
    clock: Clock,
    dealers: Vec<(String, u64)>,
    /// When they are counted again; monotonic time.
    due: i64,
}

impl DetailsReader {
    /// How long links are not counted again, in milliseconds, and as a multiple of the time it took.
    const PAUSE: (i64, i64) = (5_000, 100);

    /// Of the job in `files`.
    #[must_use]
    pub fn of(files: JobFiles) -> Self {
        Self {
            files,
            clock: Clock::system(),
            dealers: Vec::new(),
            due: 0,
        }
    }

    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the job file or the ledger cannot be read.
    pub fn read(&mut self) -> Result<Details, Error> {
        let status = Status::of_this_process(&self.files)?;
        let reader = Reader::open(&self.files.job)?;
        let began = self.clock.monotonic().millis;
        if began >= self.due || !status.running {
            self.dealers = reader.links_by_corp()?;
            let ended = self.clock.monotonic().millis;
            let (pause, share) = Self::PAUSE;
            self.due = ended + pause.max((ended - began) * share);
        }
        Details::with(status, &reader, self.dealers.clone())
    }
}
