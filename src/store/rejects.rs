//! Lines that cannot be subjects, stored with their source. The rejects file is written from here,
//! therefore it always has those of every source, not only of the sources of the latest run.

use rusqlite::{Connection, params};

use super::error::{Result, StoreError};

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
    let fields: String = row.get(4)?;
    Ok(Reject {
        source: row.get(0)?,
        line: row.get::<_, i64>(1)?.unsigned_abs(),
        column: row.get(2)?,
        reason: row.get(3)?,
        fields: serde_json::from_str(&fields)
            .map_err(|why| StoreError::Damaged(why.to_string()))?,
    })
}
