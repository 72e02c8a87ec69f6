//! Passes over answered subjects. A pass is a row and deletes nothing: a subject is due in it if its
//! outcome is one of those selected and was not asked for since the pass was opened.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{error::Result, queue::subject, tally::load_tally};
use crate::{
    clock::Timestamp,
    model::{State, Subject, SubjectId},
};

/// Who opened a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassOrigin {
    /// `idferry retry`.
    Retry,
    /// `idferry resync`: the parked.
    Parked,
    /// `idferry resync`: the unlinked whose answer is old.
    Unlinked,
    /// `idferry resync`: the linked whose answer is old.
    Linked,
    /// `idferry run --pilot`: some of those without an answer, drawn at random.
    Pilot,
    /// `idferry resync --sample`: some of the linked and unlinked, drawn at random.
    Sample,
}

impl PassOrigin {
    /// Every origin.
    pub const ALL: [Self; 6] = [
        Self::Retry,
        Self::Parked,
        Self::Unlinked,
        Self::Linked,
        Self::Pilot,
        Self::Sample,
    ];

    /// Whether the subjects of such a pass are drawn at random.
    pub(crate) const fn is_drawn(self) -> bool {
        matches!(self, Self::Pilot | Self::Sample)
    }

    /// Returns its name in files and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Parked => "parked",
            Self::Unlinked => "unlinked",
            Self::Linked => "linked",
            Self::Pilot => "pilot",
            Self::Sample => "sample",
        }
    }
}

/// Which answers a pass asks for again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// In one of these states, none of which is [`State::Queued`].
    pub states: Vec<State>,
    /// With one of these errcodes; empty for any.
    pub errcodes: Vec<i64>,
    /// Known before this, to the second; `None` for any.
    pub before: Option<Timestamp>,
}

/// The number of a pass; later ones have higher numbers. 0 stands for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct PassId(pub i64);

/// A pass that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Its number.
    pub id: PassId,
    /// Who opened it.
    pub origin: PassOrigin,
    /// Which answers it asks for again.
    pub selection: Selection,
    /// The last subject that belongs to it.
    pub upto: SubjectId,
    /// No subject up to here is due in it any more.
    pub cursor: SubjectId,
    /// How many subjects were due when it was opened.
    pub subjects: u64,
    /// How many of them were asked.
    pub asked: u64,
}

impl Pass {
    /// Returns how many subjects are still due, as far as is known without looking: a subject that
    /// changed its state in another way is counted until the pass is over.
    pub const fn left(&self) -> u64 {
        self.subjects.saturating_sub(self.asked)
    }
}

/// The passes of a job.
pub struct Passes<'s> {
    db: &'s Connection,
}

impl<'s> Passes<'s> {
    pub(super) const fn of(db: &'s Connection) -> Self {
        Self { db }
    }

    /// Returns how many subjects `selection` takes now. Reads every outcome, unless the counts of
    /// the states say it or only few are in question.
    pub fn count(&self, selection: &Selection) -> Result<u64> {
        if selection.errcodes.is_empty() && selection.before.is_none() {
            let tally = load_tally(self.db)?;
            return Ok(selection.states.iter().map(|state| tally.of(*state)).sum());
        }
        let sql = format!(
            "SELECT count(*) FROM outcomes o WHERE {}",
            condition(selection)
        );
        let subjects: i64 = self.db.query_row(&sql, [], |row| row.get(0))?;
        Ok(subjects.unsigned_abs())
    }

