//! Contacts: external_userids of downstream corps, the pending_ids that the API knows them by, and
//! the links that follow.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    Store,
    corps::{self, corp_number},
    error::Result,
    passes::seconds,
    reader::Reader,
    tally::load_tally,
};
use crate::{
    clock::Timestamp,
    model::{Contact, PendingId},
};

/// Contacts that are asked about in one call, and by which token and chat.
pub struct ContactBatch {
    /// The downstream corp; empty if that was not told.
    pub corpid: String,
    /// The group chat; empty for none.
    pub chat_id: String,
    /// Their external_userids, ascending.
    pub external_userids: Vec<String>,
    corp: i64,
}

/// What became of the contacts of a batch.
pub enum ContactAnswer<'a> {
    /// These were known by a pending_id; the others were not.
    Known(&'a [(Box<str>, PendingId)]),
    /// The API refused them with this errcode.
    Refused(i64),
}

/// How many contacts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContactCounts {
    /// All of them.
    pub contacts: u64,
    /// Those with a pending_id that is a subject's, and that of no subject.
    pub matched: u64,
    /// Those that have a pending_id of no subject of this job.
    pub strangers: u64,
    /// Those that were asked about and have none.
    pub unmatched: u64,
    /// Those that were refused.
    pub refused: u64,
    /// Those that were not asked about.
    pub unasked: u64,
}

impl Store {
    /// Adds the contacts that `read` passes on, in one transaction. Returns what `read` does, and how
    /// many are new.
    pub(crate) fn add_contacts<T, E: From<super::StoreError>>(
        &mut self,
        read: impl FnOnce(&mut dyn FnMut(&Contact<'_>) -> Result<()>) -> std::result::Result<T, E>,
    ) -> std::result::Result<(T, u64), E> {
        let Self { db, corps, .. } = self;
        let added = add(db, |db, added| {
            read(&mut |contact| {
                let corp = corp_number(db, corps, contact.corpid)?;
                let mut insert = db.prepare_cached(
                    "INSERT OR IGNORE INTO contacts (corp, chat_id, external_userid)
                     VALUES (?1, ?2, ?3)",
                )?;
                *added += insert.execute((corp, contact.chat_id, contact.external_userid))? as u64;
                Ok(())
            })
        });
        if added.is_err() {
            let _ = self.recall_corps();
        }
        added
    }

    /// Returns the corps and chats of contacts, which are asked about one after the other.
    pub(crate) fn contact_groups(&self) -> Result<Vec<ContactBatch>> {
        let mut list = self.db.prepare(
            "SELECT DISTINCT k.corpid, c.chat_id, c.corp FROM contacts c
             JOIN corps k ON k.id = c.corp ORDER BY c.corp, c.chat_id",
        )?;
        let groups = list.query_map([], |row| {
            Ok(ContactBatch {
                corpid: row.get(0)?,
                chat_id: row.get(1)?,
                corp: row.get(2)?,
                external_userids: Vec::new(),
            })
        })?;
        Ok(groups.collect::<std::result::Result<_, _>>()?)
    }

    /// Reads into `batch` the next `most` contacts of its corp and chat that were never asked about, or
    /// last before `before` and without finding a pending_id. Returns whether there are any.
    pub(crate) fn next_contacts(
        &self,
        batch: &mut ContactBatch,
        most: u32,
        before: Timestamp,
    ) -> Result<bool> {
        let after = batch.external_userids.pop().unwrap_or_default();
        let mut page = self.db.prepare_cached(
            "SELECT external_userid FROM contacts
             WHERE corp = ?1 AND chat_id = ?2 AND external_userid > ?3 AND pending_id IS NULL
                AND (at IS NULL OR at < ?4)
             ORDER BY external_userid LIMIT ?5",
        )?;
        let key = params![batch.corp, batch.chat_id, after, seconds(before), most];
        let page = page.query_map(key, |row| row.get(0))?;
        batch.external_userids = page.collect::<std::result::Result<_, _>>()?;
        Ok(!batch.external_userids.is_empty())
    }

    /// Writes what became of `ids` of a batch.
    pub(crate) fn settle_contacts(
        &self,
        (batch, ids): (&ContactBatch, &[String]),
        answer: &ContactAnswer<'_>,
        now: Timestamp,
    ) -> Result<()> {
        let step = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let mut update = step.prepare_cached(
            "UPDATE contacts SET pending_id = ?4, errcode = ?5, at = ?6
             WHERE corp = ?1 AND chat_id = ?2 AND external_userid = ?3",
        )?;
        for id in ids {
            let (pending_id, errcode) = match answer {
                ContactAnswer::Known(known) => {
                    let mut known = known.iter();
                    let found = known.find(|(contact, _)| **contact == **id);
                    (found.map(|(_, pending_id)| &*pending_id.0), None)
                }
                ContactAnswer::Refused(errcode) => (None, Some(errcode)),
            };
            let at = seconds(now);
            update.execute(params![
                batch.corp,
                batch.chat_id,
                id,
                pending_id,
                errcode,
                at
            ])?;
        }
        drop(update);
        Ok(step.commit()?)
    }

    /// Links subjects and contacts that have the same pending_id. Returns how many links are new.
    pub(crate) fn link_contacts(&mut self, now: Timestamp) -> Result<u64> {
        let step = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        step.execute_batch(FOUND)?;
        let links = step.execute(LINK, [seconds(now)])? as u64;
        step.execute(TURN_LINKED, [seconds(now)])?;
        step.execute_batch(TALLY)?;
        if links > 0 {
            step.execute("UPDATE job SET revision = revision + 1", [])?;
        }
        step.execute_batch("DROP TABLE temp.found_links")?;
        step.commit()?;
        self.tally = load_tally(&self.db)?;
        Ok(links)
    }

    /// Returns how many contacts there are.
    pub(crate) fn contact_counts(&self) -> Result<ContactCounts> {
        let sql = "SELECT count(*), count(pending_id),
                count(*) FILTER (WHERE at IS NOT NULL AND pending_id IS NULL AND errcode IS NULL),
                count(errcode), count(*) FILTER (WHERE at IS NULL),
                count(*) FILTER (WHERE EXISTS (SELECT 1 FROM links l WHERE l.corp = c.corp
                    AND l.external_userid = c.external_userid AND l.source = 1))
             FROM contacts c";
        let number = |row: &rusqlite::Row<'_>, column| {
            Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs())
        };
        Ok(self.db.query_row(sql, [], |row| {
            let (known, matched) = (number(row, 1)?, number(row, 5)?);
            Ok(ContactCounts {
                contacts: number(row, 0)?,
                matched,
                strangers: known.saturating_sub(matched),
                unmatched: number(row, 2)?,
                refused: number(row, 3)?,
                unasked: number(row, 4)?,
            })
        })?)
    }

