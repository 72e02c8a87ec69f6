//! The `mass_call_ticket`, of which a corp obtains at most one, ever (D96250). Therefore an
//! application is recorded before it is made, its reply before it is read, and the ticket before it
//! is first used.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{file::Ledger, rows};
use crate::{
    clock::Timestamp,
    secret::Secret,
    store::{Result, StoreError},
};

/// Room that is made for a reply when its application is recorded, so that keeping it does not need
/// more of the disk.
const ROOM: i32 = 16 << 10;

/// How a corp came to a ticket, and what became of its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operator imported it.
    Imported,
    /// It was applied for, and the reply was lost: the process or the connection ended before.
    Unanswered,
    /// The application was refused with this errcode.
    Refused(i64),
    /// The reply was kept and not understood.
    Unreadable,
    /// The reply brought the ticket.
    Obtained,
    /// The operator had its text deleted.
    Forgotten,
}

/// The latest ticket of a corp, or the application that brought none.
pub struct TicketRecord {
    /// When it was applied for or obtained, by the wall clock.
    pub obtained_at: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
    /// The ticket, unless there is none or it was forgotten.
    pub ticket: Option<Secret<String>>,
    /// When it ends, by the wall clock.
    pub expires_at: Option<Timestamp>,
    /// Since when it is not known whether the remote accepts it.
    pub doubted_at: Option<Timestamp>,
    /// Whether a call without it was answered since, where one with it was refused.
    pub answered_without: bool,
    /// When the remote was found not to accept it.
    pub dead_at: Option<Timestamp>,
}

/// How it stands with a corp's ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketState {
    /// It is sent until then, by the wall clock.
    Works(Timestamp),
    /// The same, but it is not known whether the remote accepts it.
    Doubted(Timestamp),
    /// It was found not to work, at this time.
    Dead(Timestamp),
    /// Its life ended, or is about to.
    Expired(Timestamp),
    /// The application was refused with this errcode.
    Refused(i64),
    /// The application was made at this time, and its reply was lost.
    Unanswered(Timestamp),
    /// No ticket was found in the reply, which is kept.
    Unreadable,
    /// The operator had its text deleted.
    Forgotten,
}

/// A ticket that calls are sent with: another may have been imported since.
pub(crate) struct TriedTicket<'t> {
    /// Its text.
    pub(crate) text: &'t Secret<String>,
    /// When it was obtained, by the wall clock.
    pub(crate) obtained_at: Timestamp,
}

/// The record of a corp's ticket.
pub struct Tickets<'l> {
    ledger: &'l Ledger,
    corp: String,
}

const LATEST: &str = "id = (SELECT max(id) FROM tickets WHERE corp = ?1)";
const APPLICATION: &str = "corp = ?1 AND is_imported = 0";
/// A ticket that is tried. Its text may have been forgotten meanwhile.
const TRIED: &str = "corp = ?1 AND obtained_at = ?2 AND (ticket = ?3 OR ticket IS NULL)";

impl<'l> Tickets<'l> {
    /// Returns the record of `corp`.
    #[must_use]
    pub fn of(ledger: &'l Ledger, corp: &str) -> Self {
        Self {
            ledger,
            corp: corp.to_owned(),
        }
    }

    /// Returns the latest ticket or application; `None` if there was neither.
    pub fn latest(&self) -> Result<Option<TicketRecord>> {
        let sql = format!(
            "SELECT is_imported, obtained_at, status, errcode, ticket, expires_at, doubted_at, dead_at,
                 reply IS NOT NULL, without
             FROM tickets WHERE {LATEST}"
        );
        self.ledger
            .run(|db| db.query_row(&sql, [&self.corp], record).optional())
    }

