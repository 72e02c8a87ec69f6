//! The queue: subjects without an outcome, in the order of first appearance, and parked ones that
//! are due for one more attempt.

use rusqlite::{Connection, Params, Row, params};

use super::error::Result;
use crate::model::{State, Subject, SubjectId};

/// The subjects to look up, read page by page.
pub struct Queue<'s> {
    db: &'s Connection,
}

impl<'s> Queue<'s> {
    pub(super) const fn of(db: &'s Connection) -> Self {
        Self { db }
    }

    /// Returns the first `most` subjects without an outcome after `after`, up to and including
    /// `upto`.
    pub(crate) fn queued(
        &self,
        after: SubjectId,
        upto: SubjectId,
        most: u32,
    ) -> Result<Vec<Subject>> {
        self.page(
            "SELECT s.id, unionid, openid, corpid FROM subjects s LEFT JOIN corps c ON c.id = corp
             WHERE s.id > ?1 AND s.id <= ?3
                AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.subject = s.id)
             ORDER BY s.id LIMIT ?2",
            params![after.0, most, upto.0],
        )
    }

    /// Returns the first `most` subjects after `after` that were parked after at most `attempts`
    /// calls, either because no reply could be read or with one of `errcodes`.
    pub(crate) fn due_for_retry(
        &self,
        after: SubjectId,
        most: u32,
        attempts: u8,
        errcodes: &[i64],
    ) -> Result<Vec<Subject>> {
        // With "IN (3, 4)", the condition of the index on outcomes, SQLite uses that index.
        self.page(
            &format!(
                "SELECT s.id, unionid, openid, corpid FROM outcomes o
                 JOIN subjects s ON s.id = o.subject LEFT JOIN corps c ON c.id = corp
                 WHERE o.subject > ?1 AND o.state IN (3, 4) AND o.state = {} AND o.attempts <= {attempts}
                    AND (errcode IS NULL OR errcode IN ({}))
                 ORDER BY o.subject LIMIT ?2",
                State::Parked as u8,
                list(errcodes),
            ),
            params![after.0, most],
        )
    }

    fn page(&self, sql: &str, params: impl Params) -> Result<Vec<Subject>> {
        let mut page = self.db.prepare_cached(sql)?;
        let subjects = page.query_map(params, subject)?;
        Ok(subjects.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns a subject such that it and all before it have an outcome: where the queue begins
    /// after a restart.
    pub(crate) fn watermark(&self) -> Result<SubjectId> {
        let sql = "SELECT watermark FROM job";
        Ok(SubjectId(self.db.query_row(sql, [], |row| row.get(0))?))
    }

    /// Returns the id of the last subject; 0 if there is none.
    pub(crate) fn last_subject(&self) -> Result<SubjectId> {
        let sql = "SELECT coalesce(max(id), 0) FROM subjects";
        Ok(SubjectId(self.db.query_row(sql, [], |row| row.get(0))?))
    }
}

fn list(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
    numbers.join(", ")
}

/// The subject of a row of id, unionid, openid and corpid.
pub(super) fn subject(row: &Row<'_>) -> rusqlite::Result<Subject> {
    Ok(Subject {
        id: SubjectId(row.get(0)?),
        unionid: row.get(1)?,
        openid: row.get(2)?,
        corpid: row.get(3)?,
    })
}
