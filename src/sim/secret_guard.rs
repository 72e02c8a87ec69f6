//! Wrong credentials again and again.

use std::time::Duration;

use super::count::Sliding;
use crate::clock::Timestamp;

/// The IP is shut out for an hour (D90313 on 45009; the number
/// is a staff reply's).
#[derive(Default)]
pub(super) struct SecretGuard {
    failures: Option<Box<Sliding>>,
    until: Timestamp,
}

impl SecretGuard {
    const FAILURES: u64 = 2_000;
    const SPAN: Duration = Duration::from_secs(3_600);

    pub(super) fn closed(&self, now: Timestamp) -> bool {
        now < self.until
    }

    pub(super) fn fail(&mut self, now: Timestamp) {
        let failures = self
            .failures
            .get_or_insert_with(|| Box::new(Sliding::new(Self::SPAN)));
        let before = failures.at(now.as_millis());
        failures.add(now.as_millis());
        if before + 1 >= Self::FAILURES {
            self.until = now.plus(Self::SPAN);
            failures.wipe();
        }
    }
}
