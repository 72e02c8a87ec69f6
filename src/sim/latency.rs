//! The time that calls take.

use std::time::Duration;

use fastrand::Rng;

/// Time from sending to answer, uniform between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// At least this long.
    pub min: Duration,
    /// At most this long.
    pub max: Duration,
}

/// The time of one call, split at its arrival, which is when the remote counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Legs {
    /// From sending to arrival; whole milliseconds, because tokio's timer rounds up to them.
    pub(super) there: Duration,
    /// From arrival to answer.
    pub(super) back: Duration,
}

impl Latency {
    /// No time at all.
    pub const NONE: Self = Self {
        min: Duration::ZERO,
        max: Duration::ZERO,
    };

    /// Draws the time of one call; without drawing a number if both bounds are the same.
    pub(super) fn draw(&self, rng: &mut Rng) -> Duration {
        let (min, max) = (micros(self.min), micros(self.max));
        if min >= max {
            return self.min;
        }
        Duration::from_micros(rng.u64(min..=max))
    }

    /// Draws the time of one call and when in it the call arrives.
    pub(super) fn legs(&self, rng: &mut Rng) -> Legs {
        let whole = self.draw(rng);
        let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        let there = match millis {
            0 => Duration::ZERO,
            most => Duration::from_millis(rng.u64(0..=most)),
        };
        let back = whole.saturating_sub(there);
        Legs { there, back }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Default for Latency {
    /// Returns 20 to 80 ms, as from a server in the same country.
    fn default() -> Self {
        Self {
            min: Duration::from_millis(20),
            max: Duration::from_millis(80),
        }
    }
}
