//! Replies that a test orders.

use super::faults::Fault;

/// What happens to one of the next lookups, whatever was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Counted, and answered with this errcode.
    Errcode(i64),
    /// Counted, and answered with this HTTP status.
    Status(u16),
    /// This fault.
    Fault(Fault),
    /// Answered as it should be.
    Pass,
}
