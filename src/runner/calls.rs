//! Calls in flight. They own nothing but a claim that is paid for, and report when they complete.

use std::{future::Future, pin::Pin};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use super::{claim::Claim, decide::SentCall, rate::RateEstimator};
use crate::{
    clock::Timestamp,
    model::{Failure, SubjectId},
    wecom::{ApplicationReply, CallError, Token, Verdict},
};

/// What completed.
pub(super) enum Completion {
    /// The fetch of a token that was sent at this time.
    Token(Timestamp, Result<Token, CallError>),
    /// The application for a ticket.
    Application(Result<ApplicationReply, Failure>),
    /// A lookup: its claim, how it was sent, and the verdict.
    Lookup(Box<(Claim, SentCall, Verdict)>),
}

type CallFuture = Pin<Box<dyn Future<Output = Completion>>>;

/// Calls that were sent and have not been dealt with, and the rate at which they are sent.
pub(super) struct InFlightCalls {
    futures: FuturesUnordered<CallFuture>,
    /// The subjects of the lookups among them.
    subjects: Vec<SubjectId>,
    completed: Vec<Completion>,
    /// Lookups sent so far.
    sent: u64,
    rate: RateEstimator,
}

impl InFlightCalls {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            futures: FuturesUnordered::new(),
            subjects: Vec::new(),
            completed: Vec::new(),
            sent: 0,
            rate: RateEstimator::new(now),
        }
    }

    /// Sends a lookup.
    pub(super) fn send(
        &mut self,
        claim: Claim,
        sent: SentCall,
        call: impl Future<Output = Verdict> + 'static,
    ) {
        self.subjects.push(claim.id());
        self.sent += 1;
        self.rate.sent(sent.at);
        self.futures.push(Box::pin(async move {
            let verdict = call.await;
            Completion::Lookup(Box::new((claim, sent, verdict)))
        }));
    }

    /// Sends for a token.
    pub(super) fn fetch_token(
        &mut self,
        at: Timestamp,
        fetch: impl Future<Output = Result<Token, CallError>> + 'static,
    ) {
        let call = async move { Completion::Token(at, fetch.await) };
        self.futures.push(Box::pin(call));
    }

    /// Applies for a ticket.
    pub(super) fn apply(
        &mut self,
        application: impl Future<Output = Result<ApplicationReply, Failure>> + 'static,
    ) {
        let call = async move { Completion::Application(application.await) };
        self.futures.push(Box::pin(call));
    }

    /// Lookups in flight.
    pub(super) fn lookups(&self) -> usize {
        self.subjects.len()
    }

    /// Lookups sent so far.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// The rate at which they are sent.
    pub(super) const fn rate(&self) -> &RateEstimator {
        &self.rate
    }

    /// Nothing is sent until `until`, for a reason that says nothing about the rate.
    pub(super) const fn idle_until(&mut self, until: Timestamp) {
        self.rate.idle_until(until);
    }

    /// Whether nothing is in flight, no fetch of a token either.
    pub(super) fn is_empty(&self) -> bool {
        self.futures.is_empty()
    }

    /// The least subject in flight, or `least` if that is less.
    pub(super) fn lowest(&self, least: SubjectId) -> SubjectId {
        self.subjects.iter().copied().fold(least, SubjectId::min)
    }

    /// Waits for a completion and keeps it, with all others that are ready. Cancel-safe.
    pub(super) async fn complete(&mut self) {
        if let Some(completion) = self.futures.next().await {
            self.completed.push(completion);
            while let Some(Some(completion)) = self.futures.next().now_or_never() {
                self.completed.push(completion);
            }
        }
    }

    /// Takes what has completed since this was last asked.
    pub(super) fn take_completed(&mut self) -> Vec<Completion> {
        std::mem::take(&mut self.completed)
    }

    /// The lookup of `subject` is dealt with.
    pub(super) fn done(&mut self, subject: SubjectId) {
        if let Some(place) = self.subjects.iter().position(|id| *id == subject) {
            self.subjects.swap_remove(place);
        }
    }
}
