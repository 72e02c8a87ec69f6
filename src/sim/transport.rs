//! Carries calls to the remote in memory, in (pausable) tokio time.
//!
//! A call on its way there arrives even if whoever sent it is dead by then: it is in the network.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    call::{Answer, Call, Reply, What},
    remote::Remote,
};
use crate::wecom::transport::{Failure, NoConnection, Request, Response, Sending, Transport};

/// The remote without a network between. Cheap to clone; all clones reach the same remote.
#[derive(Clone)]
pub struct MemoryTransport {
    remote: Rc<RefCell<Remote>>,
    timeout: Duration,
}

impl MemoryTransport {
    /// Reaches `remote`; gives up on a call `timeout` after its sending.
    #[must_use]
    pub const fn new(remote: Rc<RefCell<Remote>>, timeout: Duration) -> Self {
        Self { remote, timeout }
    }

    /// The remote itself, for looking and steering.
    #[must_use]
    pub const fn remote(&self) -> &Rc<RefCell<Remote>> {
        &self.remote
    }

    async fn carry(self, request: Request) -> Result<Response, Failure> {
        let legs = self.remote.borrow_mut().legs();
        let mut crossing = Crossing {
            remote: &self.remote,
            request: Some(request),
            arrives: Instant::now() + legs.there,
            back: legs.back,
        };
        pass(legs.there).await;
        let Some(answer) = crossing.arrive() else {
            return Err(Failure::Reset);
        };
        self.wait_for(answer, legs.there).await
    }

    async fn wait_for(&self, answer: Answer, spent: Duration) -> Result<Response, Failure> {
        let left = self.timeout.saturating_sub(spent);
        if answer.what == What::Hang || answer.delay > left {
            pass(left).await;
            return Err(Failure::Timeout(self.timeout));
        }
        pass(answer.delay).await;
        match answer.what {
            What::Reply(reply) => Ok(response(reply)),
            What::Cut(mut reply) => {
                reply.body.truncate(reply.body.len() / 2);
                Ok(response(reply))
            }
            What::Down => Err(Failure::Connect(NoConnection::Refused)),
            What::Reset | What::Hang => Err(Failure::Reset),
        }
    }
}

/// A call on its way there.
struct Crossing<'t> {
    remote: &'t RefCell<Remote>,
    request: Option<Request>,
    arrives: Instant,
    back: Duration,
}

impl Crossing<'_> {
    /// It arrives, once.
    fn arrive(&mut self) -> Option<Answer> {
        let request = self.request.take()?;
        let mut remote = self.remote.borrow_mut();
        let now = remote.now();
        Some(remote.arrive(now, &Call::from(&request), self.back))
    }
}

impl Drop for Crossing<'_> {
    /// Its sender has died.
    fn drop(&mut self) {
        if let (Some(request), Ok(mut remote)) = (self.request.take(), self.remote.try_borrow_mut())
        {
            let left = self.arrives.saturating_duration_since(Instant::now());
            remote.expect_orphan(request, left, self.back);
        }
    }
}

impl Transport for MemoryTransport {
    fn send(&self, request: Request) -> Sending<'static> {
        Box::pin(self.clone().carry(request))
    }
}

fn response(reply: Reply) -> Response {
    Response {
        status: reply.status,
        body: reply.body,
    }
}

/// Sleeps, unless there is nothing to sleep.
async fn pass(span: Duration) {
    if !span.is_zero() {
        sleep(span).await;
    }
}
