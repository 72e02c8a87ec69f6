//! The row of a source: when it is begun, imported, replaced, and undone.

use rusqlite::{Connection, OptionalExtension, params};

use crate::{clock::Timestamp, store::error::Result};

/// Whether a source with this digest was imported to its end.
pub(in crate::store) fn knows_source(db: &Connection, digest: &[u8]) -> Result<bool> {
    let mut find =
        db.prepare_cached("SELECT 1 FROM sources WHERE digest = ?1 AND imported_at IS NOT NULL")?;
    Ok(find.exists([digest])?)
}

/// Adds a source that begins behind the last subject. Returns its number and the id of its first
/// row.
pub(super) fn insert(db: &Connection, name: &str, digest: Option<&[u8]>) -> Result<(i64, i64)> {
    let insert = "INSERT INTO sources (name, digest, first_subject)
        VALUES (?1, ?2, (SELECT coalesce(max(id), 0) + 1 FROM subjects))
        RETURNING id, first_subject";
    let inserted = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(db.query_row(insert, params![name, digest], inserted)?)
}

pub(super) fn forget_digest(db: &Connection, source: i64) -> Result<()> {
    db.execute("UPDATE sources SET digest = NULL WHERE id = ?1", [source])?;
    Ok(())
}

/// Marks a source as imported, with its numbers of lines, of rejected lines and of new subjects.
pub(super) fn mark_imported(
    db: &Connection,
    source: i64,
    (lines, rejected, new): (u64, u64, u64),
    now: Timestamp,
) -> Result<()> {
    db.execute(
        "UPDATE sources SET lines = ?2, rejected = ?3, subjects = ?4, imported_at = ?5
         WHERE id = ?1",
        params![
            source,
            lines.cast_signed(),
            rejected.cast_signed(),
            new.cast_signed(),
            now.as_millis()
        ],
    )?;
    Ok(())
}

/// Deletes earlier imports of the same file name, whose content was another: the file was broken,
/// then corrected, or is a new one of the same name. Only the rejects of the latest content count;
/// the earlier subjects and the place in the order of sources pass to `source`.
pub(super) fn replace_earlier(db: &Connection, source: i64) -> Result<()> {
    let earlier = "FROM sources WHERE imported_at IS NOT NULL AND id <> ?1
                   AND name = (SELECT name FROM sources WHERE id = ?1)";
    let adopt = format!(
        "UPDATE sources SET
            first_subject = min(first_subject,
                coalesce((SELECT min(first_subject) {earlier}), first_subject)),
            subjects = subjects + (SELECT coalesce(sum(subjects), 0) {earlier}) WHERE id = ?1"
    );
    db.execute(&adopt, [source])?;
    db.execute(&format!("DELETE {earlier}"), [source])?;
    Ok(())
}

/// Deletes what an unfinished import appended.
pub(in crate::store) fn undo_unfinished(db: &Connection) -> Result<()> {
    let first: Option<i64> = db
        .query_row(
            "SELECT min(first_subject) FROM sources WHERE imported_at IS NULL",
            [],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    if let Some(first) = first {
        db.execute_batch("BEGIN IMMEDIATE")?;
        db.execute("DELETE FROM subjects WHERE id >= ?1", [first])?;
        db.execute("DELETE FROM sources WHERE imported_at IS NULL", [])?;
        db.execute_batch("COMMIT")?;
    }
    Ok(())
}
