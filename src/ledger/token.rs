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

/// Stands for every secret.
const EVERY_SECRET: i64 = 0;

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
                   WHERE corp = ?1 AND until > ?2 AND secret IN (?3, ?4)
                   ORDER BY until DESC LIMIT 1";
        self.ledger.run(|db| {
            let values = params![
                self.corp,
                now.as_millis(),
                secret.cast_signed(),
                EVERY_SECRET
            ];
            let found = db.query_row(sql, values, |row| {
                let secret = Some(row.get(1)?).filter(|secret| *secret != EVERY_SECRET);
                Ok(TokenRefusal {
                    errcode: row.get(0)?,
                    secret: secret.map(i64::cast_unsigned),
                    at: Timestamp::from_millis(row.get(2)?),
                    until: Timestamp::from_millis(row.get(3)?),
                })
            });
            found.optional()
        })
    }

    /// Remembers `refusal` in place of the one before to the same secret.
    pub fn remember(&self, refusal: &TokenRefusal) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO token_refusals (corp, errcode, secret, refused_at, until)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![
            self.corp,
            refusal.errcode,
            refusal.secret.map_or(EVERY_SECRET, u64::cast_signed),
            refusal.at.as_millis(),
            refusal.until.as_millis(),
        ];
        self.ledger.run(|db| db.execute(sql, values).map(drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_of_one_secret_does_not_hide_that_of_another_or_of_all() {
        let ledger = Ledger::in_memory().unwrap();
        let refusals = TokenRefusals::of(&ledger, "ww1");
        let remember = |secret: Option<u64>, until| {
            let (at, until) = (Timestamp::from_millis(0), Timestamp::from_millis(until));
            let errcode = if secret.is_some() { 40_001 } else { 45_009 };
            let refusal = TokenRefusal {
                errcode,
                secret,
                at,
                until,
            };
            refusals.remember(&refusal).unwrap();
        };
        let of = |secret| {
            let found = refusals
                .in_force(secret, Timestamp::from_millis(50))
                .unwrap();
            found.map(|refusal| (refusal.errcode, refusal.secret))
        };
        remember(Some(7), 100);
        remember(Some(8), 200);
        assert_eq!(of(7), Some((40_001, Some(7))));
        assert_eq!(of(9), None);
        remember(None, 150);
        let found = [7, 8, 9].map(of);
        let locked = Some((45_009, None));
        assert_eq!(found, [locked, Some((40_001, Some(8))), locked]);
    }
}
