//! Who starts a run: hears what happens in it, and is asked before a ticket is applied for.

use crate::{clock::Timestamp, runner::event::RunEvent, wecom::transport::Failure};

/// Who a session reports to, and asks. By default nothing is listened to and nothing agreed to.
pub trait Operator {
    /// Something happened in the run.
    fn event(&mut self, _event: &RunEvent) {}

    /// An application for a ticket was made.
    fn ticket(&mut self, _notice: &TicketNotice) {}

    /// Whether a ticket may be applied for, because today's quota cannot finish the job.
    fn agrees_to_apply(&mut self) -> bool {
        false
    }

    /// From now on calls are in flight, which an interrupt should wait for.
    fn calls_started(&mut self) {}
}

/// What became of an application, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketNotice {
    /// A ticket is stored and used.
    Obtained {
        /// Until when it is used.
        until: Timestamp,
        /// The time of the notice.
        now: Timestamp,
    },
    /// No reply; the run continues without a ticket and does not apply again by itself.
    Unanswered(Failure),
}
