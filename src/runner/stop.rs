//! The wish to stop: no new calls, finish what is in the air, commit, leave.

use std::{cell::Cell, rc::Rc};

use tokio::sync::Notify;

/// Shared between whoever hears the signal and the loop.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Rc<Cell<bool>>,
    notify: Rc<Notify>,
}

impl Stop {
    /// Asks the loop to stop.
    pub fn request(&self) {
        self.asked.set(true);
        self.notify.notify_one();
    }

    /// Returns once somebody has asked.
    pub(super) async fn requested(&self) {
        while !self.asked.get() {
            self.notify.notified().await;
        }
    }
}
