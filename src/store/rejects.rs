//! Lines that cannot be subjects, stored with their source. The rejects file is written from here,
//! therefore it always has those of every source, not only of the sources of the latest run.

use rusqlite::{Connection, params};

use super::error::{Result, StoreError};
use crate::model::RejectOrigin;

/// A line that cannot be a subject. It holds personal ids and therefore has no `Debug`.
pub struct Reject {
    /// The name of the source.
    pub source: String,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The offending column; empty if it is the whole line.
    pub column: String,
    /// What is wrong with it.
    pub reason: String,
    /// The original fields: unionid, openid, corpid, then the others.
    pub fields: Vec<String>,
}

/// Stores the `number`th reject of a source.
pub(super) fn insert(db: &Connection, source: i64, number: u64, reject: &Reject) -> Result<()> {
    let mut insert = db.prepare_cached(
        "INSERT INTO rejects (source, number, line, field, reason, fields)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let fields = serde_json::to_string(&reject.fields).unwrap_or_default();
    insert.execute(params![
        source,
        number.cast_signed(),
        reject.line.cast_signed(),
        reject.column,
        reject.reason,
        fields
    ])?;
    Ok(())
}

/// Selects the rejects on lines of another source than ?1: those of the name ?2 with the column ?3 and
/// the reason ?4 on the lines ?5.
const SUPERSEDED: &str = "FROM rejects WHERE field = ?3 AND reason = ?4
    AND source IN (SELECT id FROM sources WHERE imported_at IS NOT NULL AND name = ?2 AND id <> ?1)
    AND line IN (SELECT value FROM json_each(?5))";

/// Deletes the rejects on these lines of another source: `source` has the lines again, mended or as
/// rejects of its own.
pub(super) fn supersede(
    db: &Connection,
    source: i64,
    origin: &RejectOrigin,
    lines: &[u64],
) -> Result<()> {
    let RejectOrigin {
        source: name,
        column,
        reason,
    } = origin;
    let lines = serde_json::to_string(lines).unwrap_or_default();
    let mut delete = db.prepare_cached(&format!("DELETE {SUPERSEDED}"))?;
    delete.execute(params![source, name, column, reason, lines])?;
    let mut count = db.prepare_cached(
        "UPDATE sources SET rejected = (SELECT count(*) FROM rejects WHERE source = sources.id)
         WHERE imported_at IS NOT NULL AND name = ?2 AND id <> ?1",
    )?;
    count.execute(params![source, name])?;
    Ok(())
}

/// Returns how many rejects [`supersede`] would delete for a new source.
pub(super) fn superseded(db: &Connection, origin: &RejectOrigin, lines: &[u64]) -> Result<u64> {
    let RejectOrigin {
        source: name,
        column,
        reason,
    } = origin;
    let lines = serde_json::to_string(lines).unwrap_or_default();
    let mut count = db.prepare_cached(&format!("SELECT count(*) {SUPERSEDED}"))?;
    let found: i64 = count.query_row(params![0, name, column, reason, lines], |row| row.get(0))?;
    Ok(found.unsigned_abs())
}

/// Passes every reject to `each`, source by source and line by line, until an error of `each`.
pub(super) fn for_each<E: From<StoreError>>(
    db: &Connection,
    mut each: impl FnMut(&Reject) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let mut list = db
        .prepare(
            "SELECT name, line, field, reason, fields FROM rejects
             JOIN sources s ON s.id = source WHERE imported_at IS NOT NULL
             ORDER BY first_subject, s.id, number",
        )
        .map_err(StoreError::from)?;
    let mut rows = list.query([]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        each(&read(row)?)?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> Result<Reject> {
    Ok(Reject {
        source: row.get(0)?,
        line: row.get::<_, i64>(1)?.unsigned_abs(),
        column: row.get(2)?,
        reason: row.get(3)?,
        fields: fields(row.get_ref(4)?.as_str().unwrap_or_default())?,
    })
}

/// Reads the fields of a line as they are stored.
pub(super) fn fields(stored: &str) -> Result<Vec<String>> {
    serde_json::from_str(stored).map_err(|why| StoreError::Damaged(why.to_string()))
}
