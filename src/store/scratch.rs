//! Copying of a job what a plan or a rehearsal of it needs, which is little of it: a job file has
//! gigabytes of subjects that were answered, and of keys.

use rusqlite::{Connection, params_from_iter, types::ToSqlOutput};

use super::{
    Store,
    corps::load_corps,
    error::Result,
    passes::{Pass, Passes, due_in},
    pending_ids,
    tally::load_tally,
};
use crate::clock::Timestamp;

/// Tables that grow with the subjects.
const LARGE: [&str; 8] = [
    "subjects",
    "key_chunks",
    "outcomes",
    "links",
    "pending_ids",
    "contacts",
    "rejects",
    "published",
];

/// Copies all but the subjects: sources, corps, counts, what was charged, runs.
pub(super) fn copy_accounts(from: &Connection, to: &mut Store) -> Result<()> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut tables = from.prepare(sql)?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?;
    let tables = tables.collect::<std::result::Result<Vec<_>, _>>()?;
    // The order of the tables is not that of their references.
    to.db.pragma_update(None, "foreign_keys", false)?;
    to.db.execute_batch("BEGIN IMMEDIATE")?;
    for table in tables.iter().filter(|table| !LARGE.contains(&&***table)) {
        to.db.execute_batch(&format!("DELETE FROM {table}"))?;
        copy_rows(from, &to.db, table, &format!("SELECT * FROM {table}"))?;
    }
    // What a killed import left is not copied either.
    to.db.execute_batch(
        "DELETE FROM sources WHERE imported_at IS NULL; UPDATE job SET clean = 0; COMMIT",
    )?;
    to.db.pragma_update(None, "foreign_keys", true)?;
    to.tally = load_tally(&to.db)?;
    to.corps = load_corps(&to.db)?;
    to.newest_pass = Passes::of(&to.db).newest()?;
    Ok(())
}

/// Copies the subjects that a run could ask about: those without an answer, the parked, those that are
/// due in a pass, and those whose pending_id is due at a time.
pub(super) fn copy_queue(
    from: &Connection,
    to: &Store,
    pending_ids_at: Option<Timestamp>,
) -> Result<()> {
    let mut asked_again = asked_again(&Passes::of(from).unfinished()?);
    if let Some(now) = pending_ids_at {
        asked_again += &format!(" OR {}", pending_ids::is_due_at(now));
    }
    let queued = "s.id > (SELECT watermark FROM job)
        AND s.id < (SELECT coalesce(min(first_subject), 9223372036854775807) FROM sources
                    WHERE imported_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.subject = s.id)";
    to.db.execute_batch("BEGIN IMMEDIATE")?;
    for (table, rows) in [
        (
            "subjects",
            format!(
                "SELECT s.* FROM outcomes o JOIN subjects s ON s.id = o.subject WHERE {asked_again}"
            ),
        ),
        (
            "outcomes",
            format!("SELECT o.* FROM outcomes o WHERE {asked_again}"),
        ),
        (
            "subjects",
            format!("SELECT s.* FROM subjects s WHERE {queued} ORDER BY s.id"),
        ),
    ] {
        copy_rows(from, &to.db, table, &rows)?;
    }
    // The ids of new subjects begin behind these, and those of answered ones may be higher.
    to.db
        .execute_batch("UPDATE job SET watermark = 0; COMMIT")?;
    Ok(())
}

/// The condition on outcomes `o`: parked, or due in a pass.
fn asked_again(passes: &[Pass]) -> String {
    let parked = "o.state IN (3, 4) AND o.state = 4".to_owned();
    let due = passes.iter().map(due_in);
    let conditions: Vec<_> = std::iter::once(parked).chain(due).collect();
    format!("({})", conditions.join(") OR ("))
}

/// Inserts what `select` yields into the table of the same columns.
fn copy_rows(from: &Connection, to: &Connection, table: &str, select: &str) -> Result<()> {
    let mut list = from.prepare(select)?;
    let columns = list.column_count();
    let places = vec!["?"; columns].join(", ");
    let mut insert = to.prepare(&format!("INSERT INTO {table} VALUES ({places})"))?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|column| row.get_ref(column).map(ToSqlOutput::Borrowed));
        let values = values.collect::<std::result::Result<Vec<_>, _>>()?;
        insert.execute(params_from_iter(values))?;
    }
    Ok(())
}
