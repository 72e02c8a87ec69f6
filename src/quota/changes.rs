//! What an account takes from the ledger, and gives to it.

use super::{CallCount, Lockout};
use crate::{
    clock::Timestamp,
    model::{Period, QuotaWindow},
};

/// Completed calls of one slot: those of everybody in a snapshot, those that were added in
/// [`Deltas`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotCalls {
    /// The period.
    pub period: Period,
    /// The slot's start, in ledger time.
    pub slot: Timestamp,
    /// Calls.
    pub calls: CallCount,
}

/// What others have changed in the account, or all that is in it.
#[derive(Debug, Clone, Default)]
pub struct AccountSnapshot {
    /// Slots, each with the completed calls of all writers.
    pub slots: Vec<SlotCalls>,
    /// Slots of the windows of this machine's IP, each with the completed calls of all corps.
    pub ip_slots: Vec<SlotCalls>,
    /// Calls in flight of other writers of the corp.
    pub others_in_flight: CallCount,
    /// Calls in flight of other corps.
    pub other_corps_in_flight: CallCount,
    /// The lockout.
    pub lockout: Lockout,
    /// Where another API counts in the same business windows: the calls of both.
    pub shared: Option<SharedCalls>,
    /// Limits that are lower than published: calls beyond so many were refused again and again.
    pub learnt: Vec<(QuotaWindow, u64)>,
    /// The ticket is in doubt, or was found not to work: calls with it count in the business windows
    /// too.
    pub ticket_in_doubt: bool,
}

/// The calls of two APIs that count in the same business windows.
#[derive(Debug, Clone, Default)]
pub struct SharedCalls {
    /// Slots, each with the completed calls of both.
    pub slots: Vec<SlotCalls>,
    /// Calls of the other one in flight.
    pub in_flight: CallCount,
}

/// What changed since the last exchange. All of it is added to what is on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deltas {
    /// Completed calls, by slot.
    pub slots: Vec<SlotCalls>,
    /// Calls charged.
    pub charged: CallCount,
    /// Calls completed or given back.
    pub done: CallCount,
    /// The lockout, if it was imposed or cleared.
    pub lockout: Option<Lockout>,
    /// A window, and how many calls it held when the remote refused another.
    pub observed: Option<(QuotaWindow, u64)>,
    /// A window of this machine's IP explains the lockout: it is one of every corp here.
    pub locks_ip: bool,
    /// Another API counts in the same business windows.
    pub shares_counter: bool,
}

impl Deltas {
    /// Whether no call was charged, completed or given back.
    pub(crate) fn is_empty(&self) -> bool {
        let calls = self.charged.total() + self.done.total();
        calls == 0 && self.slots.is_empty()
    }
}
