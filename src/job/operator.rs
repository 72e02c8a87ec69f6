//! Who starts a run: hears what happens in it, and is asked before a ticket is applied for.

use crate::runner::event::RunEvent;

/// Who a session reports to, and asks. By default nothing is listened to and nothing agreed to.
pub trait Operator {
    /// Something happened in the run.
    fn event(&mut self, _event: &RunEvent) {}

    /// Whether a ticket may be applied for once lookups are answered, because today's quota cannot
    /// finish the job.
    fn agrees_to_apply(&mut self) -> bool {
        false
    }

    /// From now on calls are in flight, which an interrupt should wait for.
    fn calls_started(&mut self) {}

    /// No call is in flight any more, so that an interrupt need not wait.
    fn nothing_in_flight(&mut self) {}
}
