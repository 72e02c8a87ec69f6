//! Passes over subjects that are drawn at random: a pilot asks some of those without an answer, a sample
//! some of those with one. The draw is kept, so that a run that is cut short resumes it, and so is what was
//! known of each, to tell what has changed.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{
    Store,
    error::Result,
    passes::{PassId, PassOrigin},
    reader::Reader,
};
use crate::{clock::Timestamp, model::State};

/// Subjects without an answer, and those with one.
const QUEUED: &str = "SELECT s.id, 0, 0 FROM subjects s WHERE s.id > (SELECT watermark FROM job)
    AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.subject = s.id)";
const ANSWERED: &str = "SELECT subject, state, at FROM outcomes WHERE state IN (1, 2)";

/// What became of a draw so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrawnCounts {
    /// Subjects drawn.
    pub(crate) subjects: u64,
    /// Those of them who were asked since.
    pub(crate) asked: u64,
    /// Those asked who have links now, and how many links.
    pub(crate) linked: u64,
    pub(crate) links: u64,
    /// Calls that their answers took.
    pub(crate) attempts: u64,
    /// Subjects by state and errcode, for those that were refused.
    pub(crate) refusals: Vec<(State, Option<i64>, u64)>,
    /// The linked and the unlinked as they were when they were drawn, who were answered again.
    pub(crate) again: [AnsweredAgain; 2],
}

/// Subjects of one state that were answered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnsweredAgain {
    /// Their state before.
    pub(crate) was: State,
    pub(crate) subjects: u64,
    /// Those who have gained or lost a link.
    pub(crate) changed: u64,
    /// The mean age of the answers before.
    pub(crate) age: Duration,
}

impl Store {
    /// Draws `size` subjects at random, or all if they are fewer, and opens a pass over them; one of this
    /// size that is not over is resumed. Returns `None` if there are none. Reads every candidate.
    pub(crate) fn draw(
        &mut self,
        origin: PassOrigin,
        size: u64,
        seed: u64,
        now: Timestamp,
    ) -> Result<Option<PassId>> {
        let candidates = match origin {
            PassOrigin::Pilot => QUEUED,
            _ => ANSWERED,
        };
        let begun = self.passes().drawn(origin)?;
        let asked = begun.as_ref().map_or(0, |pass| pass.asked);
        let (drawn, all) = reservoir(&self.db, candidates, size, seed)?;
        if let Some(pass) = begun {
            let there_were = match origin {
                PassOrigin::Pilot => all + asked,
                _ => all,
            };
            if pass.subjects == size.min(there_were) && pass.left() > 0 {
                return Ok(Some(pass.id));
            }
            self.passes().close(pass.id, now)?;
        }
        if drawn.is_empty() {
            return Ok(None);
        }
        let id = write(&self.db, origin, &drawn, now)?;
        self.newest_pass = id;
        Ok(Some(id))
    }
}

type Candidate = (i64, i64, i64);

/// Each candidate with the same chance, and how many there are.
fn reservoir(
    db: &Connection,
    candidates: &str,
    size: u64,
    seed: u64,
) -> Result<(Vec<Candidate>, u64)> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let (mut drawn, mut seen) = (Vec::new(), 0_u64);
    let mut list = db.prepare(candidates)?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        seen += 1;
        let candidate = (row.get(0)?, row.get(1)?, row.get(2)?);
        if (drawn.len() as u64) < size {
            drawn.push(candidate);
            continue;
        }
        let place = usize::try_from(chance.u64(..seen)).unwrap_or(usize::MAX);
        if let Some(other) = drawn.get_mut(place) {
            *other = candidate;
        }
    }
    drawn.sort_unstable();
    Ok((drawn, seen))
}

fn write(
    db: &Connection,
    origin: PassOrigin,
    drawn: &[Candidate],
    now: Timestamp,
) -> Result<PassId> {
    let transaction = db.unchecked_transaction()?;
    let id: i64 = transaction.query_row(
        "INSERT INTO passes (origin, states, errcodes, upto, subjects, opened_at)
         VALUES (?1, '[]', '[]', ?2, ?3, ?4) RETURNING id",
        params![
            origin.as_str(),
            i64::MAX,
            (drawn.len() as u64).cast_signed(),
            now.as_millis()
        ],
        |row| row.get(0),
    )?;
    let mut insert = transaction.prepare("INSERT INTO drawn VALUES (?1, ?2, ?3, ?4)")?;
    for (subject, state, at) in drawn {
        insert.execute((id, subject, state, at))?;
    }
    drop(insert);
    transaction.commit()?;
    Ok(PassId(id))
}

