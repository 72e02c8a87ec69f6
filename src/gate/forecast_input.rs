//! What a forecast needs to know of a gate.

use super::{CallKind, Ledger};
use crate::clock::Timestamp;

/// The gate's present and what it is being used for.
#[derive(Debug, Clone)]
pub struct ForecastInput {
    /// The windows and what is charged in them.
    pub ledger: Ledger,
    /// The time in the books.
    pub now: Timestamp,
    /// What calls are charged as from now on.
    pub fare: CallKind,
    /// When the ticket is laid down and calls become metered; `None` without one.
    pub ticket_until: Option<Timestamp>,
    /// Until when a penalty stands; the epoch if none does.
    pub blocked_until: Timestamp,
    /// The rate reached while nothing holds, calls a second; `None` if not yet known.
    pub per_second: Option<f64>,
}
