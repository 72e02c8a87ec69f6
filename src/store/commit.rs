//! The commit of the loop: answers are settled, beside what the ledger has charged.

use std::sync::LazyLock;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::{
    Store,
    corps::{Corps, corp_number},
    counters::{self, Charged},
    error::Result,
    journal::{Journal, RunId, RunProgress},
    multi_insert::Insert,
    tally::save_tally,
};
use crate::{
    clock::Timestamp,
    model::{Outcome, State, SubjectId, Tally},
};

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

/// What one commit writes of the job.
pub struct Batch<'a> {
    /// In the order of their ids, so that they are appended.
    pub settled: &'a [Settled],
    /// Every subject up to here has an outcome, these ones included: where the queue begins after
    /// a restart. Too low costs a scan.
    pub watermark: Option<SubjectId>,
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
            db, corps, tally, ..
        } = self;
        let transaction = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let has_answers = !batch.settled.is_empty();
        if has_answers {
            settle(&transaction, corps, tally, batch.settled)?;
            save_tally(&transaction, tally)?;
        }
        if has_answers || batch.watermark.is_some() {
            let mut update = transaction.prepare_cached(
                "UPDATE job SET watermark = coalesce(?1, watermark), revision = revision + ?2",
            )?;
            update.execute(params![batch.watermark.map(|upto| upto.0), has_answers])?;
        }
        let (run, progress) = batch.progress;
        Journal::of(&transaction).save_progress(run, progress)?;
        counters::add(&transaction, charged)?;
        Ok(transaction.commit()?)
    }
}

fn settle(
    db: &Connection,
    corps: &mut Corps,
    tally: &mut Tally,
    settled: &[Settled],
) -> Result<()> {
    let mut links = Vec::with_capacity(settled.len());
    for Settled {
        subject,
        was,
        outcome,
        ..
    } in settled
    {
        if *was != State::Queued {
            let mut unlink = db.prepare_cached("DELETE FROM links WHERE subject = ?1")?;
            unlink.execute([subject.0])?;
        }
        for link in &outcome.links {
            let corp = corp_number(db, corps, &link.corpid)?;
            links.push((subject.0, corp, &*link.external_userid));
        }
        tally.shift(*was, outcome.state);
    }
    OUTCOMES.all(db, settled, |insert, place, settled| {
        let Outcome {
            state,
            errcode,
            attempts,
            ..
        } = settled.outcome;
        let before = place * 5;
        insert.raw_bind_parameter(before + 1, settled.subject.0)?;
        insert.raw_bind_parameter(before + 2, state as u8)?;
        insert.raw_bind_parameter(before + 3, errcode)?;
        insert.raw_bind_parameter(before + 4, attempts)?;
        insert.raw_bind_parameter(before + 5, settled.at.as_millis().div_euclid(1000))
    })?;
    LINKS.all(db, &links, |insert, place, (subject, corp, userid)| {
        let before = place * 3;
        insert.raw_bind_parameter(before + 1, subject)?;
        insert.raw_bind_parameter(before + 2, corp)?;
        insert.raw_bind_parameter(before + 3, userid)
    })
}

/// Of a subject that was asked again, the later answer stands.
static OUTCOMES: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT INTO outcomes (subject, state, errcode, attempts, at)";
    let again = "ON CONFLICT (subject) DO UPDATE SET state = excluded.state,
        errcode = excluded.errcode, attempts = excluded.attempts, at = excluded.at";
    Insert::new(into, "(?, ?, ?, ?, ?)", again)
});

static LINKS: LazyLock<Insert> = LazyLock::new(|| {
    let into = "INSERT OR IGNORE INTO links (subject, corp, external_userid)";
    Insert::new(into, "(?, ?, ?)", "")
});
