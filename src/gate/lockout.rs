//! A penalty the remote imposed: the API answered 45009 despite our books.

use std::time::Duration;

use super::{CallKind, Hold, HoldReason, Ledger};
use crate::clock::{LedgerClock, Timestamp};
use crate::model::QuotaWindow;

/// How far up the ladder of D90454 we are: the reply does not say which window was crossed, so a
/// probe that is refused again means a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum LockoutLevel {
    /// No penalty.
    #[default]
    Clear = 0,
    /// 60 s: the minute window.
    Minute = 1,
    /// 60 min: the hour window.
    Hour = 2,
    /// Until the next natural day (UTC+8): the day window.
    Day = 3,
    /// 30 days: the month window. Nobody should wait for that unasked: stop and report.
    Month = 4,
}

impl LockoutLevel {
    /// The rung stored as `code`; the highest for what is not known.
    #[must_use]
    pub const fn from_code(code: i64) -> Self {
        match code {
            0 => Self::Clear,
            1 => Self::Minute,
            2 => Self::Hour,
            3 => Self::Day,
            _ => Self::Month,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Clear => Self::Minute,
            Self::Minute => Self::Hour,
            Self::Hour => Self::Day,
            Self::Day | Self::Month => Self::Month,
        }
    }

    const fn of(span: QuotaWindow) -> Self {
        match span {
            QuotaWindow::BasicMinute => Self::Minute,
            QuotaWindow::BasicHour | QuotaWindow::BusinessHour => Self::Hour,
            QuotaWindow::BusinessDay => Self::Day,
            QuotaWindow::BusinessMonth => Self::Month,
        }
    }
}

/// The penalty in force. It is durable: a restart does not probe early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lockout {
    /// How long the present one is.
    pub rung: LockoutLevel,
    /// When one probe may be sent, in the time of the books.
    pub until: Timestamp,
}

impl Lockout {
    /// # Errors
    ///
    /// The hold until the probe may be sent, and then, until the probe has landed.
    pub(super) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        if self.rung == LockoutLevel::Clear {
            return Ok(());
        }
        Hold::one_probe(now, self.until, in_flight, HoldReason::Lockout)
    }

    /// Whether a penalty is in force or a probe is owed.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.rung != LockoutLevel::Clear
    }

    /// A call of `fare` that left at `sent` was refused with 45009. Answers whether that changed anything:
    /// calls that left before the block was known are part of it.
    ///
    /// The rung is deduced from the books if one of their windows is all but full, else it is the
    /// next one up. `jitter` (0 to 1) adds up to a tenth of a minute.
    pub fn raise(
        &mut self,
        sent: Timestamp,
        fare: CallKind,
        books: &LedgerClock,
        ledger: &mut Ledger,
        jitter: f64,
    ) -> bool {
        let now = books.now();
        if self.stands() && sent < self.until {
            return false;
        }
        let deduced = if self.stands() {
            LockoutLevel::Clear
        } else {
            nearly_full(ledger, now, fare)
        };
        self.rung = self.rung.next().max(deduced);
        let span = match self.rung {
            LockoutLevel::Clear | LockoutLevel::Minute => Duration::from_secs(60),
            LockoutLevel::Hour => Duration::from_secs(3600),
            LockoutLevel::Day => {
                let wall = books.to_wall_time(now);
                wall.next_natural_day().since(wall)
            }
            LockoutLevel::Month => Duration::from_secs(30 * 86_400),
        };
        self.until = now
            .plus(span)
            .plus(Duration::from_secs(6).mul_f64(jitter.clamp(0.0, 1.0)));
        true
    }

    /// A call that left at `sent` was answered: if it was the probe, the penalty is over.
    pub fn lift(&mut self, sent: Timestamp) {
        if self.stands() && sent >= self.until {
            *self = Self::default();
        }
    }
}

/// The longest window within 2 % of its limit, of those that count the refused call.
fn nearly_full(ledger: &mut Ledger, now: Timestamp, fare: CallKind) -> LockoutLevel {
    let limits = ledger.limits();
    let counting = QuotaWindow::ALL
        .into_iter()
        .filter(|span| fare.counts_in(*span));
    let full = counting.filter(|span| {
        let used = ledger.used(now, *span);
        limits
            .of(*span)
            .is_some_and(|limit| used >= limit - limit / 50)
    });
    full.map(LockoutLevel::of).max().unwrap_or_default()
}
