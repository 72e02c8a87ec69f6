//! The commit of the loop: answers are settled, beside what the ledger has charged.

use std::{sync::LazyLock, time::Duration};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    Store, changes,
    corps::{Corps, corp_number},
    counters::{self, Charged},
    error::Result,
    journal::{Journal, RunId, RunProgress},
    multi_insert::Insert,
    passes::{PassId, Passes, seconds},
    tally::save_tally,
};
use crate::{
    clock::Timestamp,
    model::{Api, Outcome, State, SubjectId, Tally},
};

/// The life of a pending_id (D97357).
const LIFE: Duration = Duration::from_secs(90 * 86_400);
/// How long before its end it is asked for again: a quota of days may stand in the way.
const AHEAD: Duration = Duration::from_secs(14 * 86_400);
/// When one is asked for again that was refused, or that no reply came to.
const AFTER_REFUSAL: Duration = Duration::from_secs(7 * 86_400);

/// One subject's outcome on its way to disk.
pub struct Settled {
    /// The subject.
    pub subject: SubjectId,
    /// Its state before.
    pub was: State,
    /// What the answer was.
    pub outcome: Outcome,
    /// When the answer came, wall time.
    pub at: Timestamp,
}

/// How far the work has come: nothing is to be done up to this subject, the answers of the same
/// commit included. Too low costs a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Every subject up to here has an outcome.
    Queue(SubjectId),
    /// No subject up to here is due in this pass.
    Pass(PassId, SubjectId),
}

/// What one commit writes of the job.
pub struct Batch<'a> {
    /// Answers of the API that is charged, in the order of their ids, so that they are appended.
    pub settled: &'a [Settled],
    /// Where the queue, or the pass that is worked off, begins after a restart.
    pub cursor: Option<Cursor>,
    /// What `status` shows.
    pub progress: (RunId, &'a RunProgress),
}

impl Store {
    /// Settles answers and records what an exchange with the ledger has written there, in one
    /// transaction. After an error nothing of it is on disk.
    pub fn commit(&mut self, batch: &Batch<'_>, charged: &Charged<'_>) -> Result<()> {
        let tally = self.tally;
        let committed = self.write(batch, charged);
        if committed.is_err() {
            self.tally = tally;
            let _ = self.recall_corps();
        }
        committed
    }

    fn write(&mut self, batch: &Batch<'_>, charged: &Charged<'_>) -> Result<()> {
        let Self {
            db,
            corps,
            tally,
            newest_pass,
            ..
        } = self;
        let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let has_answers = !batch.settled.is_empty();
        let mut answered = batch.settled.len();
        if charged.api == Api::PendingId {
            settle_pending_ids(&transaction, batch.settled)?;
            answered = 0;
        } else if has_answers {
            settle(&transaction, corps, tally, *newest_pass, batch.settled)?;
            save_tally(&transaction, tally)?;
        }
        let watermark = match batch.cursor {
            Some(Cursor::Queue(upto)) => Some(upto.0),
            _ => None,
        };
        if has_answers || watermark.is_some() {
            let mut update = transaction.prepare_cached(
                "UPDATE job SET watermark = coalesce(?1, watermark), revision = revision + ?2",
            )?;
            update.execute(params![watermark, has_answers])?;
        }
        if let Some(Cursor::Pass(pass, upto)) = batch.cursor {
            Passes::of(&transaction).advance(pass, upto, batch.settled.len() as u64)?;
        }
        let (run, progress) = batch.progress;
        Journal::of(&transaction).save_progress(run, progress, answered)?;
        counters::add(&transaction, charged)?;
        Ok(transaction.commit()?)
    }
}

fn settle(
    db: &Connection,
    corps: &mut Corps,
    tally: &mut Tally,
    pass: PassId,
    settled: &[Settled],
) -> Result<()> {
    let (mut outcomes, mut links) = (Vec::new(), Vec::new());
    let earliest = changes::earliest(db)?;
    for answer in settled {
        let (was, is) = (answer.was, answer.outcome.state);
        if !is.replaces(was) {
            keep(db, answer.subject, pass)?;
            continue;
        }
        if matches!(was, State::Linked | State::Unlinked) {
            let stays = relink(db, corps, answer, seconds(answer.at).max(earliest))?;
            let is = if stays { State::Linked } else { is };
            tally.shift(was, is);
            outcomes.push((answer, is));
            continue;
        }
        tally.shift(was, is);
        outcomes.push((answer, is));
        for link in &answer.outcome.links {
            let corp = corp_number(db, corps, &link.corpid)?;
            links.push((answer, corp, &*link.external_userid));
        }
    }
    OUTCOMES.all(db, &outcomes, |insert, place, (settled, state)| {
        let Outcome {
            errcode, attempts, ..
        } = settled.outcome;
        let before = place * 6;
        insert.raw_bind_parameter(before + 1, settled.subject.0)?;
        insert.raw_bind_parameter(before + 2, *state as u8)?;
        insert.raw_bind_parameter(before + 3, errcode)?;
        insert.raw_bind_parameter(before + 4, attempts)?;
        insert.raw_bind_parameter(before + 5, seconds(settled.at))?;
        insert.raw_bind_parameter(before + 6, pass.0)
    })?;
    LINKS.all(db, &links, |insert, place, (settled, corp, userid)| {
        let before = place * 4;
        insert.raw_bind_parameter(before + 1, settled.subject.0)?;
        insert.raw_bind_parameter(before + 2, corp)?;
        insert.raw_bind_parameter(before + 3, userid)?;
        insert.raw_bind_parameter(before + 4, seconds(settled.at).max(earliest))
    })
}

