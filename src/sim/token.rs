//! Access tokens: whose they are, until when, and whether they ended early.

use std::time::Duration;

use fastrand::Rng;

use super::id;
use crate::clock::Timestamp;

/// As long as real ones are; clients must expect up to 512 bytes (D91039).
const LENGTH: usize = 214;

/// The corp that a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bearer {
    /// The corp whose app it is.
    Upstream,
    /// The downstream corp at this place.
    Downstream(usize),
}

struct IssuedToken {
    bearer: Bearer,
    text: String,
    expires: Timestamp,
    killed: bool,
}

/// The tokens in use: one per bearer, and the one the upstream corp had before.
pub(super) struct TokenRegistry {
    life: Duration,
    current: Vec<IssuedToken>,
    previous: Option<IssuedToken>,
}

impl TokenRegistry {
    pub(super) const fn new(life: Duration) -> Self {
        Self {
            life,
            current: Vec::new(),
            previous: None,
        }
    }

    /// Returns a token and the seconds that it has left. A valid one is returned again, as an older
    /// page said (D97164; D91039 does not promise it).
    pub(super) fn fetch(&mut self, now: Timestamp, bearer: Bearer, rng: &mut Rng) -> (&str, u64) {
        let known = self.current.iter().position(|token| token.bearer == bearer);
        let place = match known {
            Some(place) if self.current[place].is_valid(now) => place,
            Some(place) => {
                let fresh = IssuedToken::new(now, self.life, bearer, rng);
                self.previous = Some(std::mem::replace(&mut self.current[place], fresh));
                place
            }
            None => {
                self.current
                    .push(IssuedToken::new(now, self.life, bearer, rng));
                self.current.len() - 1
            }
        };
        let token = &self.current[place];
        (&token.text, token.expires.since(now).as_secs())
    }

    /// Returns whose token `text` is; the error is an errcode: 41001 missing, 42001 expired, 40014
    /// otherwise.
    pub(super) fn check(&self, now: Timestamp, text: &str) -> Result<Bearer, i64> {
        if text.is_empty() {
            return Err(41_001);
        }
        let mut known = self.current.iter().chain(&self.previous);
        match known.find(|token| token.text == text) {
            Some(token) if token.is_valid(now) => Ok(token.bearer),
            Some(token) if !token.killed => Err(42_001),
            _ => Err(40_014),
        }
    }

    /// Ends the upstream corp's token early; returns whether there was one.
    pub(super) fn kill(&mut self, now: Timestamp) -> bool {
        let upstream =
            |token: &&mut IssuedToken| token.bearer == Bearer::Upstream && token.is_valid(now);
        match self.current.iter_mut().find(upstream) {
            Some(token) => {
                token.killed = true;
                true
            }
            None => false,
        }
    }
}

impl IssuedToken {
    fn new(now: Timestamp, life: Duration, bearer: Bearer, rng: &mut Rng) -> Self {
        Self {
            bearer,
            text: id::random(rng, LENGTH),
            expires: now.plus(life),
            killed: false,
        }
    }

    fn is_valid(&self, now: Timestamp) -> bool {
        !self.killed && now < self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn fetch(tokens: &mut TokenRegistry, seconds: u64) -> (String, u64) {
        let mut rng = Rng::with_seed(seconds);
        let (text, left) = tokens.fetch(at(seconds), Bearer::Upstream, &mut rng);
        (text.to_owned(), left)
    }

    #[test]
    fn token_is_returned_again_until_its_two_hours_end() {
        let mut tokens = TokenRegistry::new(Duration::from_secs(7_200));
        let (first, left) = fetch(&mut tokens, 0);
        assert_eq!((left, first.len()), (7_200, LENGTH));
        assert_eq!(fetch(&mut tokens, 7_000), (first.clone(), 200));
        assert_eq!(tokens.check(at(7_199), &first), Ok(Bearer::Upstream));
        assert_eq!(tokens.check(at(7_200), &first), Err(42_001));
        let (second, _) = fetch(&mut tokens, 7_201);
        assert_ne!(first, second);
        assert_eq!(tokens.check(at(7_201), &first), Err(42_001));
    }

    #[test]
    fn killed_token_is_invalid_until_another_is_fetched() {
        let mut tokens = TokenRegistry::new(Duration::from_secs(7_200));
        assert!(!tokens.kill(at(0)));
        let (first, _) = fetch(&mut tokens, 0);
        assert!(tokens.kill(at(1)));
        assert_eq!(tokens.check(at(1), &first), Err(40_014));
        let (second, _) = fetch(&mut tokens, 2);
        assert_eq!(tokens.check(at(2), &second), Ok(Bearer::Upstream));
        assert_eq!(tokens.check(at(2), &first), Err(40_014));
    }

    #[test]
    fn missing_and_unknown_tokens_have_different_errcodes() {
        let tokens = TokenRegistry::new(Duration::from_secs(7_200));
        assert_eq!(tokens.check(at(0), ""), Err(41_001));
        assert_eq!(tokens.check(at(0), "x"), Err(40_014));
    }
}
