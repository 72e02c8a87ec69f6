//! Appending the rows of the spool as subjects, those left out that are duplicates.

use std::{ops::Range, path::Path, sync::LazyLock};

use rusqlite::{
    Connection, Statement,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    bitmap::Bitmap,
    checkpoint::Checkpoints,
    spool::{RowSpool, SpooledRow},
};
use crate::store::{
    error::Result,
    multi_insert::{Insert, MANY},
};

/// Rows appended in one transaction, a multiple of [`MANY`].
const ROWS_A_TRANSACTION: u64 = 100_000;

/// Without an id: SQLite gives each subject the next one, and does not search for its place.
static SUBJECTS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT INTO subjects (unionid, openid, corp)";
    Insert::new(into, "(?, ?, ?)", "")
});

/// Appends the rows with `ids` that are not among `duplicates`. A transaction must be open before,
/// and another one is open after.
pub(super) fn append(
    db: &Connection,
    path: &Path,
    spool: &mut RowSpool,
    ids: Range<i64>,
    duplicates: &Bitmap,
) -> Result<()> {
    let (mut many, mut one) = (SUBJECTS.many(db)?, SUBJECTS.one(db)?);
    let mut rows = spool.read()?;
    let new = u64::try_from(ids.end - ids.start).unwrap_or_default() - duplicates.count();
    let by_many = new - new % MANY as u64;
    let (mut appended, mut bound) = (0, 0);
    let mut checkpoints = Checkpoints::of(path.to_owned());
    for id in ids {
        if duplicates.contains(id) {
            rows.skip()?;
            continue;
        }
        let row = rows.next()?;
        if appended >= by_many {
            bind(&mut one, 0, &row)?;
            one.raw_execute()?;
            appended += 1;
            continue;
        }
        bind(&mut many, bound, &row)?;
        bound += 1;
        if bound == MANY {
            many.raw_execute()?;
            appended += bound as u64;
            bound = 0;
            if appended.is_multiple_of(ROWS_A_TRANSACTION) {
                db.execute_batch("COMMIT")?;
                checkpoints.committed()?;
                db.execute_batch("BEGIN IMMEDIATE")?;
            }
        }
    }
    Ok(())
}

/// Binds the row at `index` in the statement, from 0.
fn bind(insert: &mut Statement<'_>, index: usize, row: &SpooledRow<'_>) -> Result<()> {
    let text = |bytes| ToSqlOutput::Borrowed(ValueRef::Text(bytes));
    let before = index * 3;
    insert.raw_bind_parameter(before + 1, text(row.unionid))?;
    insert.raw_bind_parameter(before + 2, text(row.openid))?;
    insert.raw_bind_parameter(before + 3, row.corp)?;
    Ok(())
}
