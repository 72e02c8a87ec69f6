//! Custody of the `mass_call_ticket`: at most one per corp, ever (D96250), so it is written down
//! before it is first used, and an application is written down before it is made.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use crate::{clock::Timestamp, secret::Secret};

/// One application for a ticket, as remembered.
pub struct Application {
    /// When it was made.
    pub applied_at: Timestamp,
    /// The ticket, if the answer arrived; its seven days count from `applied_at`.
    pub ticket: Option<Secret<String>>,
    /// When it was found not to work any more.
    pub dead_at: Option<Timestamp>,
}

impl Store {
    /// The latest application, if there was one.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn application(&self) -> Result<Option<Application>> {
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

    /// Remembers that an application is about to be made.
    ///
    /// # Errors
    ///
    /// What the disk says; then it must not be made.
    pub fn record_application(&self, now: Timestamp) -> Result<()> {
        self.db.execute(
            "INSERT INTO tickets (applied_at) VALUES (?1)",
            [now.as_millis()],
        )?;
        Ok(())
    }

    /// Puts the ticket that answered the latest application in custody.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn save_ticket(&self, ticket: &Secret<String>, expires_at: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE tickets SET ticket = ?1, expires_at = ?2
             WHERE id = (SELECT max(id) FROM tickets)",
            params![ticket.expose(), expires_at.as_millis()],
        )?;
        Ok(())
    }

    /// Forgets an application that the remote certainly refused: it gave nothing away.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn forget_application(&self) -> Result<()> {
        self.db.execute(
            "DELETE FROM tickets WHERE id = (SELECT max(id) FROM tickets) AND ticket IS NULL",
            [],
        )?;
        Ok(())
    }

    /// Marks the ticket as not working any more.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn mark_ticket_dead(&self, now: Timestamp) -> Result<()> {
        self.db.execute(
            "UPDATE tickets SET dead_at = ?1 WHERE id = (SELECT max(id) FROM tickets)",
            [now.as_millis()],
        )?;
        Ok(())
    }
}
