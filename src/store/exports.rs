//! Which results were written where, so that a run that changed nothing need not write them again.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};

impl Store {
    /// How many lines the results have that were written to `path` and left there as `mark`, if
    /// they would be the same now.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn published(&self, path: &str, mark: &str) -> Result<Option<u64>> {
        let lines = self.db.query_row(
            "SELECT lines FROM published JOIN job USING (revision) WHERE path = ?1 AND mark = ?2",
            [path, mark],
            |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()),
        );
        Ok(lines.optional()?)
    }

    /// Remembers that `lines` of results lie at `path`, left there as `mark`.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn record_published(&self, path: &str, mark: &str, lines: u64) -> Result<()> {
        self.db.execute(
            "DELETE FROM published WHERE revision < (SELECT revision FROM job)",
            [],
        )?;
        self.db.execute(
            "INSERT OR REPLACE INTO published SELECT ?1, ?2, revision, ?3 FROM job",
            params![path, mark, lines.cast_signed()],
        )?;
        Ok(())
    }
}
