//! What a test orders for tokens and the ticket.

use std::collections::VecDeque;

use super::{api::SimEndpoint, fault_script::Forced};

/// What happens to tokens and ticket, beside chance.
#[derive(Default)]
pub(super) struct CredentialScript {
    /// Of the next fetches of a token, in order of arrival.
    pub(super) fetches: VecDeque<Forced>,
    /// Of the next application for a ticket.
    pub(super) application: Option<Forced>,
    /// The body of the reply to an application; `{}` stands for the ticket.
    pub(super) application_body: Option<String>,
    /// The errcode of every lookup with a ticket.
    pub(super) ticket_errcode: Option<i64>,
    /// Lookups with a ticket count as those without.
    pub(super) ignores_ticket: bool,
    /// How many lookups a token is good for: another program fetches one, which ends ours.
    pub(super) token_uses: Option<u32>,
    pub(super) used: u32,
}

impl CredentialScript {
    /// Returns what is ordered for a call of `api`.
    pub(super) fn draw(&mut self, api: SimEndpoint) -> Option<Forced> {
        match api {
            SimEndpoint::Token => self.fetches.pop_front(),
            SimEndpoint::Ticket => self.application.take(),
            _ => None,
        }
    }

    /// Counts a lookup; returns whether its token is at its end.
    pub(super) fn uses_up(&mut self) -> bool {
        self.used += 1;
        let ends = self.token_uses.is_some_and(|most| self.used > most);
        if ends {
            self.used = 0;
        }
        ends
    }
}
