//! The access token of a run: one fetch at a time, refreshed before it expires, and never asked
//! for again and again: repeating a wrong secret gets the IP banned for an hour (D90313).
//!
//! A platform, or another program that fetches tokens of the same app, may end a token early
//! (D91039). Then fetches are spaced, one call proves a new token, and no more calls are risked
//! with it than a twentieth of those that it has answered.

mod fetches;

use std::time::Duration;

use self::fetches::Fetches;
use super::decide::backoff;
use crate::{
    clock::Timestamp,
    model::Failure,
    quota::{Hold, HoldReason},
    wecom::{CallError, Refusal, Token, errcode::Class},
};

/// Fetches in a row that may fail for reasons that pass.
const FAILURES: u8 = 5;
/// Tokens in a row that may be refused before a single call was answered with them: in a run that was
/// never answered, and in one that was.
const REFUSED_UNPROVED: [u8; 2] = [3, 10];
/// Refused fetches in a row that are repeated, where a token works or has worked.
const REFUSED_FETCHES: u8 = 3;
/// How long after each of them.
const AGAIN: Duration = Duration::from_secs(60);
/// A token is not used in its last moments: a call must arrive while it is valid, or it is sent,
/// and counted, twice.
const LAST_MOMENTS: Duration = Duration::from_secs(10);
/// The most that is taken from `expires_in`; normally it is two hours (D91039).
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// How long `gettoken` is left alone after 45009, most likely for wrong secrets (D90313), and a secret
/// after it was refused.
pub(super) const SHUT_OUT: Duration = Duration::from_secs(3600);
/// One call is risked for so many that a token has answered.
const ANSWERED_FOR_ONE: u32 = 20;

/// What a fetch that failed means.
#[derive(Debug)]
pub(super) enum TokenError {
    /// It is tried again.
    Passing,
    /// 45009: no token is fetched for an hour.
    LockedOut(i64),
    /// The API cannot be reached, or not just now: the outage decides when to try again.
    Outage(Failure),
    /// It failed too often.
    GiveUp(Failure),
    /// The API refuses it for good.
    Refused(Box<Refusal>),
}

/// What came of a refusal of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusedToken {
    /// It was replaced already, or another is fetched.
    Replaced,
    /// The same, and it is not the first: somebody else ends them.
    Contested,
    /// Several in a row were refused before they had worked.
    GiveUp,
}

/// The token, or the way to one.
#[derive(Default)]
pub(super) struct Tokens {
    current: Option<Token>,
    /// The one fetched last, valid or not.
    last: Option<Token>,
    /// Counts tokens, so that a refusal can be told to be of an older one.
    generation: u32,
    fresh_until: Timestamp,
    /// No call is sent with it from here on.
    ends: Timestamp,
    /// Calls with it that are in flight, and that were answered.
    in_flight: u32,
    answered: u32,
    /// A call was answered with it, or it follows one that works.
    proved: bool,
    /// A call was answered with any.
    has_worked: bool,
    retry_at: Timestamp,
    /// Until when `gettoken` is left alone for 45009.
    locked_until: Timestamp,
    failures: u8,
    refused_unproved: u8,
    refused_fetches: u8,
    fetches: Fetches,
}

impl Tokens {
    /// Whether a fetch is to begin at `now`: there is no token, or its life nears its end.
    pub(super) fn needs_fetch(&mut self, now: Timestamp) -> bool {
        let is_usable = self.is_usable(now);
        (!is_usable || now >= self.fresh_until) && self.fetch_at(now).is_ok()
    }

    /// Whether a token works whose life nears its end, and a fetch is to begin.
    pub(super) fn needs_refresh(&mut self, now: Timestamp) -> bool {
        self.is_usable(now) && now >= self.fresh_until && self.fetch_at(now).is_ok()
    }

    /// Whether a fetch may begin.
    ///
    /// # Errors
    ///
    /// The hold, if one is under way or must wait.
    fn fetch_at(&mut self, now: Timestamp) -> Result<(), Hold> {
        let waits = [self.fetches.next(now), self.retry_at, self.locked_until];
        let until = waits.into_iter().max().filter(|until| now < *until);
        if !self.fetches.is_under_way() && until.is_none() {
            return Ok(());
        }
        Err(Hold {
            until,
            reason: match now < self.locked_until {
                true => HoldReason::TokenLockout,
                false => HoldReason::Token,
            },
        })
    }

    /// A fetch begins.
    pub(super) fn begin_fetch(&mut self, now: Timestamp) {
        self.fetches.begin(now);
    }

    /// No fetch may begin before `until`.
    pub(super) const fn wait_until(&mut self, until: Timestamp) {
        self.retry_at = until;
    }

    /// The secret was refused, by an earlier run or to another process, and is not tried again before
    /// `until`. Returns whether a token works meanwhile: none is fetched before its end.
    pub(super) fn outlasts_refusal(&mut self, until: Timestamp, now: Timestamp) -> bool {
        let is_usable = self.is_usable(now);
        if is_usable {
            self.retry_at = until.min(self.ends);
        }
        is_usable
    }

    /// `gettoken` is left alone until `until`.
    pub(super) const fn locked_out(&mut self, until: Timestamp) {
        self.locked_until = until;
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        self.current.is_some() && now < self.ends
    }

