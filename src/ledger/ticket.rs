//! The `mass_call_ticket`, of which a corp obtains at most one, ever (D96250). Therefore an
//! application is recorded before it is made, and the ticket before it is first used.

use rusqlite::{OptionalExtension, params};

use super::file::Ledger;
use crate::{clock::Timestamp, secret::Secret, store::Result};

/// An application for a ticket.
pub struct Application {
    /// When it was made.
    pub applied_at: Timestamp,
    /// The ticket, if a reply brought one. It is valid for seven days from `applied_at` (D96250).
    pub ticket: Option<Secret<String>>,
    /// When the remote refused the ticket, if it did.
    pub dead_at: Option<Timestamp>,
}

/// The record of a corp's applications for a ticket.
pub struct Tickets<'l> {
    ledger: &'l Ledger,
    corp: String,
}

impl<'l> Tickets<'l> {
    /// Returns the record of `corp`.
    #[must_use]
    pub fn of(ledger: &'l Ledger, corp: &str) -> Self {
        Self {
            ledger,
            corp: corp.to_owned(),
        }
    }

    /// Returns the latest application; `None` if none was made.
    pub fn latest_application(&self) -> Result<Option<Application>> {
        let sql = "SELECT applied_at, ticket, dead_at FROM tickets WHERE corp = ?1
                   ORDER BY id DESC LIMIT 1";
        self.ledger.run(|db| {
            let found = db.query_row(sql, [&self.corp], |row| {
                Ok(Application {
                    applied_at: Timestamp::from_millis(row.get(0)?),
                    ticket: row.get::<_, Option<String>>(1)?.map(Secret::new),
                    dead_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
                })
            });
            found.optional()
        })
    }

    /// Records an application that is about to be made. After an error it must not be made.
    pub fn record_application(&self, now: Timestamp) -> Result<()> {
        let sql = "INSERT INTO tickets (corp, applied_at) VALUES (?1, ?2)";
        self.run(sql, params![self.corp, now.as_millis()])
    }

    /// Adds the ticket to the latest application.
    pub fn save(&self, ticket: &Secret<String>, expires_at: Timestamp) -> Result<()> {
        let sql = "UPDATE tickets SET ticket = ?2, expires_at = ?3
                   WHERE id = (SELECT max(id) FROM tickets WHERE corp = ?1)";
        let ticket = ticket.expose();
        self.run(sql, params![self.corp, ticket, expires_at.as_millis()])
    }

    /// Deletes the latest application if it brought no ticket: the remote refused it in a way that
    /// leaves the corp's one chance unused.
    pub(crate) fn forget_application(&self) -> Result<()> {
        let sql = "DELETE FROM tickets WHERE ticket IS NULL
                   AND id = (SELECT max(id) FROM tickets WHERE corp = ?1)";
        self.run(sql, params![self.corp])
    }

    /// Records that the remote refuses the latest ticket.
    pub(crate) fn mark_dead(&self, now: Timestamp) -> Result<()> {
        let sql = "UPDATE tickets SET dead_at = ?2
                   WHERE id = (SELECT max(id) FROM tickets WHERE corp = ?1)";
        self.run(sql, params![self.corp, now.as_millis()])?;
        self.tell_others()
    }

    /// Records since when it is in doubt whether the latest ticket works; `None` if it does.
    pub(crate) fn doubt(&self, since: Option<Timestamp>) -> Result<()> {
        let sql = "UPDATE tickets SET doubted_at = ?2
                   WHERE id = (SELECT max(id) FROM tickets WHERE corp = ?1)";
        self.run(sql, params![self.corp, since.map(Timestamp::as_millis)])?;
        self.tell_others()
    }

    /// Other processes of the corp count the calls with it anew.
    fn tell_others(&self) -> Result<()> {
        self.run("UPDATE ledger SET revision = revision + 1", params![])
    }

    /// Returns when the latest working ticket expires; `None` if there is none.
    pub fn expires_at(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT max(expires_at) FROM tickets
                   WHERE corp = ?1 AND ticket IS NOT NULL AND dead_at IS NULL";
        self.ledger.run(|db| {
            let expires: Option<i64> = db.query_row(sql, [&self.corp], |row| row.get(0))?;
            Ok(expires.map(Timestamp::from_millis))
        })
    }

    fn run(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<()> {
        self.ledger.run(|db| db.execute(sql, values).map(drop))
    }
}