/// The answer stands that there was; the subject is not asked again in the same pass.
fn keep(db: &Connection, subject: SubjectId, pass: PassId) -> Result<()> {
    let mut asked = db.prepare_cached("UPDATE outcomes SET pass = ?2 WHERE subject = ?1")?;
    asked.execute((subject.0, pass.0))?;
    Ok(())
}

/// Writes the difference between the links of a subject that was answered before and those of its
/// new answer, which begin and end at the second `at`. A link that a pending_id gave stays until a lookup
/// has found it too, and lost it again. Returns whether one stays.
fn relink(db: &Connection, corps: &mut Corps, answer: &Settled, at: i64) -> Result<bool> {
    let subject = answer.subject.0;
    let mut gained = Vec::new();
    for link in &answer.outcome.links {
        gained.push((
            corp_number(db, corps, &link.corpid)?,
            &*link.external_userid,
        ));
    }
    let mut standing = db.prepare_cached(
        "SELECT corp, external_userid, source FROM links WHERE subject = ?1 AND until IS NULL",
    )?;
    let standing =
        standing.query_map([subject], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let standing: Vec<(i64, String, bool)> = standing.collect::<std::result::Result<_, _>>()?;
    let mut stays = false;
    for (corp, userid, is_by_pending_id) in standing {
        let before = gained.len();
        gained.retain(|link| *link != (corp, &*userid));
        let is_found = gained.len() < before;
        if is_by_pending_id && is_found {
            let mut found = db.prepare_cached(
                "UPDATE links SET source = 0
                 WHERE subject = ?1 AND corp = ?2 AND external_userid = ?3 AND until IS NULL",
            )?;
            found.execute((subject, corp, userid))?;
        } else if is_by_pending_id {
            stays = true;
        } else if !is_found {
            let mut end = db.prepare_cached(
                "UPDATE links SET until = max(since, ?4)
                 WHERE subject = ?1 AND corp = ?2 AND external_userid = ?3 AND until IS NULL",
            )?;
            end.execute((subject, corp, userid, at))?;
        }
    }
    for (corp, userid) in gained {
        // A link that was lost within the same second has not been away.
        let mut begin = db.prepare_cached(
            "INSERT INTO links (subject, corp, external_userid, since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET until = NULL",
        )?;
        begin.execute((subject, corp, userid, at))?;
    }
    Ok(stays)
}

/// Of a subject that was asked again, the later answer stands.
static OUTCOMES: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT INTO outcomes (subject, state, errcode, attempts, at, pass)";
    let again = "ON CONFLICT (subject) DO UPDATE SET state = excluded.state,
        errcode = excluded.errcode, attempts = excluded.attempts, at = excluded.at,
        pass = excluded.pass";
    Insert::new(into, "(?, ?, ?, ?, ?, ?)", again)
});

static LINKS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT OR IGNORE INTO links (subject, corp, external_userid, since)";
    Insert::new(into, "(?, ?, ?, ?)", "")
});

/// Writes what came of asking. An id stays until a newer one comes.
fn settle_pending_ids(db: &Connection, settled: &[Settled]) -> Result<()> {
    PENDING_IDS.all(db, settled, |insert, place, settled| {
        let id = settled.outcome.pending_id.as_ref();
        let expires = settled.at.plus(LIFE);
        let due = match id {
            Some(_) => expires.minus(AHEAD),
            None => settled.at.plus(AFTER_REFUSAL),
        };
        let before = place * 7;
        insert.raw_bind_parameter(before + 1, settled.subject.0)?;
        insert.raw_bind_parameter(before + 2, id.map(|id| &*id.0))?;
        insert.raw_bind_parameter(before + 3, id.map(|_| seconds(expires)))?;
        insert.raw_bind_parameter(before + 4, settled.outcome.errcode)?;
        insert.raw_bind_parameter(before + 5, settled.outcome.attempts)?;
        insert.raw_bind_parameter(before + 6, seconds(settled.at))?;
        insert.raw_bind_parameter(before + 7, seconds(due))
    })
}

/// Whether a repeated call gives the same id is not stated (D97357): another one is kept beside it.
static PENDING_IDS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT INTO pending_ids (subject, pending_id, expires, errcode, attempts, at, due)";
    let again = "ON CONFLICT (subject) DO UPDATE SET
        previous = iif(excluded.pending_id <> pending_id, pending_id, previous),
        pending_id = coalesce(excluded.pending_id, pending_id),
        expires = coalesce(excluded.expires, expires), errcode = excluded.errcode,
        attempts = excluded.attempts, at = excluded.at, due = excluded.due";
    Insert::new(into, "(?, ?, ?, ?, ?, ?, ?)", again)
});
