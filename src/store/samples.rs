//! How the runs went, minute by minute, for charts. Rows are merged as they grow old, so that there
//! are never more than some thousands; sums over them stay what they were.

use rusqlite::{Connection, params};

use super::error::Result;
use crate::clock::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// From which age on rows are how long.
const MERGED: [(i64, i64); 2] = [(DAY, 15 * MINUTE), (32 * DAY, HOUR)];
/// From which age on there are none.
const FORGOTTEN: i64 = 400 * DAY;

/// What a run did for one reason in a minute, or in several once that is a day ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The beginning of the minute.
    pub at: Timestamp,
    /// The reason for waiting, as [`RunProgress::hold_code`](super::RunProgress::hold_code); empty for
    /// none.
    pub hold: String,
    /// For how long, in milliseconds.
    pub millis: u64,
    /// Calls completed.
    pub calls: u64,
    /// Subjects that got an outcome.
    pub answered: u64,
}

/// Adds what `run` did until `now`, with so many `calls` completed in all and so many subjects
/// `answered` since; to be called before its progress is saved.
pub(super) fn add(
    db: &Connection,
    run: i64,
    now: Timestamp,
    calls: u64,
    answered: usize,
) -> Result<()> {
    let mut last = db.prepare_cached("SELECT seen_at, calls, hold_code FROM runs WHERE id = ?1")?;
    let (seen, before, hold) = last.query_row([run], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, Option<String>>(2)?,
        ))
    })?;
    let now = now.as_millis();
    let millis = now.saturating_sub(seen).max(0);
    let calls = calls.cast_signed().saturating_sub(before).max(0);
    if millis == 0 && calls == 0 && answered == 0 {
        return Ok(());
    }
    let mut upsert = db.prepare_cached(
        "INSERT INTO samples VALUES (?1 - ?1 % ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET millis = millis + excluded.millis,
             calls = calls + excluded.calls, answered = answered + excluded.answered",
    )?;
    let hold = hold.unwrap_or_default();
    upsert.execute(params![seen, MINUTE, hold, millis, calls, answered as i64])?;
    if seen.div_euclid(HOUR) != now.div_euclid(HOUR) {
        thin(db, now)?;
    }
    Ok(())
}

/// Merges the rows that have grown old at `now`.
fn thin(db: &Connection, now: i64) -> Result<()> {
    for (age, length) in MERGED {
        // A merged row is never merged in part.
        let before = (now - age).div_euclid(length) * length;
        db.prepare_cached(
            "INSERT INTO samples
             SELECT at - at % ?1, hold, sum(millis), sum(calls), sum(answered) FROM samples
             WHERE at < ?2 AND at % ?1 <> 0 GROUP BY 1, 2
             ON CONFLICT DO UPDATE SET millis = millis + excluded.millis,
                 calls = calls + excluded.calls, answered = answered + excluded.answered",
        )?
        .execute([length, before])?;
        db.prepare_cached("DELETE FROM samples WHERE at < ?2 AND at % ?1 <> 0")?
            .execute([length, before])?;
    }
    db.execute("DELETE FROM samples WHERE at < ?1", [now - FORGOTTEN])?;
    Ok(())
}

/// Returns the samples, the latest last.
pub(super) fn load(db: &Connection) -> Result<Vec<Sample>> {
    let mut list = db.prepare_cached(
        "SELECT at, hold, millis, calls, answered FROM samples ORDER BY at, hold",
    )?;
    let samples = list.query_map([], |row| {
        let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.unsigned_abs());
        Ok(Sample {
            at: Timestamp::from_millis(row.get(0)?),
            hold: row.get(1)?,
            millis: number(2)?,
            calls: number(3)?,
            answered: number(4)?,
        })
    })?;
    Ok(samples.collect::<std::result::Result<_, _>>()?)
}

/// Returns how many links stand at each downstream corp, the most first.
pub(super) fn links_by_corp(db: &Connection) -> Result<Vec<(String, u64)>> {
    let mut list = db.prepare(
        "SELECT corpid, n FROM (
             SELECT corp, count(*) AS n FROM links WHERE until IS NULL GROUP BY corp)
         JOIN corps ON corps.id = corp ORDER BY n DESC, corpid",
    )?;
    let corps = list.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })?;
    Ok(corps.collect::<std::result::Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Journal, RunProgress};

    /// Plays `minutes` of a run that waits every second minute and answers in the others.
    fn played(minutes: i64) -> Vec<Sample> {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(include_str!("../../migrations/job/0001_job.sql"))
            .unwrap();
        let journal = Journal::of(&db);
        let start = Timestamp::from_millis(1_795_309_200_000);
        let run = journal.begin_run("run", "", start).unwrap();
        for minute in 1..=minutes {
            let waits = minute % 2 == 0;
            let progress = RunProgress {
                seen_at: start.plus(std::time::Duration::from_secs(60 * minute.unsigned_abs())),
                calls: 100 * minute.unsigned_abs(),
                hold_code: waits.then(|| "window business.day".to_owned()),
                ..RunProgress::default()
            };
            journal.save_progress(run, &progress, 90).unwrap();
        }
        load(&db).unwrap()
    }

    #[test]
    fn one_row_a_minute_says_what_the_run_did_in_it() {
        let samples = played(3);
        let seen: Vec<_> = samples
            .iter()
            .map(|sample| (&*sample.hold, sample.millis, sample.calls, sample.answered))
            .collect();
        let working = ("", 60_000, 100, 90);
        let waiting = ("window business.day", 60_000, 100, 90);
        assert_eq!(seen, [working, working, waiting]);
    }

    #[test]
    fn old_samples_are_few_and_their_sums_stay() {
        const MINUTES: i64 = 40 * 24 * 60;
        let samples = played(MINUTES);
        // A day of minutes, 31 days of quarters, eight days of hours, each for two reasons.
        let most = 1440 + 60 + 2 * (31 * 96 + 9 * 24);
        assert!(samples.len() <= most, "{} of {most} rows", samples.len());
        let sum = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>();
        let minutes = MINUTES.unsigned_abs();
        assert_eq!(sum(|sample| sample.calls), 100 * minutes);
        assert_eq!(sum(|sample| sample.answered), 90 * minutes);
        assert_eq!(sum(|sample| sample.millis), 60_000 * minutes);
    }
}
