//! Calls in flight. They own nothing but a paid claim, and report when they complete.

use std::{future::Future, pin::Pin};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};

use super::queue::Claim;
use crate::{
    clock::Timestamp,
    model::SubjectId,
    quota::CallKind,
    wecom::{CallError, Token, Verdict},
};

/// How a call was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentCall {
    /// When, in ledger time.
    pub(super) at: Timestamp,
    /// What it was charged as.
    pub(super) kind: CallKind,
    /// The number of the token it was sent with.
    pub(super) token_generation: u32,
}

/// A lookup that completed.
pub(super) struct CompletedCall {
    pub(super) claim: Claim,
    pub(super) sent: SentCall,
    pub(super) verdict: Verdict,
}

/// What completed.
pub(super) enum Completion {
    /// The fetch of a token that was sent at this time.
    Token(Timestamp, Result<Token, CallError>),
    /// A lookup.
    Call(Box<CompletedCall>),
}

type CallFuture = Pin<Box<dyn Future<Output = Completion>>>;

/// Calls that were sent and have not been worked off.
#[derive(Default)]
pub(super) struct InFlightCalls {
    futures: FuturesUnordered<CallFuture>,
    /// The subjects of the lookups among them.
    subjects: Vec<SubjectId>,
    completed: Vec<Completion>,
    /// Lookups sent so far.
    sent: u64,
}

impl InFlightCalls {
    /// Sends a lookup.
    pub(super) fn send(
        &mut self,
        claim: Claim,
        sent: SentCall,
        call: impl Future<Output = Verdict> + 'static,
    ) {
        self.subjects.push(claim.subject.id);
        self.sent += 1;
        self.futures.push(Box::pin(async move {
            let verdict = call.await;
            Completion::Call(Box::new(CompletedCall {
                claim,
                sent,
                verdict,
            }))
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

    /// Lookups in flight.
    pub(super) fn lookups(&self) -> usize {
        self.subjects.len()
    }

    /// Lookups sent so far.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
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

    /// The lookup of `subject` is worked off.
    pub(super) fn done(&mut self, subject: SubjectId) {
        if let Some(place) = self.subjects.iter().position(|id| *id == subject) {
            self.subjects.swap_remove(place);
        }
    }
}
