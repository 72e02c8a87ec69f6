//! Rows inserted many at a time: for each statement, not for each row, SQLite sets itself going
//! and looks for the place.

use rusqlite::{CachedStatement, Connection, Statement};

use super::Result;

/// Rows a statement, where there are as many.
pub(super) const MANY: usize = 32;

/// An `INSERT`, without its rows.
pub(super) struct Insert {
    /// `INSERT INTO table (columns)`
    pub(super) into: &'static str,
    /// The values of one row: `(?, ?)`
    pub(super) row: &'static str,
    /// What follows the rows.
    pub(super) then: &'static str,
}

impl Insert {
    /// The statement for so many rows.
    pub(super) fn of<'d>(&self, db: &'d Connection, rows: usize) -> Result<CachedStatement<'d>> {
        let Self { into, row, then } = self;
        let rows = vec![*row; rows].join(", ");
        Ok(db.prepare_cached(&format!("{into} VALUES {rows} {then}"))?)
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
            let mut insert = self.of(db, MANY)?;
            for rows in many {
                for (place, row) in rows.iter().enumerate() {
                    bind(&mut insert, place, row)?;
                }
                insert.raw_execute()?;
            }
        }
        if !rest.is_empty() {
            let mut insert = self.of(db, 1)?;
            for row in rest {
                bind(&mut insert, 0, row)?;
                insert.raw_execute()?;
            }
        }
        Ok(())
    }
}
