//! Contacts of downstream corps: read, matched by their pending_ids, linked.

use super::Session;
use crate::{
    intake::{Input, ReadOptions, read_contacts},
    job::error::Error,
    model::Api,
    runner::{
        CallAccount, Matching, MatchingAccounts, MatchingOptions, Stop, event::MatchingReport,
    },
    store::{ContactCounts, RunId},
    wecom::Client,
};

/// An input of contacts that was read.
pub struct ImportedContacts {
    /// Its name.
    pub name: String,
    /// Lines, the header not counted.
    pub lines: u64,
    /// How many of them brought a contact that was not known.
    pub new: u64,
    /// Lines that cannot be asked about.
    pub invalid: u64,
    /// The first of them, with the reason.
    pub first_invalid: Option<(u64, String)>,
}

impl Session {
    /// Adds the contacts of `input`.
    ///
    /// # Errors
    ///
    /// If it cannot be read or has no column of them, or the job file cannot be written.
    pub fn import_contacts(
        &mut self,
        input: &Input,
        options: &ReadOptions,
    ) -> Result<ImportedContacts, Error> {
        let (read, new) = self.store.add_contacts(|add| {
            read_contacts::<Error>(input, options, |contact| Ok(add(contact)?))
        })?;
        Ok(ImportedContacts {
            name: input.name(),
            lines: read.lines,
            new,
            invalid: read.invalid,
            first_invalid: read.first_invalid,
        })
    }

    /// Asks about every contact that is due, and links those that are known to subjects. Returns how it
    /// ended, and how many links are new.
    ///
    /// # Errors
    ///
    /// If the job file belongs to another corp, or cannot be read or written.
    pub async fn match_contacts(
        &mut self,
        run: RunId,
        client: Client,
        options: MatchingOptions,
        stop: Stop,
    ) -> Result<(MatchingReport, u64), Error> {
        let corp = client.corp_id().to_owned();
        self.store.bind_corp(&corp)?;
        let ledger = self.open_ledger()?;
        let clock = self.merge_counters(&ledger, &corp)?;
        let account = |api| {
            let stored = ledger.load(&corp, api)?;
            let account = self.account(&ledger, (&corp, api), run)?;
            let quota = &self.settings.quota;
            Ok::<_, Error>(CallAccount::open(account, quota, &stored.snapshot))
        };
        let accounts = MatchingAccounts {
            tokens: self.token_account(&ledger, &corp, run)?,
            contacts: account(Api::Contacts)?,
            corps: account(Api::SharingCorps)?,
            corp_tokens: account(Api::CorpToken)?,
        };
        let store = &mut self.store;
        let matching = Matching::new(store, (client, clock), accounts, options, stop);
        let report = matching.drive().await;
        // What was answered before an error is linked too.
        let links = self.store.link_contacts(self.clock.now());
        Ok((report?, links?))
    }

    /// How many contacts there are, by what became of them.
    pub(crate) fn contact_counts(&self) -> Result<ContactCounts, Error> {
        Ok(self.store.contact_counts()?)
    }
}
