//! What an operator asks of the ledger: whose accounts there are, who uses them, what to add.

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::{file::Ledger, head, key::AccountKey, rows};
use crate::{
    clock::Timestamp,
    model::{Api, Period},
    quota::{CallCount, Deltas, SlotCalls, WriterId, slot_of},
    store::Result,
};

/// Who has charged calls, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterStatus {
    /// The path of the job file, or the name of another system.
    pub name: String,
    /// Its last exchange, in ledger time.
    pub seen_at: Timestamp,
    /// Calls completed, as long as the ledger keeps them: two months.
    pub calls: u64,
    /// Calls in flight.
    pub in_flight: u64,
}

impl Ledger {
    /// Returns every corp and API that has an account.
    pub fn accounts(&self) -> Result<Vec<(String, Api)>> {
        let sql = "SELECT DISTINCT corp, api FROM writers ORDER BY corp, api";
        self.run(|db| {
            let mut list = db.prepare(sql)?;
            let rows = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let rows: Vec<(String, i64)> = rows.collect::<rusqlite::Result<_>>()?;
            let known = |(corp, api)| Some((corp, Api::from_code(api)?));
            Ok(rows.into_iter().filter_map(known).collect())
        })
    }

    /// Returns who has charged calls to an account, by name, the most calls first.
    pub fn users(&self, corp: &str, api: Api) -> Result<Vec<WriterStatus>> {
        let sql = "SELECT name, max(seen_at),
                sum(charged_standard - max(done_standard, landed_standard)
                    + charged_with_ticket - max(done_with_ticket, landed_with_ticket)),
                sum((SELECT coalesce(sum(standard + with_ticket), 0) FROM charges c
                     WHERE c.corp = w.corp AND c.api = w.api AND c.writer = w.writer
                         AND period = ?3)) AS calls
             FROM writers w WHERE corp = ?1 AND api = ?2 GROUP BY name ORDER BY calls DESC, name";
        self.run(|db| {
            let mut list = db.prepare(sql)?;
            let rows = list.query_map(params![corp, api.code(), Period::Month.code()], |row| {
                Ok(WriterStatus {
                    name: row.get(0)?,
                    seen_at: Timestamp::from_millis(row.get(1)?),
                    in_flight: row.get::<_, i64>(2)?.max(0).unsigned_abs(),
                    calls: row.get::<_, i64>(3)?.unsigned_abs(),
                })
            })?;
            rows.collect()
        })
    }

    /// Charges `calls` calls that `name` made elsewhere, as if they had completed at `now`, in
    /// `period` and in the longer ones.
    pub fn note(
        &self,
        (corp, api): (&str, Api),
        name: &str,
        (period, calls): (Period, u64),
        now: Timestamp,
    ) -> Result<()> {
        let key = AccountKey::of(corp, api);
        let calls = CallCount {
            standard: calls,
            ..CallCount::default()
        };
        let periods = Period::ALL.into_iter().filter(|longer| *longer >= period);
        let slots = periods.map(|period| SlotCalls {
            period,
            slot: slot_of(period, now),
            calls,
        });
        let noted = Deltas {
            slots: slots.collect(),
            ..Deltas::default()
        };
        self.change(|step, revision| {
            let find = "SELECT writer FROM writers WHERE corp = ?1 AND api = ?2 AND name = ?3
                            AND pid IS NULL";
            let found = step.query_row(find, params![corp, api.code(), name], |row| row.get(0));
            let found: Option<i64> = found.optional()?;
            let writer = found.map_or_else(WriterId::random, WriterId::from_code);
            rows::see(step, &key, writer, name, (now, now))?;
            let anonymous = "UPDATE writers SET pid = NULL
                             WHERE corp = ?1 AND api = ?2 AND writer = ?3";
            step.execute(anonymous, params![corp, api.code(), writer.code()])?;
            rows::add(step, &key, writer, &noted, revision)
        })
    }

    /// Lets the next call of an account be the probe of its lockout, from `now` on: how long the
    /// lockout is, and so which limit was crossed, is not learnt then. Returns whether
    /// a lockout is in force.
    pub fn probe_now(&self, corp: &str, api: Api, now: Timestamp) -> Result<bool> {
        let sql = "UPDATE lockouts SET until = min(until, ?3), probe_until = 0,
                       refused_minute = 0, refused_hour = 0, refused_day = 0
                   WHERE corp = ?1 AND api = ?2 AND level > 0";
        let mut is_locked = false;
        self.change(|step, _| {
            let changed = step.execute(sql, params![corp, api.code(), now.as_millis()])?;
            is_locked = changed > 0;
            Ok(())
        })?;
        Ok(is_locked)
    }

    /// One change that every process of the corp is to notice.
    pub(super) fn change(
        &self,
        work: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<()>,
    ) -> Result<()> {
        self.run(|db| {
            let step = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
            let revision = head::revision(&step)? + 1;
            work(&step, revision)?;
            head::set_revision(&step, revision)?;
            step.commit()
        })
    }
}
