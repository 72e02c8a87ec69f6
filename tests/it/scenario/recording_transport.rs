//! The transport to the simulator, with every call recorded on its way.

use std::{cell::RefCell, rc::Rc};

use idferry::{
    clock::Timestamp,
    sim::MemoryTransport,
    wecom::transport::{Request, Sending, Transport},
};

use super::call_log::CallLog;

/// Passes calls on and records them.
#[derive(Clone)]
pub(super) struct RecordingTransport {
    inner: MemoryTransport,
    call_log: Rc<RefCell<CallLog>>,
}

impl RecordingTransport {
    pub(super) fn new(inner: MemoryTransport, call_log: &Rc<RefCell<CallLog>>) -> Self {
        let call_log = Rc::clone(call_log);
        Self { inner, call_log }
    }

    fn now(&self) -> Timestamp {
        self.inner.remote().borrow().now()
    }
}

impl Transport for RecordingTransport {
    fn send(&self, request: Request) -> Sending<'static> {
        let this = self.clone();
        Box::pin(async move {
            let place = this.call_log.borrow_mut().sent(&request, this.now());
            let reply = this.inner.send(request).await;
            let now = this.now();
            this.call_log.borrow_mut().completed(place, &reply, now);
            reply
        })
    }
}
