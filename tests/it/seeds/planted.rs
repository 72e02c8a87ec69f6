//! Bugs planted from outside, in the job file between two processes: what the checks must catch.

use std::path::Path;

use idferry::model::QuotaWindow;
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

    /// Does to the job file what the bug would have done.
    pub(super) fn corrupt(&mut self, path: &Path) {
        let Some(bug) = self.bug else { return };
        let db = Connection::open(path).unwrap();
        match bug {
            Bug::OneTooMany => {}
            Bug::ChargedAfterSending => {
                run(
                    &db,
                    "UPDATE ledgers SET in_flight_standard = 0, in_flight_with_ticket = 0",
                );
            }
            Bug::ForgetsAtRestart => run(&db, "DELETE FROM charges"),
            Bug::ForgetsEarly => self.shift(&db, [3; QuotaWindow::COUNT]),
            Bug::DatedAtSending => self.shift(&db, [15, 0, 0, 0, 0]),
            Bug::BelievesTheWallClock => run(&db, "UPDATE ledgers SET read_at = read_at + 3600000"),
            Bug::ForgetsTheLockout => run(&db, "UPDATE ledgers SET lockout_level = 0"),
            Bug::PassesASubject => run(&db, "UPDATE job SET watermark = watermark + 1"),
            Bug::LosesALink => run(
                &db,
                "DELETE FROM links WHERE subject = (SELECT max(subject) FROM links)",
            ),
        }
    }

    /// Makes charges older by so many slots, each of them once.
    fn shift(&mut self, db: &Connection, slots: [i64; QuotaWindow::COUNT]) {
        for (span, slots) in slots.into_iter().enumerate() {
            // A slot is a three-hundredth of the span.
            let millis = QuotaWindow::ALL[span].span().as_millis() as i64 / 300;
            let span = span as i64;
            let by = slots * millis;
            let moved = "SELECT api, quota_window, slot - ?2, calls FROM charges
                         WHERE quota_window = ?1 AND slot > ?3";
            db.execute(
                &format!("CREATE TEMP TABLE moved AS {moved}"),
                params![span, by, self.shifted],
            )
            .unwrap();
            db.execute(
                "DELETE FROM charges WHERE quota_window = ?1 AND slot > ?2",
                params![span, self.shifted],
            )
            .unwrap();
            run(
                db,
                "INSERT INTO charges SELECT * FROM moved WHERE true
                 ON CONFLICT DO UPDATE SET calls = calls + excluded.calls;
                 DROP TABLE moved",
            );
        }
        let latest = "SELECT coalesce(max(slot), 0) FROM charges";
        self.shifted = db.query_row(latest, [], |row| row.get(0)).unwrap();
    }
}

fn run(db: &Connection, sql: &str) {
    db.execute_batch(sql).unwrap();
}
