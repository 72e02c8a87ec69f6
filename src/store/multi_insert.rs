//! Inserting many rows with one statement: SQLite starts a statement and searches its place in the
//! tree once per statement, not once per row.

use rusqlite::{CachedStatement, Connection, Statement};

use super::error::Result;

/// Rows per statement, while there are as many left.
pub(super) const MANY: usize = 32;

/// An `INSERT` of one row and one of [`MANY`] rows.
pub(super) struct Insert {
    one: String,
    many: String,
}

impl Insert {
    /// `into` is `INSERT INTO table (columns)`, `row` the values of one row such as `(?, ?)`, and
    /// `then` what follows the values.
    pub(super) fn new(into: &str, row: &str, then: &str) -> Self {
        Self {
            one: format!("{into} VALUES {row} {then}"),
            many: format!("{into} VALUES {} {then}", [row; MANY].join(", ")),
        }
    }

    /// Returns the statement that inserts one row.
    pub(super) fn one<'d>(&self, db: &'d Connection) -> Result<CachedStatement<'d>> {
        Ok(db.prepare_cached(&self.one)?)
    }

    /// Returns the statement that inserts [`MANY`] rows.
    pub(super) fn many<'d>(&self, db: &'d Connection) -> Result<CachedStatement<'d>> {
        Ok(db.prepare_cached(&self.many)?)
    }

    /// Inserts `rows`; `bind` binds a row at its index in the statement, from 0.
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
                for (index, row) in rows.iter().enumerate() {
                    bind(&mut insert, index, row)?;
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
