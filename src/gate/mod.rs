//! When may the next call leave?
//!
//! A call passes twice. First it is *charged*: [`Gate::admit`] writes it into every window at
//! once, or says by a [`Hold`] why not; what it hands out is a [`Permit`], and only a commit that
//! succeeded turns a permit into [`Paid`] calls. Then it is *let out*: [`Gate::ready`] keeps the
//! number in the air small (width) and keeps all calls back while the remote has shut the door
//! (block), [`Gate::let_out`] spreads them over time (pacer).
//!
//! Whatever makes us wait is the same value, a [`Hold`].
//!
//! The windows are the quota, the pacer is not: GCRA alone lets burst + rate through in one window
//! and forgets at restart. Everything here is pure arithmetic over the time it is given, but for
//! governor's cell inside the pacer.

mod concurrency;
mod forecast_input;
mod hold;
mod ledger;
mod lockout;
mod pacer;
mod permit;
#[cfg(test)]
mod properties;
mod quota;
mod sliding;

pub use concurrency::{Concurrency, ConcurrencyLimit};
pub use forecast_input::ForecastInput;
pub use hold::{Hold, HoldReason};
pub use ledger::{InFlight, Ledger, LedgerSnapshot, SlotUpdate};
pub use lockout::{Lockout, LockoutLevel};
pub use pacer::Pacer;
pub use permit::{CallKind, Paid, PaidCalls, Permit};
pub use quota::Quota;
pub use sliding::SlidingWindow;

use crate::{clock::Timestamp, model::QuotaWindow};

/// The one gate of a lane: windows, pacer, width and block.
pub struct Gate {
    /// The five windows and what is charged in them.
    pub ledger: Ledger,
    pacer: Pacer,
    /// How many calls may be in the air.
    pub width: ConcurrencyLimit,
    /// The penalty in force, if any.
    pub block: Lockout,
}

impl Gate {
    /// A gate over the books as they were left.
    #[must_use]
    pub fn open(ledger: Ledger, concurrency: Concurrency, block: Lockout, now: Timestamp) -> Self {
        let pacer = Pacer::new(ledger.limits().of(QuotaWindow::BasicMinute), now);
        let width = ConcurrencyLimit::new(concurrency);
        Self {
            ledger,
            pacer,
            width,
            block,
        }
    }

    /// Charges up to `want` calls in every window that applies to `fare`, all or nothing for each.
    ///
    /// # Errors
    ///
    /// The hold, if not even one call fits.
    pub fn admit(&mut self, now: Timestamp, fare: CallKind, want: u32) -> Result<Permit, Hold> {
        self.ledger.charge(now, fare, want)
    }

    /// Could a call leave now, with `in_flight` in the air, if it were paid for?
    ///
    /// # Errors
    ///
    /// The hold: block or width.
    pub fn ready(&self, now: Timestamp, in_flight: usize) -> Result<(), Hold> {
        self.block.check(now, in_flight)?;
        self.width.check(now, in_flight)
    }

    /// Lets one paid call out, after [`ready`](Self::ready), taking a cell of the pacer.
    ///
    /// # Errors
    ///
    /// The hold: pace.
    pub fn let_out(&self, now: Timestamp) -> Result<(), Hold> {
        self.pacer.check(now)
    }

    /// A call has been answered, refused or given up at `now`: from here its charge begins to age.
    pub fn land(&mut self, now: Timestamp, fare: CallKind) {
        self.ledger.land(now, fare);
    }
}
