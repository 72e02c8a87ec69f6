//! Deleting persons: their subjects, answers and links, the invalid lines with their ids, the hashes
//! of their ids; and the bytes of all that.
//!
//! What SQLite deletes stays in the file until it is written over, and in its log. Therefore content
//! is zeroed as it is deleted, the file is rebuilt without its free pages, and the log is emptied.
//! The rebuilding is for what was deleted earlier, by whomever.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::{
    Store,
    error::{Result, StoreError},
    import::delete_keys,
    rejects,
    tally::load_tally,
};
use crate::clock::Timestamp;

/// Who is forgotten.
pub(crate) enum Persons<'a> {
    /// All with one of these ids, unionids, openids, external_userids or pending_ids; whatever else has
    /// the same unionid or openid is of the same person.
    Listed(&'a HashSet<String>),
    /// All whose answer is older, and the invalid lines of sources that were imported before.
    AnsweredBefore(Timestamp),
    /// All; the inputs count as never imported.
    Everybody,
}

/// What forgetting deletes, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PersonCounts {
    pub(crate) subjects: u64,
    pub(crate) links: u64,
    /// Lines that cannot be subjects.
    pub(crate) rejects: u64,
}

/// What was found of them, by their numbers in temporary tables: no copy of an id.
const FOUND: &str = "
    CREATE TEMP TABLE IF NOT EXISTS forgotten (subject INTEGER PRIMARY KEY);
    CREATE TEMP TABLE IF NOT EXISTS forgotten_rejects (source INTEGER, number INTEGER,
        PRIMARY KEY (source, number)) WITHOUT ROWID;
    CREATE TEMP TABLE IF NOT EXISTS forgotten_sources (source INTEGER PRIMARY KEY);
    DROP TABLE IF EXISTS temp.forgotten_contacts;
    CREATE TEMP TABLE forgotten_contacts AS
        SELECT corp, chat_id, external_userid FROM contacts WHERE 0;
    DELETE FROM forgotten; DELETE FROM forgotten_rejects; DELETE FROM forgotten_sources;";

/// Deletes what was found. Only the numbers of subjects that are left count as answered: a later
/// import may use the others again.
const DELETE: &str = "
    DELETE FROM contacts WHERE (corp, chat_id, external_userid) IN
            (SELECT corp, chat_id, external_userid FROM forgotten_contacts)
        OR external_userid IN (SELECT external_userid FROM links
            WHERE subject IN (SELECT subject FROM forgotten))
        OR pending_id IN (SELECT pending_id FROM pending_ids
            WHERE subject IN (SELECT subject FROM forgotten));
    DELETE FROM links WHERE subject IN (SELECT subject FROM forgotten);
    DELETE FROM outcomes WHERE subject IN (SELECT subject FROM forgotten);
    DELETE FROM pending_ids WHERE subject IN (SELECT subject FROM forgotten);
    DELETE FROM subjects WHERE id IN (SELECT subject FROM forgotten);
    DELETE FROM rejects WHERE (source, number) IN (SELECT source, number FROM forgotten_rejects);
    UPDATE sources SET rejected = (SELECT count(*) FROM rejects WHERE source = sources.id)
        WHERE id IN (SELECT source FROM forgotten_rejects);
    DELETE FROM sources WHERE id IN (SELECT source FROM forgotten_sources);
    UPDATE tallies SET subjects = (SELECT count(*) FROM outcomes o WHERE o.state = tallies.state)
        WHERE state > 0;
    UPDATE tallies SET subjects = (SELECT count(*) FROM subjects) - (SELECT count(*) FROM outcomes)
        WHERE state = 0;
    UPDATE job SET revision = revision + 1,
        watermark = min(watermark, (SELECT coalesce(max(id), 0) FROM subjects));
    UPDATE passes SET cursor = min(cursor, (SELECT coalesce(max(id), 0) FROM subjects));";

