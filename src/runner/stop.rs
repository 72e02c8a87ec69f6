//! The wish to stop: no new calls, finish what is in the air, commit, leave.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// Shared between whoever hears the signal and the loop.
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

    /// Returns once somebody has asked.
    pub(super) async fn requested(&self) {
        while !self.asked.load(Relaxed) {
            self.notify.notified().await;
        }
    }
}
