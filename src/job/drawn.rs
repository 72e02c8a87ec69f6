//! What subjects drawn at random tell of all: shares with 95 % intervals, and what follows from them.

use serde::Serialize;

use crate::{
    model::State,
    store::{AnsweredAgain, DrawnCounts},
};

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;
/// The share of answers that may have changed before they are asked for again.
const TOLERATED: f64 = 0.05;
/// Most days that are suggested.
const MOST_DAYS: f64 = 365.0;
const DAY: f64 = 86_400.0;

/// What a run over subjects drawn at random has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "of", rename_all = "lowercase")]
pub(crate) enum DrawnReport {
    /// Of subjects without an answer.
    Pilot(PilotReport),
    /// Of subjects with one.
    Sample(StalenessReport),
}

/// A share of those asked, with its 95 % interval after Wilson.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct DrawnShare {
    pub(crate) share: f64,
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl DrawnShare {
    /// `None` of nothing.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(crate) fn of(part: u64, whole: u64) -> Option<Self> {
        let (part, n) = (part.min(whole) as f64, whole as f64);
        if whole == 0 {
            return None;
        }
        let share = part / n;
        let middle = share + Z * Z / (2.0 * n);
        let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some(Self {
            share,
            from: ((middle - spread) / scale).clamp(0.0, share),
            to: ((middle + spread) / scale).clamp(share, 1.0),
        })
    }
}

/// What a pilot has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PilotReport {
    /// Subjects drawn, and those of them who were asked.
    pub(crate) subjects: u64,
    pub(crate) asked: u64,
    pub(crate) linked: u64,
    /// The share of them; null before any was asked.
    pub(crate) hit_rate: Option<DrawnShare>,
    pub(crate) links: u64,
    /// Subjects by state and errcode, of those who were refused.
    #[serde(skip)]
    pub(crate) refusals: Vec<(State, Option<i64>, u64)>,
    pub(crate) projection: PilotProjection,
}

/// What is to be expected of the subjects that were not asked yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PilotProjection {
    pub(crate) subjects: u64,
    /// Repeated ones included, as many as in the pilot.
    pub(crate) calls: u64,
    /// How long the quota lets them take; null before any was asked.
    pub(crate) seconds: Option<u64>,
    /// Links, with the interval of the hit rate; null before any was asked.
    pub(crate) links: Option<(u64, u64, u64)>,
}

impl PilotReport {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate, never negative"
    )]
    pub(crate) fn of(counts: DrawnCounts, queued: u64) -> Self {
        let hit_rate = DrawnShare::of(counts.linked, counts.asked);
        let each = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
        let calls = each(counts.attempts, counts.asked).max(1.0);
        let links = hit_rate.map(|rate| {
            let linked = [rate.share, rate.from, rate.to];
            let links = each(counts.links, counts.linked);
            linked.map(|share| (queued as f64 * share * links).round() as u64)
        });
        Self {
            subjects: counts.subjects,
            asked: counts.asked,
            linked: counts.linked,
            hit_rate,
            links: counts.links,
            refusals: counts.refusals,
            projection: PilotProjection {
                subjects: queued,
                calls: (queued as f64 * calls).ceil() as u64,
                seconds: None,
                links: links.map(|[links, from, to]| (links, from, to)),
            },
        }
    }
}

/// How stale the answers of a job are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StalenessReport {
    /// Subjects drawn, and those of them who were asked.
    pub(crate) subjects: u64,
    pub(crate) asked: u64,
    pub(crate) linked: StaleAnswers,
    pub(crate) unlinked: StaleAnswers,
    /// After how many days 5 % of linked answers have changed, and the interval of that; null if the
    /// answers were too fresh, or too few, to tell.
    pub(crate) linked_after_days: Option<(f64, f64, f64)>,
}

/// Answers of one kind that were asked for again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StaleAnswers {
    /// Those that were answered.
    pub(crate) subjects: u64,
    /// Those that have gained or lost a link.
    pub(crate) changed: u64,
    pub(crate) stale: Option<DrawnShare>,
    /// The mean age of the answers before.
    pub(crate) age_days: f64,
}

impl StaleAnswers {
    fn of(again: AnsweredAgain) -> Self {
        Self {
            subjects: again.subjects,
            changed: again.changed,
            stale: DrawnShare::of(again.changed, again.subjects),
            age_days: again.age.as_secs_f64() / DAY,
        }
    }

    /// After how many days the tolerated share has changed, if each answer changes at any time with the
    /// same chance.
    fn tolerable_days(&self) -> Option<(f64, f64, f64)> {
        let stale = self.stale.filter(|_| self.age_days * DAY >= 1.0)?;
        let days = |share: f64| {
            let a_day = -(1.0 - share.clamp(1e-9, 0.999_999)).ln() / self.age_days;
            (-(1.0 - TOLERATED).ln() / a_day).min(MOST_DAYS)
        };
        Some((days(stale.share), days(stale.to), days(stale.from)))
    }
}

impl StalenessReport {
    pub(crate) fn of(counts: &DrawnCounts) -> Self {
        let [linked, unlinked] = counts.again.map(StaleAnswers::of);
        Self {
            subjects: counts.subjects,
            asked: counts.asked,
            linked_after_days: linked.tolerable_days(),
            linked,
            unlinked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(share: DrawnShare) -> (f64, f64) {
        let digits = |share: f64| (share * 10_000.0).round() / 10_000.0;
        (digits(share.from), digits(share.to))
    }

    #[test]
    fn intervals_are_those_of_wilson() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for ((part, whole), interval) in [
            ((81, 263), (0.2553, 0.3662)),
            ((15, 148), (0.0624, 0.1605)),
            ((0, 20), (0.0, 0.1611)),
            ((1, 29), (0.0061, 0.1718)),
        ] {
            assert_eq!(rounded(DrawnShare::of(part, whole).unwrap()), interval);
        }
        assert_eq!(DrawnShare::of(0, 0), None);
        assert_eq!(DrawnShare::of(3, 3).unwrap().to, 1.0);
    }

    #[test]
    fn answers_that_change_twice_as_fast_are_asked_for_twice_as_early() {
        let after = |changed, days: u64| {
            let again = AnsweredAgain {
                was: State::Linked,
                subjects: 400,
                changed,
                age: std::time::Duration::from_secs(days * 86_400),
            };
            StaleAnswers::of(again)
                .tolerable_days()
                .map(|(days, low, high)| {
                    assert!(low <= days && days <= high);
                    days.round()
                })
        };
        // 5 % in twenty days; the same in ten.
        assert_eq!(after(20, 20), Some(20.0));
        assert_eq!(after(20, 10), Some(10.0));
        assert_eq!(after(0, 20), Some(365.0));
        assert_eq!(after(400, 20), Some(0.0));
        assert_eq!(after(20, 0), None);
    }
}
