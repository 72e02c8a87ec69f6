//! Bursts: times in which every call suffers the same fault, from seconds to hours.

use fastrand::Rng;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::faults::Fault;
use crate::clock::Timestamp;

/// How long a burst lasts, in milliseconds; each length takes the same share of the time.
const LENGTHS: [i64; 4] = [3_000, 60_000, 600_000, 7_200_000];

/// What comes in bursts: what a service in trouble does.
const FAULTS: [Fault; 5] = [
    Fault::Busy,
    Fault::Http5xx,
    Fault::ResetBefore,
    Fault::Hang,
    Fault::Page,
];

/// Returns what every call at `now` suffers, if bursts take up this `share` of all time: a pure
/// function of the seed, which takes nothing from the chance of single faults.
pub(super) fn burst_at(seed: u64, now: Timestamp, share: f64) -> Option<Fault> {
    if share <= 0.0 {
        return None;
    }
    LENGTHS.into_iter().find_map(|length| {
        let number = now.as_millis().div_euclid(length);
        let place = [number.to_le_bytes(), length.to_le_bytes()].concat();
        let mut chance = Rng::with_seed(xxh3_64_with_seed(&place, seed));
        let falls = chance.f64() < share / LENGTHS.len() as f64;
        falls.then(|| chance.choice(FAULTS)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call a second suffers, over so many days.
    fn seen(days: i64, share: f64) -> Vec<Option<Fault>> {
        (0..days * 86_400)
            .map(|second| burst_at(7, Timestamp::from_millis(second * 1000), share))
            .collect()
    }

    #[test]
    fn bursts_take_up_their_share_of_the_time() {
        let seen = seen(60, 0.1);
        let hit = seen.iter().flatten().count() as f64 / seen.len() as f64;
        assert!((0.07..0.13).contains(&hit), "{hit}");
        assert!(FAULTS.iter().all(|fault| seen.contains(&Some(*fault))));
    }

    #[test]
    fn bursts_last_from_seconds_to_hours() {
        let seen = seen(60, 0.1);
        let mut runs = seen.chunk_by(|one, next| one.is_some() == next.is_some());
        assert!(runs.any(|run| run[0].is_some() && run.len() <= 3));
        let mut slots = seen.chunks(7_200);
        assert!(slots.any(|slot| slot.iter().all(Option::is_some)));
    }

    #[test]
    fn without_a_share_there_are_no_bursts() {
        assert!(seen(1, 0.0).iter().all(Option::is_none));
    }
}