    /// Returns the token to call with, and its number.
    ///
    /// # Errors
    ///
    /// The hold, if there is none, or no more calls are risked with it just now.
    pub(super) fn get(&mut self, now: Timestamp) -> Result<(Token, u32), Hold> {
        let current = self.current.clone().filter(|_| now < self.ends);
        let Some(token) = current else {
            self.fetch_at(now)?;
            return Err(Hold {
                until: None,
                reason: HoldReason::Token,
            });
        };
        if self.in_flight >= self.most_in_flight(now) {
            return Err(Hold {
                until: None,
                reason: HoldReason::Token,
            });
        }
        Ok((token, self.generation))
    }

    fn most_in_flight(&mut self, now: Timestamp) -> u32 {
        match (self.proved, self.fetches.is_contested(now)) {
            (false, _) => 1,
            (true, true) => 1 + self.answered / ANSWERED_FOR_ONE,
            (true, false) => u32::MAX,
        }
    }

    /// A call was sent with the current token.
    pub(super) const fn sent(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// A call with token `generation` completed, however.
    pub(super) const fn completed(&mut self, generation: u32) {
        if generation == self.generation {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
    }

    /// Takes a token that was fetched.
    pub(super) fn fetched(&mut self, token: Token, now: Timestamp) {
        self.fetches.end();
        self.failures = 0;
        self.refused_fetches = 0;
        // One that replaces a token that works needs no proof.
        self.proved = self.proved && self.is_usable(now);
        self.generation += 1;
        (self.in_flight, self.answered) = (0, 0);
        let life = token.expires_in.min(LONGEST_LIFE);
        let last_moments = now.plus(life.saturating_sub(LAST_MOMENTS));
        let fresh_until = token.fresh_until(now);
        self.ends = match self.last {
            // The first of a run may be the rest of one fetched before.
            None => last_moments,
            Some(_) => last_moments.max(fresh_until),
        };
        // Within its life a repeated fetch may give the same token again (D97164); another is to
        // be had only after its end.
        if self
            .last
            .as_ref()
            .is_some_and(|last| last.secret.expose() == token.secret.expose())
        {
            self.ends = last_moments;
            self.retry_at = now.plus(life + Duration::from_secs(1));
        }
        self.fresh_until = fresh_until.min(self.ends);
        self.last = Some(token.clone());
        self.current = Some(token);
    }

    /// A fetch failed.
    pub(super) fn failed(&mut self, error: CallError, now: Timestamp, chance: f64) -> TokenError {
        self.fetches.end();
        match error {
            CallError::Failed(failure) => self.service_failed(failure, now, chance),
            CallError::Refused(refusal) => match refusal.class {
                Class::Wait => {
                    self.locked_until = now.plus(SHUT_OUT);
                    TokenError::LockedOut(refusal.errcode)
                }
                Class::Retry | Class::Slow => {
                    self.service_failed(Failure::Busy(refusal.errcode), now, chance)
                }
                _ => self.fetch_refused(refusal, now),
            },
        }
    }

    /// The API refused a fetch: while a token works, or after one has, that may pass. A wrong secret
    /// is not repeated without one.
    fn fetch_refused(&mut self, refusal: Refusal, now: Timestamp) -> TokenError {
        self.refused_fetches = self.refused_fetches.saturating_add(1);
        let is_again = self.refused_fetches <= REFUSED_FETCHES;
        let is_usable = self.is_usable(now);
        if is_usable || (self.has_worked && is_again && !refusal.is_wrong_secret()) {
            self.retry_at = match is_again {
                true => now.plus(AGAIN),
                false => self.ends,
            };
            return TokenError::Passing;
        }
        TokenError::Refused(Box::new(refusal))
    }

    /// The service failed a fetch, which says nothing about the secret: it is not one of those that
    /// are counted. While a token can be used nothing waits for another.
    fn service_failed(&mut self, failure: Failure, now: Timestamp, chance: f64) -> TokenError {
        self.fetches.forget_last();
        self.failures = self.failures.saturating_add(1);
        if self.is_usable(now) {
            self.retry_at = now.plus(backoff(self.failures, chance));
            return TokenError::Passing;
        }
        // A token that has worked says that the address is right, but for what no waiting mends.
        let gives_up = match failure {
            Failure::Connect(_) => failure.is_permanent(),
            _ => self.last.is_none() || failure.is_permanent(),
        };
        if gives_up && self.failures >= FAILURES {
            TokenError::GiveUp(failure)
        } else {
            TokenError::Outage(failure)
        }
    }

    /// A call was answered with token `generation`: it works.
    pub(super) fn works(&mut self, generation: u32) {
        if generation == self.generation {
            // A token that has worked says that the secret is right: its fetch does not count
            // against the ones that may be tried.
            if self.answered == 0 {
                self.fetches.forget_last();
            }
            self.answered = self.answered.saturating_add(1);
            self.proved = true;
            self.has_worked = true;
            self.refused_unproved = 0;
        }
    }

    /// A call was refused for token `generation`.
    pub(super) fn refused(&mut self, generation: u32, now: Timestamp) -> RefusedToken {
        if generation != self.generation || self.current.is_none() {
            return RefusedToken::Replaced;
        }
        self.current = None;
        self.retry_at = Timestamp::default();
        if self.answered == 0 {
            self.refused_unproved += 1;
        }
        self.proved = false;
        let is_news = self.fetches.lost(now);
        if self.refused_unproved >= REFUSED_UNPROVED[usize::from(self.has_worked)] {
            RefusedToken::GiveUp
        } else if is_news {
            RefusedToken::Contested
        } else {
            RefusedToken::Replaced
        }
    }
}

#[cfg(test)]
mod tests;
