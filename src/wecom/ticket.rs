//! The bulk ticket (大批量调用凭据): at most one per corp, ever; seven days (D96250).

use std::{fmt, sync::Arc, time::Duration};

use crate::{clock::Timestamp, secret::Secret};

/// A `mass_call_ticket`. Clones share the secret.
#[derive(Clone)]
pub struct Ticket {
    secret: Arc<Secret<String>>,
    obtained_at: Timestamp,
    expires_at: Timestamp,
}

/// Why a text cannot be a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a ticket is a text of 1 to {} bytes, this one has {length}",
    Ticket::LONGEST
)]
pub struct NotATicket {
    /// The length of the text in bytes.
    pub length: usize,
}

impl Ticket {
    /// Seven days from obtaining it (D96250).
    pub(crate) const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
    /// It is not sent in its last hour: the reply to an expired one is unknown (D96250).
    pub(crate) const LAST_HOUR: Duration = Duration::from_secs(3600);

    /// The longest text accepted as a ticket, in bytes. The page states no length (D96250).
    pub const LONGEST: usize = 16 << 10;

    /// Returns a ticket that was obtained (or, to be safe, asked for) at `now` and ends seven days
    /// later. A stored ticket is restored with the time at which it was obtained.
    ///
    /// # Errors
    ///
    /// If `text` is empty or longer than [`Ticket::LONGEST`].
    pub fn obtained(text: Secret<String>, now: Timestamp) -> Result<Self, NotATicket> {
        let length = text.expose().len();
        if length == 0 || length > Self::LONGEST {
            return Err(NotATicket { length });
        }
        Ok(Self {
            secret: Arc::new(text),
            obtained_at: now,
            expires_at: now.plus(Self::LIFE),
        })
    }

    /// The text of the ticket.
    #[must_use]
    pub fn secret(&self) -> &Secret<String> {
        &self.secret
    }

    /// When it was obtained.
    #[must_use]
    pub const fn obtained_at(&self) -> Timestamp {
        self.obtained_at
    }

    /// When the server stops accepting it.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// When to stop sending it: one hour before its end.
    #[must_use]
    pub fn usable_until(&self) -> Timestamp {
        Self::last_use(self.expires_at)
    }

    /// When to stop sending a ticket that ends at `expires`.
    pub(crate) const fn last_use(expires: Timestamp) -> Timestamp {
        Timestamp::from_millis(expires.as_millis() - Self::LAST_HOUR.as_millis() as i64)
    }

    /// The text, for a future that outlives the ticket.
    pub(super) fn share(&self) -> Arc<Secret<String>> {
        Arc::clone(&self.secret)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(until {})", self.expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(text: &str) -> Result<Ticket, NotATicket> {
        let now = Timestamp::parse("2026-11-22T09:00+08:00").unwrap();
        Ticket::obtained(Secret::new(text.to_owned()), now)
    }

    #[test]
    fn ticket_lives_seven_days_and_is_sent_for_an_hour_less() {
        let ticket = ticket("t").unwrap();
        assert_eq!(ticket.expires_at().rfc3339(), "2026-11-29T09:00:00+08:00");
        assert_eq!(ticket.usable_until().rfc3339(), "2026-11-29T08:00:00+08:00");
        assert_eq!(
            format!("{ticket:?}"),
            "Ticket(until 2026-11-29T09:00:00+08:00)"
        );
    }

    #[test]
    fn empty_and_too_long_texts_are_not_tickets() {
        assert!(ticket("").is_err());
        assert!(ticket(&"x".repeat(16_384)).is_ok());
        assert_eq!(
            ticket(&"x".repeat(16_385)).unwrap_err().to_string(),
            "a ticket is a text of 1 to 16384 bytes, this one has 16385"
        );
    }
}
