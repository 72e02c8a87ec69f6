//! Corpid and corpsecret, and what repeated wrong ones lead to.

use std::time::Duration;

use super::count::Sliding;
use crate::clock::Timestamp;

/// Wrong attempts within [`WINDOW`] that lock the address out; the number is from a staff reply.
const MOST_FAILURES: u64 = 2_000;
/// Both the time within which they count and how long the lockout lasts (D90313 on 45009).
const WINDOW: Duration = Duration::from_secs(3_600);

/// The corpid of the simulated upstream corp of `seed`.
pub(super) fn corp_id(seed: u64) -> String {
    format!("wwsimulated{:07x}", seed & 0x0fff_ffff)
}

/// The credentials that `gettoken` accepts.
pub(super) struct AppCredentials {
    pub(super) corp_id: String,
    pub(super) corp_secret: String,
    failures: Option<Box<Sliding>>,
    locked_until: Timestamp,
}

impl AppCredentials {
    /// Returns the credentials of `seed`. Real ones are `ww` and 16 hex digits, and 43
    /// characters; these say what they are.
    pub(super) fn of(seed: u64) -> Self {
        let secret = seed.rotate_left(17) ^ 0x5eed;
        Self {
            corp_id: corp_id(seed),
            corp_secret: format!("simulated-not-a-real-secret-{secret:016x}"),
            failures: None,
            locked_until: Timestamp::default(),
        }
    }

    /// Checks what a `gettoken` at `now` carries; the error is its errcode. Clear corpids ignore
    /// case.
    pub(super) fn check(&mut self, now: Timestamp, corpid: &str, secret: &str) -> Result<(), i64> {
        if now < self.locked_until {
            return Err(45_009);
        }
        let errcode = match (corpid, secret) {
            ("", _) => 41_002,
            (_, "") => 41_004,
            _ if !corpid.eq_ignore_ascii_case(&self.corp_id) => 40_013,
            _ if secret != self.corp_secret => 40_001,
            _ => return Ok(()),
        };
        self.count_failure(now);
        Err(errcode)
    }

    fn count_failure(&mut self, now: Timestamp) {
        let failures = self
            .failures
            .get_or_insert_with(|| Box::new(Sliding::new(WINDOW)));
        let before = failures.at(now.as_millis());
        failures.add(now.as_millis());
        if before + 1 >= MOST_FAILURES {
            self.locked_until = now.plus(WINDOW);
            failures.clear();
        }
    }
}
