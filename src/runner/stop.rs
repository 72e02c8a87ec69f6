//! The request to stop: no new calls, wait for those in flight, commit, exit.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// Shared between the signal handler and the loop.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Stop {
    /// Asks the loop to stop.
    pub fn request(&self) {
        self.asked.store(true, Relaxed);
        self.notify.notify_one();
    }

    /// Whether a stop was requested.
    pub(crate) fn is_requested(&self) -> bool {
        self.asked.load(Relaxed)
    }

    /// Returns once a stop was requested.
    pub(crate) async fn requested(&self) {
        while !self.is_requested() {
            self.notify.notified().await;
        }
    }
}