    /// Records an application that is about to be made. Returns whether it may be made: there was
    /// none before, and no ticket was imported. After an error it must not be made either.
    pub fn record_application(&self, now: Timestamp) -> Result<bool> {
        let sql = "INSERT INTO tickets (corp, is_imported, obtained_at, reply)
                   SELECT ?1, 0, ?2, zeroblob(?3)
                   WHERE NOT EXISTS (SELECT 1 FROM tickets WHERE corp = ?1)";
        let values = params![self.corp, now.as_millis(), ROOM];
        let is_first = self.ledger.run(|db| Ok(db.execute(sql, values)? > 0))?;
        if is_first {
            // The write-ahead log begins anew, with room for the reply. If it cannot, the reply may
            // need more of the disk.
            let _ = self
                .ledger
                .run(|db| db.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())));
        }
        Ok(is_first)
    }

    /// Keeps the reply to the application, an HTTP status and a body, before anything is read from it.
    pub fn keep_reply(&self, status: u16, body: &Secret<Vec<u8>>) -> Result<()> {
        let sql = format!("UPDATE tickets SET status = ?2, reply = ?3 WHERE {APPLICATION}");
        self.run(&sql, params![self.corp, status, body.expose()])
    }

    /// Returns the kept reply of an application that nothing was read from; `None` if there is none.
    pub fn unread_reply(&self) -> Result<Option<(u16, Secret<Vec<u8>>)>> {
        let sql = format!(
            "SELECT status, reply FROM tickets WHERE {LATEST} AND is_imported = 0
                 AND status IS NOT NULL AND reply IS NOT NULL AND errcode IS NULL AND ticket IS NULL"
        );
        self.ledger.run(|db| {
            let found = db.query_row(&sql, [&self.corp], |row| {
                Ok((row.get(0)?, Secret::new(row.get(1)?)))
            });
            found.optional()
        })
    }

    /// Adds the ticket to the application.
    pub fn save(&self, ticket: &Secret<String>, expires_at: Timestamp) -> Result<()> {
        let sql = format!("UPDATE tickets SET ticket = ?2, expires_at = ?3 WHERE {APPLICATION}");
        let ticket = ticket.expose();
        self.run(&sql, params![self.corp, ticket, expires_at.as_millis()])
    }

    /// Records that the application was refused.
    pub fn refused(&self, errcode: i64) -> Result<()> {
        let sql = format!("UPDATE tickets SET errcode = ?2 WHERE {APPLICATION}");
        self.run(&sql, params![self.corp, errcode])
    }

    /// Withdraws an application that was never sent, or never looked at.
    pub(crate) fn withdraw_application(&self) -> Result<()> {
        let sql = format!(
            "DELETE FROM tickets WHERE {APPLICATION} AND ticket IS NULL AND errcode IS NULL"
        );
        self.run(&sql, params![self.corp])
    }

    /// Returns when a ticket was obtained that is imported as of `obtained_at`: one that is known keeps
    /// its earlier date.
    pub fn since(&self, ticket: &Secret<String>, obtained_at: Timestamp) -> Result<Timestamp> {
        let known = "SELECT min(obtained_at) FROM tickets WHERE corp = ?1 AND ticket = ?2";
        let values = params![self.corp, ticket.expose()];
        let read = |db: &Connection| db.query_row(known, values, |row| row.get(0));
        let known: Option<i64> = self.ledger.run(read)?;
        Ok(known.map_or(obtained_at, |at| {
            obtained_at.min(Timestamp::from_millis(at))
        }))
    }

    /// Adds a ticket that was obtained elsewhere; it takes the place of the one before. Returns
    /// [when](Self::since) it was obtained.
    pub fn import(
        &self,
        ticket: &Secret<String>,
        obtained_at: Timestamp,
        life: Duration,
    ) -> Result<Timestamp> {
        let since = self.since(ticket, obtained_at)?;
        self.ledger.change(|step, revision| {
            if rows::is_ticket_in_doubt(step, &self.corp)? {
                count_for_good(step, &self.corp, revision)?;
            }
            let sql = "INSERT INTO tickets (corp, is_imported, obtained_at, ticket, expires_at)
                       VALUES (?1, 1, ?2, ?3, ?4)";
            let expires = since.plus(life).as_millis();
            let values = params![self.corp, since.as_millis(), ticket.expose(), expires];
            step.execute(sql, values).map(drop)
        })?;
        Ok(since)
    }

    /// Deletes the text of every ticket and reply. That there was one stays: there is no second.
    /// Returns whether there was any.
    ///
    /// # Errors
    ///
    /// [`StoreError::LogInUse`] if another process reads the ledger, so that the text is still in its
    /// log, besides those of the ledger.
    pub fn forget(&self) -> Result<bool> {
        let sql = "UPDATE tickets SET ticket = NULL, expires_at = NULL, reply = NULL
                   WHERE corp = ?1
                       AND (ticket IS NOT NULL OR (status IS NOT NULL AND reply IS NOT NULL))";
        let mut forgot = false;
        self.ledger.change(|step, _| {
            forgot = step.execute(sql, [&self.corp])? > 0;
            Ok(())
        })?;
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy = |db: &Connection| db.query_row(empty, [], |row| row.get(0));
        if self.ledger.run(is_busy)? {
            let path = self.ledger.path().to_owned();
            return Err(StoreError::LogInUse { path });
        }
        Ok(forgot)
    }

    /// Records that the remote refuses a ticket.
    pub(crate) fn mark_dead(&self, tried: &TriedTicket<'_>, now: Timestamp) -> Result<()> {
        let sql = format!("UPDATE tickets SET dead_at = ?4 WHERE {TRIED}");
        let (obtained_at, text) = (tried.obtained_at.as_millis(), tried.text.expose());
        let values = params![self.corp, obtained_at, text, now.as_millis()];
        self.ledger.change(|step, revision| {
            step.execute(&sql, values)?;
            // What was sent with it would be counted nowhere where another has taken its place.
            if !rows::is_ticket_in_doubt(step, &self.corp)? {
                count_for_good(step, &self.corp, revision)?;
            }
            Ok(())
        })
    }

    /// Records since when it is in doubt whether a ticket works, `None` if it does; and whether a call
    /// without it was answered meanwhile.
    pub(crate) fn doubt(
        &self,
        tried: &TriedTicket<'_>,
        since: Option<Timestamp>,
        without: bool,
    ) -> Result<()> {
        let sql = format!("UPDATE tickets SET doubted_at = ?4, without = ?5 WHERE {TRIED}");
        let (obtained_at, text) = (tried.obtained_at.as_millis(), tried.text.expose());
        let since = since.map(Timestamp::as_millis);
        let values = params![self.corp, obtained_at, text, since, without];
        // Other processes of the corp count the calls with it anew.
        self.ledger
            .change(|step, _| step.execute(&sql, values).map(drop))
    }

    /// Returns when the latest ticket expires; `None` if there is none, or it is dead.
    pub fn expires_at(&self) -> Result<Option<Timestamp>> {
        let latest = self.latest()?.filter(|ticket| ticket.is_usable());
        Ok(latest.and_then(|ticket| ticket.expires_at))
    }

    fn run(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
        self.ledger.run(|db| db.execute(sql, values).map(drop))
    }
}

