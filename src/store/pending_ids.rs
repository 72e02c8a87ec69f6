//! The pending_ids of unlinked subjects: which are to be asked for, and what came of it.

use rusqlite::{Connection, params};

use super::{error::Result, passes::seconds, queue::subject, tally::load_tally};
use crate::{
    clock::Timestamp,
    model::{State, Subject, SubjectId},
};

/// The pending_ids of a job.
pub struct PendingIds<'s> {
    db: &'s Connection,
}

impl<'s> PendingIds<'s> {
    pub(super) const fn of(db: &'s Connection) -> Self {
        Self { db }
    }

    /// Returns the first `most` unlinked subjects after `after`, up to and including `upto`, whose
    /// pending_id is to be asked for at `now`: there is none, or it nears its end.
    pub(crate) fn due(
        &self,
        (after, upto): (SubjectId, SubjectId),
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<Subject>> {
        let mut page = self.db.prepare_cached(&format!(
            "SELECT s.id, unionid, openid, NULL FROM outcomes o
             JOIN subjects s ON s.id = o.subject {} AND o.subject > ?2 AND o.subject <= ?3
             ORDER BY o.subject LIMIT ?4",
            is_due()
        ))?;
        let due = page.query_map(params![seconds(now), after.0, upto.0, most], subject)?;
        Ok(due.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns how many subjects are due at `now`. Reads every outcome if there is any pending_id.
    pub(crate) fn count_due(&self, now: Timestamp) -> Result<u64> {
        if !is_used(self.db)? {
            return Ok(load_tally(self.db)?.of(State::Unlinked));
        }
        let sql = format!("SELECT count(*) FROM outcomes o {}", is_due());
        let due: i64 = self.db.query_row(&sql, [seconds(now)], |row| row.get(0))?;
        Ok(due.unsigned_abs())
    }
}

/// Joins outcomes `o` to their pending_ids and keeps those that are due at `?1`.
fn is_due() -> String {
    format!(
        "LEFT JOIN pending_ids p ON p.subject = o.subject
         WHERE o.state = {} AND (p.subject IS NULL OR p.due <= ?1)",
        State::Unlinked as u8
    )
}

/// The condition on outcomes `o` whose pending_id is due at `now`.
pub(super) fn is_due_at(now: Timestamp) -> String {
    format!(
        "o.state = {} AND NOT EXISTS
             (SELECT 1 FROM pending_ids p WHERE p.subject = o.subject AND p.due > {})",
        State::Unlinked as u8,
        seconds(now)
    )
}

/// Whether any pending_id was ever asked for.
pub(super) fn is_used(db: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pending_ids)";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}

/// Selects subjects with their outcomes, and with their pending_ids if there are any.
pub(super) fn select_subjects(db: &Connection) -> Result<String> {
    let (id, join) = match is_used(db)? {
        true => ("pending_id", "LEFT JOIN pending_ids p ON p.subject = s.id"),
        false => ("NULL", ""),
    };
    Ok(format!(
        "SELECT s.id, unionid, openid, corpid, state, o.errcode, o.at, {id} FROM subjects s
         LEFT JOIN corps c ON c.id = s.corp LEFT JOIN outcomes o ON o.subject = s.id {join}"
    ))
}
