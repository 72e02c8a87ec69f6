//! Bugs planted from outside, in the job file between two processes: what the checks must catch.

use std::path::Path;

use idferry::{job::JobFiles, model::Period};
use rusqlite::{Connection, params};

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bug {
    /// Our limits are one above the remote's.
    OneTooMany,
    /// Calls are charged when they complete: a kill forgets what was in flight.
    ChargedAfterSending,
    /// A restart forgets what was charged.
    ForgetsAtRestart,
    /// Charges leave their windows a hundredth too early.
    ForgetsEarly,
    /// A completion in the minute window is dated at its sending, 3 s before.
    DatedAtSending,
    /// The ledger believes a wall clock that was set forward by an hour.
    BelievesTheWallClock,
    /// A restart forgets the lockout in force.
    ForgetsTheLockout,
    /// The watermark passes a subject that has no outcome.
    PassesASubject,
    /// A link is lost.
    LosesALink,
}

/// The bug planted, if one is, and what it needs to remember.
#[derive(Debug, Clone, Default)]
pub(super) struct Planted {
    pub(super) bug: Option<Bug>,
    /// Slots up to here have been shifted.
    shifted: i64,
}

impl Planted {
    pub(super) const fn of(bug: Bug) -> Self {
        Self {
            bug: Some(bug),
            shifted: 0,
        }
    }

    /// Does to the job file and the ledger what the bug would have done.
    pub(super) fn corrupt(&mut self, path: &Path) {
        let Some(bug) = self.bug else { return };
        let job = Connection::open(path).unwrap();
        let ledger = Connection::open(JobFiles::beside(path).ledger).unwrap();
        let both = [&job, &ledger];
        let each = |sql: &str| both.iter().for_each(|db| run(db, sql));
        match bug {
            Bug::OneTooMany => {}
            Bug::ChargedAfterSending => each(
                "UPDATE writers SET charged_standard = done_standard,
                     charged_with_ticket = done_with_ticket",
            ),
            Bug::ForgetsAtRestart => each("DELETE FROM charges"),
            Bug::ForgetsEarly => self.shift(both, [3; 4]),
            Bug::DatedAtSending => self.shift(both, [15, 0, 0, 0]),
            Bug::BelievesTheWallClock => {
                run(&ledger, "UPDATE ledger SET read_at = read_at + 3600000")
            }
            Bug::ForgetsTheLockout => run(&ledger, "DELETE FROM lockouts"),
            Bug::PassesASubject => run(&job, "UPDATE job SET watermark = watermark + 1"),
            Bug::LosesALink => run(
                &job,
                "DELETE FROM links WHERE subject = (SELECT max(subject) FROM links)",
            ),
        }
    }

    /// Makes charges older by so many slots of each period, each of them once.
    fn shift(&mut self, both: [&Connection; 2], slots: [i64; 4]) {
        let mut latest = self.shifted;
        for db in both {
            for (period, slots) in Period::ALL.into_iter().zip(slots) {
                // The slot of a month is a tenth of a day, others are a three-hundredth.
                let millis = match period {
                    Period::Month => 8_640_000,
                    other => other.span().as_millis() as i64 / 300,
                };
                let by = slots * millis;
                db.execute(
                    "CREATE TEMP TABLE moved AS SELECT * FROM charges WHERE period = ?1 AND slot > ?2",
                    params![period.code(), self.shifted],
                )
                .unwrap();
                db.execute(
                    "DELETE FROM charges WHERE period = ?1 AND slot > ?2",
                    params![period.code(), self.shifted],
                )
                .unwrap();
                db.execute("UPDATE moved SET slot = slot - ?1", [by])
                    .unwrap();
                run(
                    db,
                    "INSERT INTO charges SELECT * FROM moved WHERE true
                     ON CONFLICT DO UPDATE SET standard = standard + excluded.standard,
                         with_ticket = with_ticket + excluded.with_ticket;
                     DROP TABLE moved",
                );
            }
            let last = "SELECT coalesce(max(slot), 0) FROM charges";
            let last: i64 = db.query_row(last, [], |row| row.get(0)).unwrap();
            latest = latest.max(last);
        }
        self.shifted = latest;
    }
}

fn run(db: &Connection, sql: &str) {
    db.execute_batch(sql).unwrap();
}
