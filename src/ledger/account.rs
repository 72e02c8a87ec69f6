//! The account of one API of a corp, and the exchange with it.

use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{
    file::Ledger, head, key::AccountKey, lockouts, observed, rows, shared, ticket::Tickets,
    token::TokenRefusals,
};
use crate::{
    clock::{ClockReading, Timestamp},
    model::{Api, Period},
    quota::{
        Account, BLOCK, CallCount, CallKind, Deltas, Hold, PaidCalls, Permit, WriterId, oldest_kept,
    },
    store::Result,
};

/// What came of an exchange.
pub struct Exchanged {
    /// The calls that were wanted, or the hold if not one of them fits.
    pub paid: std::result::Result<PaidCalls, Hold>,
    /// What was written, for the job's own counters.
    pub written: Deltas,
    /// The ledger's clocks, if its time is ahead of the one given: nothing was exchanged, and the
    /// caller's clock has to catch up first.
    pub ahead: Option<ClockReading>,
}

impl Exchanged {
    /// Nothing was exchanged with a ledger that is `ahead`.
    fn nothing(ahead: ClockReading) -> Self {
        Self {
            paid: Ok(PaidCalls::empty(CallKind::Standard)),
            written: Deltas::default(),
            ahead: Some(ahead),
        }
    }
}

/// The account of one API of a corp on disk, for one writer.
pub struct LedgerAccount<'l> {
    ledger: &'l Ledger,
    key: AccountKey,
    writer: WriterId,
    name: String,
    /// The longest that a call may take after it was charged.
    call_timeout: Duration,
    /// The change up to which the account in memory knows all; -1 for none.
    known: i64,
    /// Whether it counts together with another API there.
    is_shared: bool,
    /// When calls of a writer that is gone are landed next.
    lands_at: Option<Timestamp>,
    /// The last exchange.
    seen_at: Timestamp,
}

/// The longest time between two exchanges of a run that waits.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

impl<'l> LedgerAccount<'l> {
    /// Returns the account of `api` of `corp`, for `writer`.
    #[must_use]
    pub fn of(ledger: &'l Ledger, corp: &str, api: Api, writer: WriterId) -> Self {
        Self {
            ledger,
            key: AccountKey::of(corp, api),
            writer,
            name: String::new(),
            call_timeout: Duration::from_secs(30),
            known: -1,
            is_shared: false,
            lands_at: None,
            seen_at: Timestamp::from_millis(0),
        }
    }

    /// Names the writer, and says how long its calls may take.
    #[must_use]
    pub fn named(mut self, name: &str, call_timeout: Duration) -> Self {
        name.clone_into(&mut self.name);
        self.call_timeout = call_timeout;
        self
    }

    /// Who writes.
    #[must_use]
    pub const fn writer(&self) -> WriterId {
        self.writer
    }

