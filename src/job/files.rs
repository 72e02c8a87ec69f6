//! The two files of a job: its own, and the ledger that it shares with the corp's other jobs.

use std::path::{Path, PathBuf};

use super::error::Error;
use crate::{
    ledger::{Ledger, StoredAccount, Tickets},
    model::Api,
    store::Reader,
};

/// Where the job file and the ledger lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFiles {
    /// The job file.
    pub job: PathBuf,
    /// The ledger.
    pub ledger: PathBuf,
}

/// What the ledger and the job file know of a job's corp.
pub(crate) struct CorpStanding {
    /// The corp that the job belongs to.
    pub(crate) corp_id: Option<String>,
    /// The account of the lookups.
    pub(crate) lookups: StoredAccount,
    /// That of the calls for pending_ids.
    pub(crate) pending_ids: StoredAccount,
    /// When the latest working ticket expires.
    pub(crate) ticket_expires: Option<crate::clock::Timestamp>,
    /// Whether one was ever applied for or imported, so that there is no other.
    pub(crate) ticket_is_spent: bool,
}

impl JobFiles {
    /// Returns the files of a job whose ledger lies beside it: `fans.db` and `fans.ledger.db`. For
    /// sandboxes, rehearsals and tests, whose calls cost no corp anything.
    #[must_use]
    pub fn beside(job: &Path) -> Self {
        Self {
            ledger: job.with_extension("ledger.db"),
            job: job.to_owned(),
        }
    }

    /// The name under which the job's runs charge calls.
    pub(crate) fn name(&self) -> String {
        self.job.display().to_string()
    }

    /// Reads what is known of the corp's quota, without changing either file: the ledger, and the
    /// job's own counters where the ledger lacks them.
    pub(crate) fn standing(&self, reader: &Reader) -> Result<CorpStanding, Error> {
        let corp_id = reader.corp_id()?;
        let corp = corp_id.as_deref().unwrap_or_default();
        let ledger = Ledger::in_memory()?;
        ledger.adopt(&self.ledger, corp, corp)?;
        ledger.merge((corp, &self.name()), &reader.counters()?, None)?;
        let tickets = Tickets::of(&ledger, corp);
        Ok(CorpStanding {
            lookups: ledger.load(corp, Api::Lookup)?,
            pending_ids: ledger.load(corp, Api::PendingId)?,
            ticket_expires: tickets.expires_at()?,
            ticket_is_spent: tickets.latest()?.is_some(),
            corp_id,
        })
    }
}
