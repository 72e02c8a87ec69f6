//! Carries calls to the remote in memory, in (pausable) tokio time.

use std::{cell::RefCell, rc::Rc, time::Duration};

use tokio::time::sleep;

use super::{
    call::{Answer, Call, Reply, What},
    remote::Remote,
};
use crate::wecom::transport::{Failure, Request, Response, Sending, Transport};

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
        pass(legs.there).await;
        let answer = {
            let mut remote = self.remote.borrow_mut();
            let now = remote.now();
            remote.arrive(now, &Call::from(&request), legs.back)
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
            What::Down => Err(Failure::Connect),
            What::Reset | What::Hang => Err(Failure::Reset),
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
