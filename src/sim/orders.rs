//! What tests order for tokens and the ticket.

use super::{fault_script::Forced, remote::SimulatedRemote};

/// For tests: what happens to tokens and ticket.
impl SimulatedRemote {
    /// Returns the corp's ticket, as if it had been applied for now or before.
    pub fn issue_ticket(&mut self) -> String {
        let now = self.now();
        self.ticket.issue(now, &mut self.rng).to_owned()
    }

    /// Orders what happens to the next fetches of a token, one each.
    pub fn script_fetches(&mut self, forced: impl IntoIterator<Item = Forced>) {
        self.orders.fetches.extend(forced);
    }

    /// Orders what happens to the next application for a ticket.
    pub const fn script_application(&mut self, forced: Forced) {
        self.orders.application = Some(forced);
    }

    /// Answers applications with `body`, in which `{}` stands for the ticket.
    pub fn answer_application(&mut self, body: &str) {
        self.orders.application_body = Some(body.to_owned());
    }

    /// Refuses every lookup with a ticket with `errcode` from now on; none if `None`.
    pub const fn refuse_ticket(&mut self, errcode: Option<i64>) {
        self.orders.ticket_errcode = errcode;
    }

    /// Sets whether tickets lift no limit.
    pub const fn ignore_ticket(&mut self, ignores: bool) {
        self.orders.ignores_ticket = ignores;
    }

    /// Sets how many lookups a token is good for.
    pub const fn limit_token_uses(&mut self, uses: Option<u32>) {
        self.orders.token_uses = uses;
    }
}
