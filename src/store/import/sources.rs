//! The row of a source: when it is begun, imported, replaced, and undone.

use rusqlite::{Connection, params};

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

pub(super) fn set_path(db: &Connection, source: i64, path: Option<&str>) -> Result<()> {
    let update = "UPDATE sources SET path = ?2 WHERE id = ?1";
    db.execute(update, params![source, path])?;
    Ok(())
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
        "UPDATE sources SET lines = ?2, rejected = ?3, rejected_then = ?3, subjects = ?4,
            subjects_then = ?4, imported_at = ?5
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

/// Returns the latest import of a source with this name, whatever digits, such as those of a date,
/// are in it, with the numbers of that import.
pub(in crate::store) fn last_alike(db: &Connection, name: &str) -> Result<Option<SourceStatus>> {
    let mut list = db.prepare(
        "SELECT name, lines, rejected_then, subjects_then, path FROM sources
         WHERE imported_at IS NOT NULL ORDER BY imported_at DESC, id DESC",
    )?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let source = source_status(row)?;
        if without_digits(&source.name).eq(without_digits(name)) {
            return Ok(Some(source));
        }
    }
    Ok(None)
}

fn without_digits(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !c.is_ascii_digit())
}

/// Reads an imported source: name, lines, rejected, subjects, path.
pub(in crate::store) fn source_status(row: &rusqlite::Row<'_>) -> rusqlite::Result<SourceStatus> {
    Ok(SourceStatus {
        name: row.get(0)?,
        lines: row.get::<_, i64>(1)?.unsigned_abs(),
        rejected: row.get::<_, i64>(2)?.unsigned_abs(),
        subjects: row.get::<_, i64>(3)?.unsigned_abs(),
        path: row.get(4)?,
    })
}

/// An imported source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Its name as it was given; of a workbook with the sheet.
    pub name: String,
    /// The path of its file, from the root; `None` for a stream.
    pub path: Option<String>,
    /// Lines read, the header and empty ones not counted.
    pub lines: u64,
    /// Lines that cannot be subjects.
    pub rejected: u64,
    /// Subjects seen for the first time in it.
    pub subjects: u64,
}

/// Rows deleted in one transaction: what SQLite keeps of one in memory and in the log.
const DELETED_AT_ONCE: i64 = 100_000;

/// Deletes what an unfinished import appended, in slices from the end, so that neither memory nor
/// log grows with it and a kill on the way loses no work. `told` hears how many subjects there are
/// to delete, before it begins.
pub(in crate::store) fn undo_unfinished(db: &Connection, told: impl FnOnce(u64)) -> Result<()> {
    let sql = "SELECT min(first_subject) FROM sources WHERE imported_at IS NULL";
    let Some(first) = db.query_row(sql, [], |row| row.get::<_, Option<i64>>(0))? else {
        return Ok(());
    };
    let sql = "SELECT coalesce(max(id), 0) FROM subjects";
    let last: i64 = db.query_row(sql, [], |row| row.get(0))?;
    if last >= first {
        told((last + 1 - first).unsigned_abs());
    }
    // Nothing refers to these rows; to make sure of it, SQLite would first collect all their ids.
    db.pragma_update(None, "foreign_keys", false)?;
    let deleted = delete_slices(db, first, last);
    db.pragma_update(None, "foreign_keys", true)?;
    deleted
}

/// Deletes the subjects from `first` to `last`, and the unfinished sources with their rejects.
/// Each slice is a transaction of its own; the sources go last.
fn delete_slices(db: &Connection, first: i64, mut last: i64) -> Result<()> {
    let mut subjects = db.prepare("DELETE FROM subjects WHERE id >= ?1")?;
    while last >= first {
        last = (last - DELETED_AT_ONCE).max(first - 1);
        subjects.execute([last + 1])?;
    }
    let mut rejects = db.prepare(
        "DELETE FROM rejects WHERE (source, number) IN (
            SELECT source, number FROM rejects
            WHERE source IN (SELECT id FROM sources WHERE imported_at IS NULL) LIMIT ?1)",
    )?;
    while rejects.execute([DELETED_AT_ONCE])? > 0 {}
    db.execute("DELETE FROM sources WHERE imported_at IS NULL", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// Subjects of a first source, then `unfinished` ones of a source that was cut short.
    fn cut_short(unfinished: i64) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("job.db"), Timestamp::default()).unwrap();
        let series = |first: i64, last: i64| {
            format!(
                "INSERT INTO subjects (unionid, openid)
                 WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
                 SELECT 'u' || i, 'o' || i FROM n;"
            )
        };
        let sql = format!(
            "INSERT INTO sources (name, first_subject, imported_at) VALUES ('one', 1, 7);
             {}
             INSERT INTO sources (name, first_subject) VALUES ('two', 11);
             INSERT INTO rejects VALUES (1, 1, 1, '', '', ''), (2, 1, 1, '', '', '');
             {}",
            series(1, 10),
            series(11, 10 + unfinished),
        );
        store.db.execute_batch(&sql).unwrap();
        (folder, store)
    }

    fn count(store: &Store, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        store.db.query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn unfinished_import_is_deleted_in_slices_that_stay_deleted() {
        let (_folder, store) = cut_short(3 * DELETED_AT_ONCE / 2);
        // The second slice fails, as if the process had been killed.
        let trigger = "CREATE TEMP TRIGGER stop BEFORE DELETE ON subjects WHEN OLD.id = 11
            BEGIN SELECT raise(ABORT, 'killed'); END";
        store.db.execute_batch(trigger).unwrap();
        let mut told = 0;
        undo_unfinished(&store.db, |rows| told = rows).unwrap_err();
        assert_eq!(told, 150_000);
        assert_eq!(count(&store, "subjects"), 10 + DELETED_AT_ONCE / 2);
        assert_eq!(count(&store, "sources"), 2);

        store.db.execute_batch("DROP TRIGGER temp.stop").unwrap();
        undo_unfinished(&store.db, |rows| told = rows).unwrap();
        assert_eq!(told, 50_000);
        assert_eq!(count(&store, "subjects"), 10);
        assert_eq!(count(&store, "sources"), 1);
        assert_eq!(count(&store, "rejects"), 1);
        let on = store
            .db
            .pragma_query_value(None, "foreign_keys", |row| row.get::<_, i64>(0));
        assert_eq!(on.unwrap(), 1);
        undo_unfinished(&store.db, |_| panic!("nothing is left to undo")).unwrap();
    }
}
