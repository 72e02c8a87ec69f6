//! A lockout: the API answered 45009 in spite of the ledger, and is left alone for a while.

use std::time::Duration;

use super::{CallKind, Hold, HoldReason, Ledger};
use crate::{
    clock::{LedgerClock, Timestamp},
    model::QuotaWindow,
};

/// How far up the ladder of D90454 a lockout is: the reply does not say which window was crossed,
/// so a probe that is refused again means a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum LockoutLevel {
    /// No lockout.
    #[default]
    Clear = 0,
    /// 60 s: the minute window.
    Minute = 1,
    /// 60 min: the hour window.
    Hour = 2,
    /// Until the next natural day (UTC+8): the day window.
    Day = 3,
    /// 30 days: the month window. The run stops and reports instead of waiting.
    Month = 4,
}

impl LockoutLevel {
    /// The level stored as `code`; the highest for an unknown one.
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

    /// Its limit in JSON and text: `minute`, `hour`, `day` or `month`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Clear | Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
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

    /// What crossing `window` leads to, by its span.
    const fn of(window: QuotaWindow) -> Self {
        match window.span().as_secs() {
            ..=60 => Self::Minute,
            61..=3_600 => Self::Hour,
            3_601..=86_400 => Self::Day,
            _ => Self::Month,
        }
    }

    fn span(self, ledger_clock: &LedgerClock) -> Duration {
        match self {
            Self::Clear | Self::Minute => Duration::from_secs(60),
            Self::Hour => Duration::from_secs(3600),
            Self::Day => {
                let wall = ledger_clock.to_wall_time(ledger_clock.now());
                wall.next_natural_day().since(wall)
            }
            Self::Month => Duration::from_secs(30 * 86_400),
        }
    }
}

/// The lockout in force. It is durable: a restart does not probe early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lockout {
    /// How long the present one is.
    pub rung: LockoutLevel,
    /// When one probe may be sent, in ledger time.
    pub until: Timestamp,
}

impl Lockout {
    /// # Errors
    ///
    /// The hold until the probe may be sent, and then until it has completed.
    pub(crate) fn check(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        if !self.is_active() {
            return Ok(());
        }
        Hold::one_probe(now, self.until, in_flight, HoldReason::Lockout)
    }

    /// Whether the API is locked or a probe is due.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.rung != LockoutLevel::Clear
    }

    /// A call of `kind` that was sent at `sent` was refused with 45009. Returns whether that
    /// changed anything: calls sent before the lockout was known belong to it.
    ///
    /// The level is that of the longest window that is all but full, else the next one up.
    /// `jitter`, 0 to 1, adds up to a tenth of a minute.
    pub fn impose(
        &mut self,
        sent: Timestamp,
        kind: CallKind,
        ledger_clock: &LedgerClock,
        account: &mut Ledger,
        jitter: f64,
    ) -> bool {
        if self.is_active() && sent < self.until {
            return false;
        }
        let now = ledger_clock.now();
        let explained = match self.is_active() {
            true => LockoutLevel::Clear,
            false => nearly_full(account, now, kind),
        };
        self.rung = self.rung.next().max(explained);
        let jitter = Duration::from_secs(6).mul_f64(jitter.clamp(0.0, 1.0));
        self.until = now.plus(self.rung.span(ledger_clock)).plus(jitter);
        true
    }

    /// A call that was sent at `sent` was answered: if it was the probe, the lockout is over.
    pub fn clear(&mut self, sent: Timestamp) {
        if self.is_active() && sent >= self.until {
            *self = Self::default();
        }
    }
}

/// The level of the longest window within 2 % of its limit, of those that count the refused call.
fn nearly_full(account: &mut Ledger, now: Timestamp, kind: CallKind) -> LockoutLevel {
    let limits = account.limits();
    let counting = QuotaWindow::ALL.into_iter();
    let counting = counting.filter(|window| kind.counts_in(*window));
    let full = counting.filter(|window| {
        let used = account.used(now, *window);
        let limit = limits.of(*window);
        limit.is_some_and(|limit| used >= limit - limit / 50)
    });
    full.map(LockoutLevel::of).max().unwrap_or_default()
}
