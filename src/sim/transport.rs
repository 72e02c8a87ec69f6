//! Carries calls to the remote in memory, in (pausable) tokio time.
//!
//! A call on its way there arrives even if whoever sent it is dead by then: it is in the network.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    call::{ApiAnswer, ApiCall, Reply, ResponseBody},
    remote::SimulatedRemote,
};
use crate::wecom::transport::{Failure, NoConnection, Request, Response, Sending, Transport};

/// The remote without a network between. Cheap to clone; all clones reach the same remote.
#[derive(Clone)]
pub struct MemoryTransport {
    remote: Rc<RefCell<SimulatedRemote>>,
    timeout: Duration,
}

impl MemoryTransport {
    /// Reaches `remote`; gives up on a call `timeout` after its sending.
    #[must_use]
    pub const fn new(remote: Rc<RefCell<SimulatedRemote>>, timeout: Duration) -> Self {
        Self { remote, timeout }
    }

    /// The remote itself, for looking and steering.
    #[must_use]
    pub const fn remote(&self) -> &Rc<RefCell<SimulatedRemote>> {
        &self.remote
    }

    async fn carry(self, request: Request) -> Result<Response, Failure> {
        let legs = self.remote.borrow_mut().legs();
        let mut crossing = InTransit {
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

    async fn wait_for(&self, answer: ApiAnswer, spent: Duration) -> Result<Response, Failure> {
        let left = self.timeout.saturating_sub(spent);
        if answer.what == ResponseBody::Hang || answer.delay > left {
            pass(left).await;
            return Err(Failure::Timeout(self.timeout));
        }
        pass(answer.delay).await;
        match answer.what {
            ResponseBody::Reply(reply) => Ok(response(reply)),
            ResponseBody::Cut(mut reply) => {
                reply.body.truncate(reply.body.len() / 2);
                Ok(response(reply))
            }
            ResponseBody::Down => Err(Failure::Connect(NoConnection::Refused)),
            ResponseBody::Reset | ResponseBody::Hang => Err(Failure::Reset),
        }
    }
}

/// A call on its way there.
struct InTransit<'t> {
    remote: &'t RefCell<SimulatedRemote>,
    request: Option<Request>,
    arrives: Instant,
    back: Duration,
}

impl InTransit<'_> {
    /// It arrives, once.
    fn arrive(&mut self) -> Option<ApiAnswer> {
        let request = self.request.take()?;
        let mut remote = self.remote.borrow_mut();
        let now = remote.now();
        Some(remote.arrive(now, &ApiCall::from(&request), self.back))
    }
}

impl Drop for InTransit<'_> {
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