impl Store {
    /// Finds persons. Nothing is deleted.
    pub(crate) fn find_persons(&self, persons: &Persons<'_>) -> Result<PersonCounts> {
        let db = &self.db;
        db.execute_batch(FOUND)?;
        match persons {
            Persons::Listed(ids) => {
                let mut ids = (*ids).clone();
                find_subjects(db, &ids)?;
                add_ids_of_found(db, &mut ids)?;
                find_subjects(db, &ids)?;
                add_ids_of_found(db, &mut ids)?;
                find_rejects(db, &ids)?;
                find_contacts(db, &ids)?;
            }
            Persons::AnsweredBefore(at) => {
                let seconds = at.as_millis().div_euclid(1000);
                db.execute(
                    "INSERT INTO forgotten SELECT subject FROM outcomes WHERE at < ?1",
                    [seconds],
                )?;
                db.execute(
                    "INSERT INTO forgotten_contacts SELECT corp, chat_id, external_userid
                     FROM contacts WHERE at < ?1",
                    [seconds],
                )?;
                db.execute(
                    "INSERT INTO forgotten_rejects SELECT source, number FROM rejects
                     JOIN sources s ON s.id = source WHERE imported_at < ?1",
                    [at.as_millis()],
                )?;
            }
            Persons::Everybody => db.execute_batch(
                "INSERT INTO forgotten SELECT id FROM subjects;
                 INSERT INTO forgotten_rejects SELECT source, number FROM rejects;
                 INSERT INTO forgotten_contacts SELECT corp, chat_id, external_userid FROM contacts;
                 INSERT INTO forgotten_sources SELECT id FROM sources;",
            )?,
        }
        let count = |sql: &str| {
            let count: i64 = db.query_row(sql, [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(count.unsigned_abs())
        };
        Ok(PersonCounts {
            subjects: count("SELECT count(*) FROM forgotten")?,
            links: count("SELECT count(*) FROM links JOIN forgotten USING (subject)")?,
            rejects: count("SELECT count(*) FROM forgotten_rejects")?,
        })
    }

    /// Deletes those that were found last, and every byte of what was deleted from this file,
    /// now or before. For a while that needs the size of the file twice: beside it, and where SQLite has
    /// its temporary files.
    pub(crate) fn forget_found(&mut self) -> Result<()> {
        let db = &self.db;
        db.pragma_update(None, "secure_delete", true)?;
        db.execute_batch("BEGIN IMMEDIATE")?;
        let deleted = db
            .execute_batch(DELETE)
            .map_err(Into::into)
            .and_then(|()| delete_keys(db));
        if let Err(why) = deleted {
            let _ = db.execute_batch("ROLLBACK");
            return Err(why);
        }
        db.execute_batch("COMMIT")?;
        if let Err(why) = db.execute_batch("VACUUM") {
            let path = self.path().to_owned();
            return Err(StoreError::NotRebuilt { path, why });
        }
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        if db.query_row(empty, [], |row| row.get::<_, i64>(0))? != 0 {
            let path = self.path().to_owned();
            return Err(StoreError::LogInUse { path });
        }
        self.tally = load_tally(&self.db)?;
        Ok(())
    }
}

fn find_subjects(db: &Connection, ids: &HashSet<String>) -> Result<()> {
    let mut insert = db.prepare("INSERT OR IGNORE INTO forgotten VALUES (?1)")?;
    let mut scan = |sql: &str| -> Result<()> {
        let mut list = db.prepare(sql)?;
        let columns = 1..list.column_count();
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            for column in columns.clone() {
                let text = row.get_ref(column)?.as_str().unwrap_or_default();
                if ids.contains(text) {
                    insert.execute([row.get::<_, i64>(0)?])?;
                }
            }
        }
        Ok(())
    };
    scan("SELECT id, unionid, openid FROM subjects")?;
    scan("SELECT subject, external_userid FROM links")?;
    scan("SELECT subject, pending_id, previous FROM pending_ids")
}

fn find_contacts(db: &Connection, ids: &HashSet<String>) -> Result<()> {
    let mut insert = db.prepare("INSERT INTO forgotten_contacts VALUES (?1, ?2, ?3)")?;
    let mut list = db.prepare("SELECT corp, chat_id, external_userid, pending_id FROM contacts")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        let text = |column| {
            row.get_ref(column)
                .map(|text| text.as_str().unwrap_or_default())
        };
        let (chat_id, external_userid) = (text(1)?, text(2)?);
        if ids.contains(external_userid) || ids.contains(text(3)?) {
            insert.execute(params![row.get::<_, i64>(0)?, chat_id, external_userid])?;
        }
    }
    Ok(())
}