impl TicketRecord {
    /// Whether there is a ticket that was not found dead. It may have expired.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        self.ticket.is_some() && self.dead_at.is_none()
    }

    /// Returns how it stands at `now`; a ticket is not sent in the `last` moments of its life.
    #[must_use]
    pub fn state(&self, now: Timestamp, last: Duration) -> TicketState {
        let (Some(_), Some(expires)) = (&self.ticket, self.expires_at) else {
            return match self.origin {
                Origin::Unanswered => TicketState::Unanswered(self.obtained_at),
                Origin::Refused(errcode) => TicketState::Refused(errcode),
                Origin::Unreadable => TicketState::Unreadable,
                Origin::Forgotten | Origin::Imported | Origin::Obtained => TicketState::Forgotten,
            };
        };
        let last = i64::try_from(last.as_millis()).unwrap_or(0);
        let until = Timestamp::from_millis(expires.as_millis() - last);
        match (self.dead_at, self.doubted_at) {
            (Some(at), _) => TicketState::Dead(at),
            _ if now >= until => TicketState::Expired(expires),
            (_, Some(_)) => TicketState::Doubted(until),
            _ => TicketState::Works(until),
        }
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<TicketRecord> {
    let time = |column| {
        let millis: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(millis.map(Timestamp::from_millis))
    };
    let (is_imported, status): (bool, Option<u16>) = (row.get(0)?, row.get(2)?);
    let (errcode, expires_at) = (row.get(3)?, time(5)?);
    let ticket: Option<String> = row.get(4)?;
    Ok(TicketRecord {
        obtained_at: Timestamp::from_millis(row.get(1)?),
        origin: match (is_imported, status, errcode) {
            (true, ..) if ticket.is_some() => Origin::Imported,
            (true, ..) => Origin::Forgotten,
            (_, None, _) => Origin::Unanswered,
            (_, _, Some(errcode)) => Origin::Refused(errcode),
            _ if ticket.is_some() => Origin::Obtained,
            _ if row.get(8)? => Origin::Unreadable,
            _ => Origin::Forgotten,
        },
        ticket: ticket.map(Secret::new),
        expires_at,
        doubted_at: time(6)?,
        answered_without: row.get(9)?,
        dead_at: time(7)?,
    })
}

/// Counts the calls with a ticket in the business windows for good, as those of a ticket that is dead or
/// in doubt are.
fn count_for_good(step: &Transaction<'_>, corp: &str, revision: i64) -> rusqlite::Result<()> {
    let sql = "UPDATE charges SET standard = standard + with_ticket, with_ticket = 0, revision = ?2
               WHERE corp = ?1 AND with_ticket > 0";
    step.execute(sql, params![corp, revision]).map(drop)
}

#[cfg(test)]
mod tests;