    /// The corp's tickets.
    #[must_use]
    pub fn tickets(&self) -> Tickets<'l> {
        Tickets::of(self.ledger, &self.key.corp)
    }

    /// The refusals of `gettoken` to the corp.
    #[must_use]
    pub fn token_refusals(&self) -> TokenRefusals<'l> {
        TokenRefusals::of(self.ledger, &self.key.corp)
    }

    /// Whether an exchange is due at `now` although nothing is to be paid for: others have changed
    /// the ledger, calls of a writer that is gone are to be landed, or a minute has passed without
    /// a sign of life.
    pub fn is_due(&self, now: Timestamp) -> Result<bool> {
        let has_changed = self.ledger.run(head::revision)? != self.known;
        let is_to_land = self.lands_at.is_some_and(|at| at <= now);
        Ok(has_changed || is_to_land || self.is_silent(now))
    }

    /// Whether a minute has passed without a sign of life.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        self.is_silent_for(SIGN_OF_LIFE, now)
    }

    /// Whether nothing was exchanged for `span`.
    pub(crate) fn is_silent_for(&self, span: Duration, now: Timestamp) -> bool {
        now.since(self.seen_at) >= span
    }

    /// Writes what changed in `account`, takes over what others changed, charges the calls that are
    /// wanted and fit, and makes that durable.
    ///
    /// After an error nothing of it is on disk, the calls are not charged, and the account has
    /// everything else still to write.
    pub fn exchange(
        &mut self,
        account: &mut Account,
        want: Option<(CallKind, u32)>,
        now: &ClockReading,
    ) -> Result<Exchanged> {
        self.ledger.check_in_place()?;
        let exchanged = self.transact(account, want, now);
        match &exchanged {
            Ok(Exchanged { ahead: Some(_), .. }) => {}
            Ok(_) => account.committed(),
            Err(_) => account.roll_back(),
        }
        exchanged.map_err(|why| self.ledger.failed(&why))
    }

    fn transact(
        &mut self,
        account: &mut Account,
        want: Option<(CallKind, u32)>,
        now: &ClockReading,
    ) -> rusqlite::Result<Exchanged> {
        let step = Transaction::new_unchecked(&self.ledger.db, TransactionBehavior::Immediate)?;
        if let Some(ahead) = head::reading_ahead_of(&step, now)? {
            return Ok(Exchanged::nothing(ahead));
        }
        let before = head::revision(&step)?;
        let revision = before + 1;
        let lands_at = now.at.plus(BLOCK + self.call_timeout);
        rows::see(
            &step,
            &self.key,
            self.writer,
            &self.name,
            (now.at, lands_at),
        )?;
        let completed = account.deltas();
        rows::add(&step, &self.key, self.writer, &completed, revision)?;
        let is_behind = before != self.known;
        let mut has_landed = false;
        if is_behind || self.lands_at.is_some_and(|at| at <= now.at) {
            has_landed = self.take_over(&step, account, now.at, revision)?;
        }
        let charged = match want {
            Some((kind, calls)) => account.charge(now.at, kind, calls),
            None => Ok(Permit::nothing(CallKind::Standard)),
        };
        let deltas = account.deltas();
        self.write_rest(&step, &deltas, (now.at, revision))?;
        if deltas.shares_counter {
            self.take_over(&step, account, now.at, revision)?;
        }
        if deltas.observed.is_some() {
            account.learn(observed::learnt(&step, &self.key)?);
        }
        // A sign of life is no news to others.
        let is_news = has_landed || deltas != Deltas::default();
        let revision = if is_news { revision } else { before };
        head::set_revision(&step, revision)?;
        head::save_reading(&step, now)?;
        let paid = match charged {
            Ok(permit) => permit.pay(|| step.commit()).map(Ok),
            Err(hold) => step.commit().map(|()| Err(hold)),
        }?;
        self.known = revision;
        self.seen_at = now.at;
        Ok(Exchanged {
            paid,
            written: deltas,
            ahead: None,
        })
    }

    /// Writes what `deltas` has beside completed calls: those that were charged, and the lockout.
    fn write_rest(
        &self,
        db: &Connection,
        deltas: &Deltas,
        (now, revision): (Timestamp, i64),
    ) -> rusqlite::Result<()> {
        let charge = Deltas {
            slots: Vec::new(),
            done: CallCount::default(),
            ..deltas.clone()
        };
        rows::add(db, &self.key, self.writer, &charge, revision)?;
        if let Some(lockout) = &deltas.lockout {
            lockouts::save(db, &self.key, lockout)?;
            if deltas.locks_ip {
                lockouts::save_of_ip(db, self.key.api, lockout)?;
            }
        }
        if deltas.shares_counter {
            shared::save(db, &self.key, now)?;
        }
        if let Some(refused) = deltas.observed {
            observed::save(db, &self.key, refused, now)?;
        }
        Ok(())
    }

    /// Lands the calls of writers that are gone, and reads what has changed. Returns whether any
    /// calls have landed.
    fn take_over(
        &mut self,
        db: &Connection,
        account: &mut Account,
        now: Timestamp,
        revision: i64,
    ) -> rusqlite::Result<bool> {
        let mut open = rows::open_writers(db, self.key.api, Some(self.writer))?;
        let before = open.len();
        for gone in open.extract_if(.., |writer| writer.lands_at <= now) {
            rows::land(db, &gone, now, revision)?;
        }
        self.lands_at = open.iter().map(|writer| writer.lands_at).min();
        let is_shared = shared::is_shared(db, &self.key)?;
        // What begins or ends to count is not only what has changed.
        let known = if is_shared == self.is_shared {
            self.known
        } else {
            -1
        };
        self.is_shared = is_shared;
        let mut snapshot = rows::snapshot(db, &self.key, known, &open)?;
        snapshot.shared = shared::calls_since(db, &self.key, known)?;
        account.refresh(&snapshot);
        Ok(open.len() < before)
    }

    /// Deletes slots that no window can count any more.
    pub fn forget(&self, now: Timestamp) -> Result<()> {
        self.ledger.run(|db| {
            for period in Period::ALL {
                rows::forget(db, period, oldest_kept(period, now))?;
            }
            Ok(())
        })
    }
}
