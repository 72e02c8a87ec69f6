//! The access token: short-lived, fetched again before it expires, never stored.

use std::{fmt, sync::Arc, time::Duration};

use crate::{clock::Timestamp, secret::Secret};

/// How long before its end a token is replaced. The platform may end it earlier (D91039); this
/// avoids a refused call at the regular end.
const EARLY: Duration = Duration::from_secs(300);

/// An access token. Clones share the secret.
#[derive(Clone)]
pub struct Token {
    /// At most 512 bytes according to D91039; up to [`Token::LONGEST`] are accepted.
    pub secret: Arc<Secret<String>>,
    /// The time from its fetch to its end, normally 7200 s (D91039). Never zero.
    pub expires_in: Duration,
}

impl Token {
    /// The longest text accepted as a token, in bytes.
    pub const LONGEST: usize = 2048;

    /// Returns when to fetch the next one: 300 s before the end, or a tenth of its life before that if
    /// that is less.
    #[must_use]
    pub fn fresh_until(&self, fetched_at: Timestamp) -> Timestamp {
        let early = EARLY.min(self.expires_in / 10);
        fetched_at.plus(self.expires_in - early)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(for {} s)", self.expires_in.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_renewed_five_minutes_or_a_tenth_before_its_end() {
        for (life, fresh) in [(7200, 6900), (3000, 2700), (1000, 900), (10, 9)] {
            let token = Token {
                secret: Arc::new(Secret::new(String::from("t"))),
                expires_in: Duration::from_secs(life),
            };
            let until = token.fresh_until(Timestamp::from_millis(5));
            assert_eq!(until, Timestamp::from_millis(5 + fresh * 1000));
        }
    }
}
