//! The one commit of the loop: what landed is settled and the next block is charged, together.

use std::sync::LazyLock;

use rusqlite::params;

use super::{
    Result, RunId, Store, corp_number, journal::RunProgress, ledger, multi_insert::Insert,
    save_tally,
};
use crate::{
    clock::{ClockReading, Timestamp},
    gate::{InFlight, Lockout, PaidCalls, Permit, SlotUpdate},
    model::{Outcome, State, SubjectId},
};

/// One subject's outcome on its way to disk.
pub struct Settled {
    /// Whose.
    pub subject: SubjectId,
    /// Where it stood before.
    pub was: State,
    /// Where it stands now, and what it rests on.
    pub outcome: Outcome,
    /// When the answer landed, by the wall.
    pub at: Timestamp,
}

/// Everything one commit writes.
pub struct Batch<'a> {
    /// In id order, so that they are appended.
    pub settled: &'a [Settled],
    /// Slots of the books that changed.
    pub charges: &'a [SlotUpdate],
    /// Calls charged and not landed, the permit's among them.
    pub open: InFlight,
    /// The books' time.
    pub reading: ClockReading,
    /// The penalty in force.
    pub block: Lockout,
    /// Every subject up to here has an outcome, these ones included: where the queue begins after
    /// a restart. Too low costs a scan.
    pub watermark: Option<SubjectId>,
    /// What status shows.
    pub progress: (RunId, &'a RunProgress),
}

impl Store {
    /// Settles and charges in one transaction. Only if it succeeds is the permit paid.
    ///
    /// # Errors
    ///
    /// What the disk says; then nothing of it was written.
    pub fn commit(&mut self, batch: &Batch<'_>, permit: Permit) -> Result<PaidCalls> {
        permit.pay(|| {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            let before = self.tally;
            let written = self.write(batch);
            let ended = written.and_then(|()| Ok(self.db.execute_batch("COMMIT")?));
            if ended.is_err() {
                self.tally = before;
                if !self.db.is_autocommit() {
                    let _ = self.db.execute_batch("ROLLBACK");
                }
                let _ = self.recall_corps();
            }
            ended
        })
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<()> {
        if !batch.settled.is_empty() {
            self.settle(batch.settled)?;
            save_tally(&self.db, &self.tally)?;
        }
        ledger::save(&self.db, batch)?;
        let learned = !batch.settled.is_empty();
        if learned || batch.watermark.is_some() {
            let mut update = self.db.prepare_cached(
                "UPDATE job SET watermark = coalesce(?1, watermark), revision = revision + ?2",
            )?;
            update.execute(params![batch.watermark.map(|upto| upto.0), learned])?;
        }
        let (run, progress) = batch.progress;
        self.save_progress(run, progress)
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
