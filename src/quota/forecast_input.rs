//! What a forecast needs to know of a gate.

use super::{Account, CallKind};
use crate::clock::Timestamp;

/// The account, and what it is used for.
#[derive(Debug, Clone)]
pub struct ForecastInput {
    /// The windows and what is charged in them.
    pub account: Account,
    /// Ledger time.
    pub now: Timestamp,
    /// What calls are charged as from now on.
    pub kind: CallKind,
    /// When calls become standard ones, as the ticket expires; `None` without one.
    pub ticket_until: Option<Timestamp>,
    /// Until when a lockout is in force; the epoch without one.
    pub locked_until: Timestamp,
    /// The rate reached while nothing holds, calls a second; `None` if not yet known.
    pub per_second: Option<f64>,
}