    /// Opens a pass over the first `limit` subjects of `selection`, if there are any.
    pub(super) fn open(
        &self,
        origin: PassOrigin,
        selection: &Selection,
        limit: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<PassId>> {
        let mut subjects = self.count(selection)?;
        let mut upto = i64::MAX;
        if let Some(limit) = limit.filter(|limit| *limit < subjects) {
            subjects = limit;
            upto = self.nth(selection, limit)?;
        }
        if subjects == 0 {
            return Ok(None);
        }
        let states = selection.states.iter().map(|state| *state as u8);
        let id = self.db.query_row(
            "INSERT INTO passes (origin, states, errcodes, before, upto, subjects, opened_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            params![
                origin.as_str(),
                json_list(states),
                json_list(&selection.errcodes),
                selection.before.map(seconds),
                upto,
                subjects.cast_signed(),
                now.as_millis(),
            ],
            |row| row.get(0),
        )?;
        Ok(Some(PassId(id)))
    }

    /// The subject of rank `rank`, from 1, in `selection`; 0 if there are fewer.
    fn nth(&self, selection: &Selection, rank: u64) -> Result<i64> {
        let Some(skipped) = rank.checked_sub(1) else {
            return Ok(0);
        };
        let sql = format!(
            "SELECT subject FROM outcomes o WHERE {} ORDER BY subject LIMIT 1 OFFSET ?1",
            condition(selection)
        );
        let nth = self
            .db
            .query_row(&sql, [skipped.cast_signed()], |row| row.get(0));
        Ok(nth.optional()?.unwrap_or_default())
    }

    /// Returns the passes that are not over, in the order in which they were opened, without those
    /// over drawn subjects, which only their own command works off.
    pub fn unfinished(&self) -> Result<Vec<Pass>> {
        let mut passes = self.open_ones()?;
        passes.retain(|pass| !pass.origin.is_drawn());
        Ok(passes)
    }

    /// Returns the drawn pass of this origin that is not over.
    pub(crate) fn drawn(&self, origin: PassOrigin) -> Result<Option<Pass>> {
        let passes = self.open_ones()?.into_iter();
        Ok(passes.rev().find(|pass| pass.origin == origin))
    }