impl Reader<'_> {
    /// Returns what became of those who were drawn for the pass `id`.
    pub(crate) fn drawn_counts(&self, id: PassId) -> Result<DrawnCounts> {
        let mut counts = self.drawn_sums(id)?;
        let mut list = self.db.prepare(
            "SELECT o.state, o.errcode, count(*) FROM drawn d JOIN outcomes o USING (subject)
             WHERE d.pass = ?1 AND o.pass >= ?1 AND o.state IN (3, 4)
             GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
        )?;
        let mut rows = list.query([id.0])?;
        while let Some(row) = rows.next()? {
            let state = State::from_code(row.get(0)?).unwrap_or(State::Parked);
            let subjects: i64 = row.get(2)?;
            let refusal = (state, row.get(1)?, subjects.unsigned_abs());
            counts.refusals.push(refusal);
        }
        for again in &mut counts.again {
            *again = self.answered_again(id, again.was)?;
        }
        Ok(counts)
    }

    fn drawn_sums(&self, id: PassId) -> Result<DrawnCounts> {
        let sums = "SELECT count(*), coalesce(sum(o.pass >= ?1), 0),
                coalesce(sum(o.pass >= ?1 AND o.state = 1), 0),
                coalesce(sum(iif(o.pass >= ?1, (SELECT count(*) FROM links l
                    WHERE l.subject = d.subject AND until IS NULL), 0)), 0),
                coalesce(sum(iif(o.pass >= ?1, attempts, 0)), 0)
            FROM drawn d LEFT JOIN outcomes o USING (subject) WHERE d.pass = ?1";
        let counts = self.db.query_row(sums, [id.0], |row| {
            let number =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(DrawnCounts {
                subjects: number(0)?,
                asked: number(1)?,
                linked: number(2)?,
                links: number(3)?,
                attempts: number(4)?,
                refusals: Vec::new(),
                again: [State::Linked, State::Unlinked].map(|was| AnsweredAgain {
                    was,
                    subjects: 0,
                    changed: 0,
                    age: Duration::ZERO,
                }),
            })
        })?;
        Ok(counts)
    }

    /// An answer that stands although its subject was asked again is older than the pass.
    fn answered_again(&self, id: PassId, was: State) -> Result<AnsweredAgain> {
        let sql = "SELECT count(*), coalesce(sum(EXISTS (SELECT 1 FROM links l
                    WHERE l.subject = d.subject AND max(l.since, coalesce(l.until, 0)) >= max(began, d.at + 1))), 0),
                coalesce(avg(began - d.at), 0)
            FROM (SELECT opened_at / 1000 AS began FROM passes WHERE id = ?1), drawn d
            JOIN outcomes o USING (subject)
            WHERE d.pass = ?1 AND o.pass >= ?1 AND d.state = ?2 AND o.state IN (1, 2) AND o.at >= began";
        let again = self.db.query_row(sql, params![id.0, was as u8], |row| {
            let number =
                |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
            Ok(AnsweredAgain {
                was,
                subjects: number(0)?,
                changed: number(1)?,
                age: Duration::from_secs_f64(row.get::<_, f64>(2)?.max(0.0)),
            })
        })?;
        Ok(again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::SubjectId, store::Settled};

    const ALL: SubjectId = SubjectId(i64::MAX);

    fn at(days: u64) -> Timestamp {
        Timestamp::parse("2026-11-22T12:00+08:00")
            .unwrap()
            .plus(Duration::from_secs(days * 86_400))
    }

    fn store(folder: &std::path::Path, subjects: usize) -> Store {
        let mut store = Store::open(&folder.join("job.db"), at(0)).unwrap();
        let names: Vec<_> = (0..subjects).map(|number| format!("u{number}")).collect();
        let subjects: Vec<_> = names.iter().map(|name| (&**name, "o", None)).collect();
        store.add_subjects(&subjects, at(0));
        store
    }

    fn due(store: &Store, origin: PassOrigin) -> Vec<(i64, State)> {
        let pass = store.passes().drawn(origin).unwrap().unwrap();
        let due = store.passes().due(&pass, SubjectId(0), ALL, 100).unwrap();
        let due = due.into_iter();
        due.map(|(subject, state)| (subject.id.0, state)).collect()
    }

    #[test]
    fn each_subject_is_drawn_with_the_same_chance() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 20);
        let mut times = [0; 20];
        for seed in 0..400 {
            let (drawn, all) = reservoir(&store.db, QUEUED, 5, seed).unwrap();
            assert_eq!((drawn.len(), all), (5, 20));
            for (subject, ..) in drawn {
                times[usize::try_from(subject - 1).unwrap()] += 1;
            }
        }
        // 100 of each are expected, with a deviation of 9.
        assert!(
            times.iter().all(|times| (60..140).contains(times)),
            "{times:?}"
        );
    }

    #[test]
    fn pilot_that_was_cut_short_is_resumed_with_those_left() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 50);
        let draw = |store: &mut Store, size| store.draw(PassOrigin::Pilot, size, size, at(0));
        let id = draw(&mut store, 6).unwrap().unwrap();
        let drawn = due(&store, PassOrigin::Pilot);
        assert_eq!(drawn.len(), 6);
        assert!(drawn.iter().all(|(_, state)| *state == State::Queued));
        assert!(
            store.passes().unfinished().unwrap().is_empty(),
            "no other run asks them"
        );
        let links = [("wpA", "wm1"), ("wpB", "wm2")];
        store.settle(&[
            Settled::first(drawn[0].0, State::Linked, &links, at(0)),
            Settled::first(drawn[1].0, State::Unlinked, &[], at(0)),
            Settled::first(drawn[2].0, State::Rejected, &[], at(0)),
        ]);
        store
            .passes()
            .advance(id, SubjectId(drawn[2].0), 3)
            .unwrap();
        assert_eq!(draw(&mut store, 6).unwrap(), Some(id));
        assert_eq!(due(&store, PassOrigin::Pilot), drawn[3..]);
        let counts = store.reader().drawn_counts(id).unwrap();
        assert_eq!((counts.subjects, counts.asked), (6, 3));
        assert_eq!((counts.linked, counts.links, counts.attempts), (1, 2, 3));
        assert_eq!(counts.refusals, [(State::Rejected, Some(0), 1)]);
        // Another size is another pilot.
        let other = draw(&mut store, 7).unwrap();
        assert_ne!(other, Some(id));
        assert_eq!(due(&store, PassOrigin::Pilot).len(), 7);
    }

    #[test]
    fn sample_tells_which_answers_have_changed_since() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path(), 6);
        let linked =
            |subject, days| Settled::first(subject, State::Linked, &[("wpA", "wm1")], at(days));
        store.settle(&[linked(1, 0), linked(2, 10), linked(3, 20)]);
        store.settle(&[Settled::first(4, State::Unlinked, &[], at(10))]);
        store.settle(&[Settled::first(5, State::Rejected, &[], at(10))]);
        let id = store
            .draw(PassOrigin::Sample, 100, 1, at(30))
            .unwrap()
            .unwrap();
        assert_eq!(due(&store, PassOrigin::Sample).len(), 4);
        let again = |was, settled| Settled { was, ..settled };
        store.settle(&[
            again(State::Linked, linked(1, 30)),
            again(
                State::Linked,
                Settled::first(2, State::Unlinked, &[], at(30)),
            ),
            again(State::Linked, Settled::first(3, State::Parked, &[], at(30))),
            again(State::Unlinked, linked(4, 30)),
        ]);
        let counts = store.reader().drawn_counts(id).unwrap();
        let [linked, unlinked] = counts.again;
        assert_eq!(
            (linked.subjects, linked.changed),
            (2, 1),
            "one was not answered"
        );
        assert_eq!(linked.age, Duration::from_secs(25 * 86_400));
        assert_eq!((unlinked.subjects, unlinked.changed), (1, 1));
    }
}
