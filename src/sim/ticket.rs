//! The bulk ticket: one per corp, seven days (D96250).
//!
//! Which errcodes the real remote gives for a ticket that was already applied for, has expired or
//! was forged is unknown: the global table (D90313) lists none. Those here are **invented**, and
//! deliberately not in that table, so that a client meets an unknown code.

use std::time::Duration;

use fastrand::Rng;

use super::id;
use crate::clock::Timestamp;

/// Invented: a second application.
pub(super) const TICKET_APPLIED_BEFORE: i64 = 2_800_001;
/// Invented: a call with a ticket older than seven days.
pub(super) const TICKET_EXPIRED: i64 = 2_800_002;
/// Invented: a call with a ticket that was never given out.
pub(super) const TICKET_FORGED: i64 = 2_800_003;

/// How long a ticket is valid from its application (D96250).
pub(super) const TICKET_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// The reply to a second application; the page does not say (D96250).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketAgain {
    /// Always the errcode 2800001, which is invented.
    #[default]
    Refuse,
    /// The same ticket with the same end.
    Same,
}

/// The one ticket of the corp.
pub(super) struct TicketRegistry {
    again: TicketAgain,
    given: Option<(String, Timestamp)>,
}

impl TicketRegistry {
    pub(super) const fn new(again: TicketAgain) -> Self {
        Self { again, given: None }
    }

    /// Applies for the ticket; the error is an errcode.
    pub(super) fn apply(&mut self, now: Timestamp, rng: &mut Rng) -> Result<&str, i64> {
        if self.given.is_some() && self.again == TicketAgain::Refuse {
            return Err(TICKET_APPLIED_BEFORE);
        }
        Ok(self.issue(now, rng))
    }

    /// Returns the ticket, new or not.
    pub(super) fn issue(&mut self, now: Timestamp, rng: &mut Rng) -> &str {
        let fresh = || (id::random(rng, 128), now.plus(TICKET_LIFE));
        &self.given.get_or_insert_with(fresh).0
    }

    /// Checks a ticket that a call at `now` carries; the error is an errcode.
    pub(super) fn check(&self, now: Timestamp, text: &str) -> Result<(), i64> {
        match &self.given {
            Some((given, expires)) if given == text && now < *expires => Ok(()),
            Some((given, _)) if given == text => Err(TICKET_EXPIRED),
            _ => Err(TICKET_FORGED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn there_is_one_ticket_for_seven_days() {
        let mut ticket = TicketRegistry::new(TicketAgain::Refuse);
        let mut rng = Rng::with_seed(1);
        let text = ticket.apply(at(0), &mut rng).unwrap().to_owned();
        assert_eq!(ticket.apply(at(1), &mut rng), Err(TICKET_APPLIED_BEFORE));
        assert_eq!(ticket.check(at(604_799), &text), Ok(()));
        assert_eq!(ticket.check(at(604_800), &text), Err(TICKET_EXPIRED));
        assert_eq!(
            ticket.apply(at(604_801), &mut rng),
            Err(TICKET_APPLIED_BEFORE)
        );
        assert_eq!(ticket.check(at(0), "x"), Err(TICKET_FORGED));
    }

    #[test]
    fn second_application_gets_the_same_ticket_if_set_so() {
        let mut ticket = TicketRegistry::new(TicketAgain::Same);
        let mut rng = Rng::with_seed(1);
        let text = ticket.apply(at(0), &mut rng).unwrap().to_owned();
        assert_eq!(ticket.apply(at(600_000), &mut rng), Ok(&*text));
        assert_eq!(ticket.check(at(604_800), &text), Err(TICKET_EXPIRED));
    }
}
