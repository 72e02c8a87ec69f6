//! The access token of a run: one fetch at a time, refreshed before it expires, and never asked
//! for again and again: repeating a wrong secret gets the IP banned for an hour (D90313).

use std::{collections::VecDeque, time::Duration};

use super::decide::backoff;
use crate::{
    clock::Timestamp,
    model::Failure,
    quota::{Hold, HoldReason},
    wecom::{CallError, Refusal, Token, errcode::Class},
};

/// The most fetches an hour of tokens that no call was answered with.
const FETCHES_AN_HOUR: usize = 20;
/// Fetches in a row that may fail for reasons that pass.
const FAILURES: u8 = 5;
/// Tokens in a row that may be refused before a single call was answered with them.
const REFUSED_UNPROVED: u8 = 3;
/// A token is not used in its last moments: a call must arrive while it is valid, or it is sent,
/// and counted, twice.
const LAST_MOMENTS: Duration = Duration::from_secs(10);
/// The most that is taken from `expires_in`; normally it is two hours (D91039).
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// 45009 on gettoken: the IP is locked out, most likely for wrong secrets (D90313).
const SHUT_OUT: Duration = Duration::from_secs(3600);

const HOUR: Duration = Duration::from_secs(3600);

/// What a fetch that failed means.
#[derive(Debug)]
pub(super) enum TokenError {
    /// It is tried again.
    Passing,
    /// The API cannot be reached, or not just now: the outage decides when to try again.
    Outage(Failure),
    /// It failed too often.
    GiveUp(Failure),
    /// The API refuses it for good.
    Refused(Box<Refusal>),
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
    proved: bool,
    fetching: bool,
    retry_at: Timestamp,
    failures: u8,
    refused_unproved: u8,
    fetched: VecDeque<Timestamp>,
}

impl Tokens {
    /// Returns the token to call with, and its number. If there is none, or its life nears its end,
    /// `fetch` is called to begin a fetch; the last minutes are not waited for the next one.
    ///
    /// # Errors
    ///
    /// The hold, if a fetch is under way or must wait.
    pub(super) fn get(
        &mut self,
        now: Timestamp,
        fetch: impl FnOnce(),
    ) -> Result<(Token, u32), Hold> {
        let current = self.current.clone().filter(|_| now < self.ends);
        if let Some(token) = current {
            if now >= self.fresh_until && self.begin_fetch(now).is_ok() {
                fetch();
            }
            return Ok((token, self.generation));
        }
        self.begin_fetch(now)?;
        fetch();
        Err(Hold {
            until: None,
            reason: HoldReason::Token,
        })
    }

    /// # Errors
    ///
    /// The hold, if a fetch is under way or must wait.
    fn begin_fetch(&mut self, now: Timestamp) -> Result<(), Hold> {
        while self
            .fetched
            .front()
            .is_some_and(|at| now.since(*at) >= HOUR)
        {
            self.fetched.pop_front();
        }
        let crowded = (self.fetched.len() >= FETCHES_AN_HOUR)
            .then(|| self.fetched.front().map(|at| at.plus(HOUR)))
            .flatten();
        let until = crowded.max((now < self.retry_at).then_some(self.retry_at));
        if self.fetching || until.is_some() {
            return Err(Hold {
                until,
                reason: HoldReason::Token,
            });
        }
        self.fetching = true;
        self.fetched.push_back(now);
        Ok(())
    }

    /// Takes a token that was fetched.
    pub(super) fn fetched(&mut self, token: Token, now: Timestamp) {
        self.fetching = false;
        self.failures = 0;
        self.proved = false;
        self.generation += 1;
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
        self.fetching = false;
        let failure = match error {
            CallError::Failed(failure) => failure,
            CallError::Refused(refusal) => match refusal.class {
                Class::Wait => {
                    self.retry_at = now.plus(SHUT_OUT);
                    return TokenError::Passing;
                }
                Class::Retry | Class::Slow => Failure::Busy(refusal.errcode),
                _ => return TokenError::Refused(Box::new(refusal)),
            },
        };
        self.service_failed(failure, now, chance)
    }

    /// The service failed a fetch, which says nothing about the secret: it is not one of those that
    /// are counted. While a token can be used nothing waits for another.
    fn service_failed(&mut self, failure: Failure, now: Timestamp, chance: f64) -> TokenError {
        self.fetched.pop_back();
        self.failures = self.failures.saturating_add(1);
        if self.current.is_some() && now < self.ends {
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
            if !self.proved {
                self.fetched.pop_back();
            }
            self.proved = true;
            self.refused_unproved = 0;
        }
    }

    /// A call was refused for its token. Returns whether to give up: several fresh tokens in a row
    /// were refused before one of them had worked.
    pub(super) fn refused(&mut self, generation: u32) -> bool {
        if generation != self.generation || self.current.is_none() {
            return false;
        }
        self.current = None;
        self.retry_at = Timestamp::default();
        if !self.proved {
            self.refused_unproved += 1;
        }
        self.refused_unproved >= REFUSED_UNPROVED
    }
}