    /// Keeps the names of downstream corps.
    pub(crate) fn name_corps(&mut self, names: &[(String, String)]) -> Result<()> {
        let step = Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        for (corpid, name) in names {
            step.execute(
                "INSERT INTO corps (corpid, name) VALUES (?1, ?2)
                 ON CONFLICT (corpid) DO UPDATE SET name = excluded.name",
                (corpid, name),
            )?;
        }
        step.commit()?;
        self.corps = corps::load_corps(&self.db)?;
        Ok(())
    }
}

impl Reader<'_> {
    /// Returns the names of downstream corps, by corpid, as far as they are known.
    pub(crate) fn corp_names(&self) -> Result<HashMap<String, String>> {
        let mut list = self
            .db
            .prepare("SELECT corpid, name FROM corps WHERE name IS NOT NULL")?;
        let names = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(names.collect::<std::result::Result<_, _>>()?)
    }
}

fn add<T, E: From<super::StoreError>>(
    db: &Connection,
    read: impl FnOnce(&Connection, &mut u64) -> std::result::Result<T, E>,
) -> std::result::Result<(T, u64), E> {
    let step = Transaction::new_unchecked(db, TransactionBehavior::Immediate);
    let step = step.map_err(super::StoreError::from)?;
    let mut added = 0;
    let read = read(db, &mut added)?;
    step.commit().map_err(super::StoreError::from)?;
    Ok((read, added))
}

/// The links that follow from equal pending_ids; a subject of one corp has none at another.
const FOUND: &str = "
    CREATE TEMP TABLE found_links (subject INTEGER, corp INTEGER, external_userid TEXT,
        PRIMARY KEY (subject, corp, external_userid)) WITHOUT ROWID;
    INSERT OR IGNORE INTO found_links
        SELECT p.subject, c.corp, c.external_userid FROM pending_ids p
        CROSS JOIN contacts c ON c.pending_id = p.pending_id
        JOIN subjects s ON s.id = p.subject WHERE coalesce(s.corp, c.corp) = c.corp;
    INSERT OR IGNORE INTO found_links
        SELECT p.subject, c.corp, c.external_userid FROM pending_ids p
        CROSS JOIN contacts c ON c.pending_id = p.previous
        JOIN subjects s ON s.id = p.subject
        WHERE p.previous IS NOT NULL AND coalesce(s.corp, c.corp) = c.corp;";

/// One that was there before is none of these, whether it stands or not: lookups say that.
const LINK: &str = "INSERT INTO links (subject, corp, external_userid, since, source)
    SELECT subject, corp, external_userid, ?1, 1 FROM found_links f
    WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.subject = f.subject AND l.corp = f.corp
        AND l.external_userid = f.external_userid)";

const TURN_LINKED: &str = "UPDATE outcomes SET state = 1, errcode = 0, at = ?1
    WHERE state <> 1 AND subject IN (SELECT subject FROM found_links f WHERE EXISTS
        (SELECT 1 FROM links l WHERE l.subject = f.subject AND l.until IS NULL))";

/// Only these may have changed.
const TALLY: &str = "
    UPDATE tallies SET subjects = (SELECT count(*) FROM outcomes o WHERE o.state = tallies.state)
        WHERE state > 0;";
