//! The one commit of the loop: answers are settled and the next calls are charged, together.

use std::sync::LazyLock;

use rusqlite::params;

use super::{
    Result, RunId, Store, corp_number,
    journal::RunProgress,
    ledger::{self, Exchange},
    multi_insert::Insert,
    save_tally,
};
use crate::{
    clock::Timestamp,
    model::{Outcome, State, SubjectId},
    quota::{Hold, PaidCalls, Permit},
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
    /// Settles answers and exchanges with the ledger, in one transaction. Only if it succeeds are
    /// the calls paid that were wanted.
    ///
    /// Returns the hold if not one of them fits; everything else is committed all the same. After
    /// an error nothing of it is on disk.
    pub fn commit(
        &mut self,
        batch: &Batch<'_>,
        mut exchange: Exchange<'_>,
    ) -> Result<std::result::Result<PaidCalls, Hold>> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let before = self.tally;
        let written = self.write(batch, &mut exchange);
        let committed = written.and_then(|permit| {
            let commit = || Ok(self.db.execute_batch("COMMIT")?);
            match permit {
                Ok(permit) => permit.pay(commit).map(Ok),
                Err(hold) => commit().map(|()| Err(hold)),
            }
        });
        match committed {
            Ok(_) => exchange.account.committed(),
            Err(_) => {
                self.tally = before;
                if !self.db.is_autocommit() {
                    let _ = self.db.execute_batch("ROLLBACK");
                }
                let _ = self.recall_corps();
            }
        }
        committed
    }

    fn write(
        &mut self,
        batch: &Batch<'_>,
        exchange: &mut Exchange<'_>,
    ) -> Result<std::result::Result<Permit, Hold>> {
        if !batch.settled.is_empty() {
            self.settle(batch.settled)?;
            save_tally(&self.db, &self.tally)?;
        }
        let permit = ledger::exchange(&self.db, exchange)?;
        let learned = !batch.settled.is_empty();
        if learned || batch.watermark.is_some() {
            let mut update = self.db.prepare_cached(
                "UPDATE job SET watermark = coalesce(?1, watermark), revision = revision + ?2",
            )?;
            update.execute(params![batch.watermark.map(|upto| upto.0), learned])?;
        }
        let (run, progress) = batch.progress;
        self.journal().save_progress(run, progress)?;
        Ok(permit)
    }

    fn settle(&mut self, settled: &[Settled]) -> Result<()> {
        let Self {
            db, corps, tally, ..
        } = self;
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
