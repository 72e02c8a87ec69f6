//! Refusals of `gettoken` that a restart must not repeat: a wrong secret that is asked again and again
//! gets the address banned for an hour, for every app behind it (D90313).

use rusqlite::{OptionalExtension, params};

use super::file::Ledger;
use crate::{clock::Timestamp, store::Result};

/// A refusal that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRefusal {
    /// The errcode.
    pub errcode: i64,
    /// Which secret was refused; `None` if every one is.
    pub secret: Option<u64>,
    /// When, in ledger time.
    pub at: Timestamp,
    /// Until when no token is fetched, in ledger time.
    pub until: Timestamp,
}

/// The refusals of `gettoken` to a corp.
pub struct TokenRefusals<'l> {
    ledger: &'l Ledger,
    corp: String,
}

impl<'l> TokenRefusals<'l> {
    /// Returns those of `corp`.
    #[must_use]
    pub fn of(ledger: &'l Ledger, corp: &str) -> Self {
        Self {
            ledger,
            corp: corp.to_owned(),
        }
    }

    /// Returns the refusal that forbids to fetch a token with `secret`, a digest, at `now`.
    pub fn in_force(&self, secret: u64, now: Timestamp) -> Result<Option<TokenRefusal>> {
        let sql = "SELECT errcode, secret, refused_at, until FROM token_refusals
                   WHERE corp = ?1 AND until > ?2 AND (secret IS NULL OR secret = ?3)
                   ORDER BY until DESC LIMIT 1";
        self.ledger.run(|db| {
            let values = params![self.corp, now.as_millis(), secret.cast_signed()];
            let found = db.query_row(sql, values, |row| {
                Ok(TokenRefusal {
                    errcode: row.get(0)?,
                    secret: row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned),
                    at: Timestamp::from_millis(row.get(2)?),
                    until: Timestamp::from_millis(row.get(3)?),
                })
            });
            found.optional()
        })
    }

    /// Remembers `refusal` in place of the one before.
    pub fn remember(&self, refusal: &TokenRefusal) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO token_refusals (corp, errcode, secret, refused_at, until)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![
            self.corp,
            refusal.errcode,
            refusal.secret.map(u64::cast_signed),
            refusal.at.as_millis(),
            refusal.until.as_millis(),
        ];
        self.ledger.run(|db| db.execute(sql, values).map(drop))
    }
}
