//! When the command of a run that stopped with work left is to be typed again.

use std::time::Duration;

use super::Session;
use crate::clock::Timestamp;

/// A run waits this long by itself.
const SOON: Duration = Duration::from_secs(60);

impl Session {
    /// Returns when the quota has room for a call again, by the wall clock; `None` if that is now or
    /// soon, or cannot be read.
    pub(super) fn room_at(&self) -> Option<Timestamp> {
        let mut input = self.forecast_input().ok()?;
        let hold = input.account.admit(input.now, input.kind, 1).err()?;
        let wait = hold.until?.since(input.now);
        (wait > SOON).then(|| self.clock.now().plus(wait))
    }
}