    fn open_ones(&self) -> Result<Vec<Pass>> {
        let mut list = self.db.prepare(
            "SELECT id, origin, states, errcodes, before, upto, cursor, subjects, asked FROM passes
             WHERE closed_at IS NULL ORDER BY id",
        )?;
        let passes = list.query_map([], pass)?;
        Ok(passes.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns the number of the newest pass.
    pub(super) fn newest(&self) -> Result<PassId> {
        let sql = "SELECT coalesce(max(id), 0) FROM passes";
        Ok(PassId(self.db.query_row(sql, [], |row| row.get(0))?))
    }

    /// Closes a pass: nothing is due in it any more, or nobody wants it any more.
    pub fn close(&self, id: PassId, now: Timestamp) -> Result<()> {
        let sql = "UPDATE passes SET closed_at = ?2 WHERE id = ?1";
        self.db.execute(sql, (id.0, now.as_millis()))?;
        Ok(())
    }

    /// Records how far a pass has come, and that `asked` more of its subjects were asked.
    pub(super) fn advance(&self, id: PassId, cursor: SubjectId, asked: u64) -> Result<()> {
        let sql = "UPDATE passes SET cursor = ?2, asked = asked + ?3 WHERE id = ?1";
        let mut update = self.db.prepare_cached(sql)?;
        update.execute((id.0, cursor.0, asked.cast_signed()))?;
        Ok(())
    }

    /// Returns the first `most` subjects that are due in `pass` after `after`, up to and including
    /// `upto`, with their states.
    pub(crate) fn due(
        &self,
        pass: &Pass,
        after: SubjectId,
        upto: SubjectId,
        most: u32,
    ) -> Result<Vec<(Subject, State)>> {
        let sql = match pass.origin.is_drawn() {
            true => drawn_due_in(pass),
            false => format!(
                "SELECT s.id, unionid, openid, corpid, o.state FROM outcomes o
                 JOIN subjects s ON s.id = o.subject LEFT JOIN corps c ON c.id = s.corp
                 WHERE o.subject > ?1 AND o.subject <= ?2 AND {}
                 ORDER BY o.subject LIMIT ?3",
                due_in(pass)
            ),
        };
        let mut page = self.db.prepare_cached(&sql)?;
        let due = page.query_map(params![after.0, upto.0, most], |row| {
            let state: Option<u8> = row.get(4)?;
            let state = state.map_or(Some(State::Queued), State::from_code);
            Ok((subject(row)?, state.unwrap_or(State::Parked)))
        })?;
        Ok(due.collect::<std::result::Result<_, _>>()?)
    }
}

/// The condition on outcomes `o` that are due in `pass`.
pub(super) fn due_in(pass: &Pass) -> String {
    format!(
        "o.subject > {} AND o.subject <= {} AND o.pass < {} AND {}",
        pass.cursor.0,
        pass.upto.0,
        pass.id.0,
        condition(&pass.selection)
    )
}

/// Selects the subjects that are due in a drawn pass, as [`Passes::due`] does.
fn drawn_due_in(pass: &Pass) -> String {
    let id = pass.id.0;
    format!(
        "SELECT s.id, unionid, openid, corpid, o.state FROM drawn d
         JOIN subjects s ON s.id = d.subject LEFT JOIN outcomes o ON o.subject = s.id
         LEFT JOIN corps c ON c.id = s.corp
         WHERE d.pass = {id} AND d.subject > ?1 AND d.subject <= ?2
            AND (o.subject IS NULL OR o.pass < {id})
         ORDER BY d.subject LIMIT ?3"
    )
}

/// The condition on outcomes `o`. Only numbers go into the text.
fn condition(selection: &Selection) -> String {
    let states = selection.states.iter().map(|state| *state as u8);
    let mut condition = format!("o.state IN ({})", list(states));
    // With "IN (3, 4)", the condition of the index on the few that were refused, SQLite uses it.
    let of_few = |state: &State| matches!(state, State::Rejected | State::Parked);
    if selection.states.iter().all(of_few) {
        condition += " AND o.state IN (3, 4)";
    }
    if !selection.errcodes.is_empty() {
        condition += &format!(" AND o.errcode IN ({})", list(&selection.errcodes));
    }
    if let Some(before) = selection.before {
        condition += &format!(" AND o.at < {}", seconds(before));
    }
    condition
}

fn list<N: ToString>(numbers: impl IntoIterator<Item = N>) -> String {
    let numbers = numbers.into_iter().map(|number| number.to_string());
    numbers.collect::<Vec<_>>().join(", ")
}

fn json_list<N: ToString>(numbers: impl IntoIterator<Item = N>) -> String {
    format!("[{}]", list(numbers))
}

/// As outcomes and links have it: seconds since the epoch.
pub(super) const fn seconds(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(1000)
}

fn pass(row: &Row<'_>) -> rusqlite::Result<Pass> {
    let origin: String = row.get(1)?;
    let origin = PassOrigin::ALL
        .into_iter()
        .find(|known| known.as_str() == origin);
    let numbers = |column| {
        let text: String = row.get(column)?;
        Ok::<Vec<i64>, rusqlite::Error>(serde_json::from_str(&text).unwrap_or_default())
    };
    let states = numbers(2)?.into_iter().filter_map(|code| {
        let code = u8::try_from(code).ok()?;
        State::from_code(code)
    });
    let before: Option<i64> = row.get(4)?;
    Ok(Pass {
        id: PassId(row.get(0)?),
        origin: origin.unwrap_or(PassOrigin::Retry),
        selection: Selection {
            states: states.collect(),
            errcodes: numbers(3)?,
            before: before.map(|seconds| Timestamp::from_millis(seconds * 1000)),
        },
        upto: SubjectId(row.get(5)?),
        cursor: SubjectId(row.get(6)?),
        subjects: row.get::<_, i64>(7)?.unsigned_abs(),
        asked: row.get::<_, i64>(8)?.unsigned_abs(),
    })
}
