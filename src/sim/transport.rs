//! Carries calls to the remote in memory, in tokio time, which tests can pause.
//!
//! A call whose future is dropped on its way still arrives, as it would in a network.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    call::{ApiAnswer, ApiCall, Reply, ResponseBody},
    remote::SimulatedRemote,
};
use crate::clock::Timestamp;
use crate::wecom::transport::{Failure, NoConnection, Request, Response, Sending, Transport};

/// A transport to a remote in the same process. Clones reach the same remote.
#[derive(Clone)]
pub struct MemoryTransport {
    remote: Rc<RefCell<SimulatedRemote>>,
    timeout: Duration,
}

impl MemoryTransport {
    /// Returns a transport to `remote` that gives a call up `timeout` after it was sent.
    #[must_use]
    pub const fn new(remote: Rc<RefCell<SimulatedRemote>>, timeout: Duration) -> Self {
        Self { remote, timeout }
    }

    /// The remote itself.
    #[must_use]
    pub const fn remote(&self) -> &Rc<RefCell<SimulatedRemote>> {
        &self.remote
    }

    async fn carry(self, request: Request) -> Result<Response, Failure> {
        let legs = self.remote.borrow_mut().legs();
        let mut in_transit = InTransit {
            remote: &self.remote,
            request: Some(request),
            arrives: Instant::now() + legs.there,
            back: legs.back,
        };
        wait(legs.there).await;
        let Some(answer) = in_transit.arrive() else {
            return Err(Failure::Reset);
        };
        self.finish(answer, legs.there).await
    }

    async fn finish(&self, answer: ApiAnswer, spent: Duration) -> Result<Response, Failure> {
        let left = self.timeout.saturating_sub(spent);
        if answer.body == ResponseBody::Hang || answer.delay > left {
            wait(left).await;
            return Err(Failure::Timeout(self.timeout));
        }
        wait(answer.delay).await;
        match answer.body {
            ResponseBody::Reply(reply) => Ok(self.response(reply)),
            ResponseBody::Cut(mut reply) => {
                reply.body.truncate(reply.body.len() / 2);
                Ok(self.response(reply))
            }
            ResponseBody::Down => Err(Failure::Connect(NoConnection::Refused)),
            ResponseBody::Reset | ResponseBody::Hang => Err(Failure::Reset),
        }
    }

    fn response(&self, reply: Reply) -> Response {
        let now = self.remote.borrow().now();
        Response {
            status: reply.status,
            retry_after: reply.retry_after,
            // A header tells whole seconds.
            date: Timestamp::parse_http_date(&now.http_date()),
            body: reply.body,
        }
    }
}

/// A call on its way to the remote.
struct InTransit<'t> {
    remote: &'t RefCell<SimulatedRemote>,
    request: Option<Request>,
    arrives: Instant,
    back: Duration,
}

impl InTransit<'_> {
    /// Lets the call arrive; `None` if it has arrived before.
    fn arrive(&mut self) -> Option<ApiAnswer> {
        let request = self.request.take()?;
        let mut remote = self.remote.borrow_mut();
        let now = remote.now();
        Some(remote.arrive(now, &ApiCall::from(&request), self.back))
    }
}

impl Drop for InTransit<'_> {
    /// Leaves the call on its way: its sender has given it up.
    fn drop(&mut self) {
        if let (Some(request), Ok(mut remote)) = (self.request.take(), self.remote.try_borrow_mut())
        {
            let left = self.arrives.saturating_duration_since(Instant::now());
            remote.abandon(request, left, self.back);
        }
    }
}

impl Transport for MemoryTransport {
    fn send(&self, request: Request) -> Sending<'static> {
        Box::pin(self.clone().carry(request))
    }
}

/// Sleeps, but does not yield if `time` is zero.
async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
