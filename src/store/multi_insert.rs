//! Rows inserted many at a time: for each statement, not for each row, SQLite sets itself going
//! and looks for the place.

use rusqlite::{CachedStatement, Connection, Statement};

use super::Result;

/// Rows a statement, where there are as many.
pub(super) const MANY: usize = 32;

/// An `INSERT` for one row and one for [`MANY`].
pub(super) struct Insert {
    one: String,
    many: String,
}

impl Insert {
    /// `INSERT INTO table (columns)`, the values of one row such as `(?, ?)`, and what follows.
    pub(super) fn new(into: &str, row: &str, then: &str) -> Self {
        Self {
            one: format!("{into} VALUES {row} {then}"),
            many: format!("{into} VALUES {} {then}", [row; MANY].join(", ")),
        }
    }

    pub(super) fn one<'d>(&self, db: &'d Connection) -> Result<CachedStatement<'d>> {
        Ok(db.prepare_cached(&self.one)?)
    }

    pub(super) fn many<'d>(&self, db: &'d Connection) -> Result<CachedStatement<'d>> {
        Ok(db.prepare_cached(&self.many)?)
    }

    /// Inserts `rows`; `bind` puts one in its place among those of a statement, 0 to [`MANY`] - 1.
    pub(super) fn all<T>(
        &self,
        db: &Connection,
        rows: &[T],
        bind: impl Fn(&mut Statement<'_>, usize, &T) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let (many, rest) = rows.as_chunks::<MANY>();
        if !many.is_empty() {
            let mut insert = self.many(db)?;
            for rows in many {
                for (place, row) in rows.iter().enumerate() {
                    bind(&mut insert, place, row)?;
                }
                insert.raw_execute()?;
            }
        }
        if !rest.is_empty() {
            let mut insert = self.one(db)?;
            for row in rest {
                bind(&mut insert, 0, row)?;
                insert.raw_execute()?;
            }
        }
        Ok(())
    }
}
