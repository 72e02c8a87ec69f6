//! The `mass_call_ticket`, of which a corp obtains at most one, ever (D96250). Therefore an
//! application is recorded before it is made, and the ticket before it is first used.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use crate::{clock::Timestamp, secret::Secret};

/// An application for a ticket.
pub struct Application {
    /// When it was made.
    pub applied_at: Timestamp,
    /// The ticket, if a reply brought one. It is valid for seven days from `applied_at` (D96250).
    pub ticket: Option<Secret<String>>,
    /// When the remote refused the ticket, if it did.
    pub dead_at: Option<Timestamp>,
}

/// The record of applications for a ticket.
pub struct Tickets<'s> {
    db: &'s Connection,
}

impl<'s> Tickets<'s> {
    pub(super) const fn of(db: &'s Connection) -> Self {
        Self { db }
    }

    /// Returns the latest application; `None` if none was made.
    pub fn latest_application(&self) -> Result<Option<Application>> {
        let mut find = self.db.prepare_cached(
            "SELECT applied_at, ticket, dead_at FROM tickets ORDER BY id DESC LIMIT 1",
        )?;
        let found = find.query_row([], |row| {
            Ok(Application {
                applied_at: Timestamp::from_millis(row.get(0)?),
                ticket: row.get::<_, Option<String>>(1)?.map(Secret::new),
                dead_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
            })
        });
        Ok(found.optional()?)
    }

    /// Records an application that is about to be made. After an error it must not be made.
    pub fn record_application(&self, now: Timestamp) -> Result<()> {
        self.db.execute(
            "INSERT INTO tickets (applied_at) VALUES (?1)",
            [now.as_millis()],
        )?;
        Ok(())
    }

    /// Adds the ticket to the latest application.
    pub fn save(&self, ticket: &Secret<String>, expires_at: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE tickets SET ticket = ?1, expires_at = ?2
             WHERE id = (SELECT max(id) FROM tickets)",
            params![ticket.expose(), expires_at.as_millis()],
        )?;
        Ok(())
    }

    /// Deletes the latest application if it brought no ticket: the remote refused it in a way that
    /// leaves the corp's one chance unused.
    pub(crate) fn forget_application(&self) -> Result<()> {
        self.db.execute(
            "DELETE FROM tickets WHERE id = (SELECT max(id) FROM tickets) AND ticket IS NULL",
            [],
        )?;
        Ok(())
    }

    /// Records that the remote refuses the latest ticket.
    pub(crate) fn mark_dead(&self, now: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE tickets SET dead_at = ?1 WHERE id = (SELECT max(id) FROM tickets)",
            [now.as_millis()],
        )?;
        Ok(())
    }

    /// Returns when the latest working ticket expires; `None` if there is none.
    pub(super) fn expires_at(&self) -> Result<Option<Timestamp>> {
        let expires: Option<i64> = self.db.query_row(
            "SELECT max(expires_at) FROM tickets WHERE ticket IS NOT NULL AND dead_at IS NULL",
            [],
            |row| row.get(0),
        )?;
        Ok(expires.map(Timestamp::from_millis))
    }
}
