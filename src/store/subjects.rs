//! The queue: subjects without an outcome, in the order of first appearance.

use rusqlite::{Params, Row, params};

use super::{Result, Store, save_tally};
use crate::model::{State, Subject, SubjectId};

impl Store {
    /// The next `most` subjects after `after`, up to `upto`, that have no outcome.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn queued(&self, after: SubjectId, upto: SubjectId, most: u32) -> Result<Vec<Subject>> {
        self.page(
            "SELECT s.id, unionid, openid, corpid FROM subjects s LEFT JOIN corps c ON c.id = corp
             WHERE s.id > ?1 AND s.id <= ?3
                AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.subject = s.id)
             ORDER BY s.id LIMIT ?2",
            params![after.0, most, upto.0],
        )
    }

    /// The next `most` subjects after `after` that are parked after at most `attempts` for want
    /// of a reply or for one of `errcodes`: the ones that are owed one more try.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn owed(
        &self,
        after: SubjectId,
        most: u32,
        attempts: u8,
        errcodes: &[i64],
    ) -> Result<Vec<Subject>> {
        // "IN (3, 4)" is how SQLite knows that the index of the refused has them all.
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

    /// Every subject up to here has an outcome: where the queue begins after a restart.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn watermark(&self) -> Result<SubjectId> {
        let watermark = self
            .db
            .query_row("SELECT watermark FROM job", [], |row| row.get(0))?;
        Ok(SubjectId(watermark))
    }

    /// The last subject there is.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn last_subject(&self) -> Result<SubjectId> {
        let sql = "SELECT coalesce(max(id), 0) FROM subjects";
        Ok(SubjectId(self.db.query_row(sql, [], |row| row.get(0))?))
    }

    /// Puts outcomes back in the queue: those in one of `states`, or with one of `errcodes`.
    /// Answers how many.
    ///
    /// # Errors
    ///
    /// What the disk says.
    pub fn requeue(&mut self, states: &[State], errcodes: &[i64]) -> Result<u64> {
        let chosen = chosen(states, errcodes);
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let requeued = self.requeue_chosen(&chosen);
        let end = if requeued.is_ok() {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        self.db.execute_batch(end)?;
        requeued
    }

    fn requeue_chosen(&mut self, chosen: &str) -> Result<u64> {
        let lowest: Option<i64> = self.db.query_row(
            &format!("SELECT min(subject) FROM outcomes WHERE {chosen}"),
            [],
            |row| row.get(0),
        )?;
        let Some(lowest) = lowest else { return Ok(0) };
        let mut tally = self.tally;
        let mut count = self.db.prepare(&format!(
            "SELECT state, count(*) FROM outcomes WHERE {chosen} GROUP BY state"
        ))?;
        let mut rows = count.query([])?;
        let mut requeued = 0;
        while let Some(row) = rows.next()? {
            let subjects = row.get::<_, i64>(1)?.unsigned_abs();
            if let Some(state) = State::from_code(row.get(0)?) {
                tally.set(state, tally.of(state).saturating_sub(subjects));
                tally.add(State::Queued, subjects);
            }
            requeued += subjects;
        }
        self.db.execute(
            &format!(
                "DELETE FROM links WHERE subject IN (SELECT subject FROM outcomes WHERE {chosen})"
            ),
            [],
        )?;
        self.db
            .execute(&format!("DELETE FROM outcomes WHERE {chosen}"), [])?;
        self.db.execute(
            "UPDATE job SET watermark = min(watermark, ?1), revision = revision + 1",
            [lowest - 1],
        )?;
        save_tally(&self.db, &tally)?;
        self.tally = tally;
        Ok(requeued)
    }
}

/// A condition on `outcomes`. Only numbers go into it.
fn chosen(states: &[State], errcodes: &[i64]) -> String {
    let states: Vec<_> = states.iter().map(|state| *state as i64).collect();
    format!(
        "(state IN ({}) OR errcode IN ({}))",
        list(&states),
        list(errcodes)
    )
}

fn list(numbers: &[i64]) -> String {
    let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
    numbers.join(", ")
}

fn subject(row: &Row<'_>) -> rusqlite::Result<Subject> {
    Ok(Subject {
        id: SubjectId(row.get(0)?),
        unionid: row.get(1)?,
        openid: row.get(2)?,
        corpid: row.get(3)?,
    })
}