/// Adds the unionids and openids of those found so far.
fn add_ids_of_found(db: &Connection, ids: &mut HashSet<String>) -> Result<()> {
    let mut list =
        db.prepare("SELECT unionid, openid FROM subjects JOIN forgotten f ON f.subject = id")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        ids.extend([row.get(0)?, row.get(1)?]);
    }
    Ok(())
}

/// Finds the lines with one of `ids` anywhere in them.
fn find_rejects(db: &Connection, ids: &HashSet<String>) -> Result<()> {
    let mut insert = db.prepare("INSERT OR IGNORE INTO forgotten_rejects VALUES (?1, ?2)")?;
    let mut list = db.prepare("SELECT source, number, fields FROM rejects")?;
    let mut rows = list.query([])?;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    while let Some(row) = rows.next()? {
        let fields = rejects::fields(row.get_ref(2)?.as_str().unwrap_or_default())?;
        let mut words = fields
            .iter()
            .flat_map(|field| field.split(|c| !is_letter(c)));
        if words.any(|word| ids.contains(word)) {
            insert.execute(params![row.get::<_, i64>(0)?, row.get::<_, i64>(1)?])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        model::State,
        store::{Reject, Settled, Store},
    };

    fn store(folder: &std::path::Path) -> Store {
        Store::open(&folder.join("job.db"), Timestamp::default()).unwrap()
    }

    fn found(store: &Store, ids: &[&str]) -> (u64, u64) {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let found = store.find_persons(&Persons::Listed(&ids)).unwrap();
        (found.subjects, found.rejects)
    }

    #[test]
    fn person_is_found_by_any_id_with_all_rows_and_invalid_lines() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        let now = Timestamp::default();
        // One person at two corps and with two openids, and another one.
        store.add_subjects(
            &[
                ("u1", "o1", None),
                ("u1", "o2", Some("wpA")),
                ("u2", "o3", None),
            ],
            now,
        );
        store.settle(&[Settled::first(1, State::Linked, &[("wpA", "wm1")], now)]);
        let mut import = store.import("bad.csv", None).unwrap();
        for field in ["u1", "x\no2 \"o9\"", "u2", "xu1"] {
            let reject = Reject {
                source: String::new(),
                line: 2,
                column: "openid".to_owned(),
                reason: "is empty".to_owned(),
                fields: vec![String::new(), field.to_owned()],
            };
            import.reject(&reject).unwrap();
        }
        import.finish(4, 4, now).unwrap();

        for id in ["u1", "o1", "o2", "wm1"] {
            assert_eq!(found(&store, &[id]), (2, 2), "{id}");
        }
        assert_eq!(found(&store, &["o9"]), (0, 1));
        assert_eq!(found(&store, &["o3", "u1"]), (3, 3));
    }

    #[test]
    fn file_that_could_not_be_rebuilt_is_told_and_is_rebuilt_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
        store.add_subjects(&[("u1", "o1", None)], Timestamp::default());
        // Rebuilding needs one more database than may be attached.
        for number in 0..10 {
            let attach = format!("ATTACH ':memory:' AS more{number}");
            store.db.execute_batch(&attach).unwrap();
        }
        assert_eq!(found(&store, &["u1"]), (1, 0));
        let why = store.forget_found().unwrap_err().to_string();
        assert!(
            why.contains("job.db, but bytes of what was deleted earlier"),
            "{why}"
        );
        store.db.execute_batch("DETACH more0").unwrap();
        assert_eq!(found(&store, &["u1"]), (0, 0));
        store.forget_found().unwrap();
    }
}
