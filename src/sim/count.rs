//! How many calls one window counts: by a sliding sum, or by the calendar.
//!
//! The sliding sum is a ring of buckets: 1 ms each for a minute, 10 ms for an hour, 100 ms for a
//! day, 1 s for 30 days. Its memory is flat (10 MB for 30 days, touched as it fills), whatever
//! the number of calls. A bucket is dropped when its *last* millisecond has left the window, so
//! the sum is never below the true count, and above it by less than the calls of one bucket. For a
//! minute it is exact. Buckets start at multiples of their width since the epoch and divide every
//! slot of span/300, so a client that forgets whole such slots never forgets before the simulator.

use std::time::Duration;

use crate::{clock::Timestamp, model::WindowKind};

/// The count of one window.
pub(super) enum Count {
    Sliding(Sliding),
    Calendar(Calendar),
}

impl Count {
    pub(super) fn new(kind: WindowKind, span: Duration) -> Self {
        match kind {
            WindowKind::Sliding => Self::Sliding(Sliding::new(span)),
            WindowKind::Calendar => Self::Calendar(Calendar::new(span)),
        }
    }

    /// Returns the calls in the window that ends at `now`, which never runs backwards.
    pub(super) fn at(&mut self, now: Timestamp) -> u64 {
        match self {
            Self::Sliding(ring) => ring.at(now.as_millis()),
            Self::Calendar(period) => period.at(now),
        }
    }

    /// Counts one call at `now`, the time last given to [`Count::at`].
    pub(super) fn add(&mut self, now: Timestamp) {
        match self {
            Self::Sliding(ring) => ring.add(now.as_millis()),
            Self::Calendar(period) => period.calls += 1,
        }
    }

    /// Forgets all calls.
    pub(super) fn clear(&mut self) {
        match self {
            Self::Sliding(ring) => ring.clear(),
            Self::Calendar(period) => period.calls = 0,
        }
    }
}

/// A ring of buckets; `oldest` and `newest` are numbers of buckets since the epoch.
pub(super) struct Sliding {
    span: i64,
    width: i64,
    buckets: Box<[u32]>,
    oldest: i64,
    newest: i64,
    calls: u64,
}

impl Sliding {
    pub(super) fn new(span: Duration) -> Self {
        let width = Self::width(span);
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        // One more than fit: the first and the last bucket are both cut by the window's edges.
        let room = usize::try_from(span / width + 1).unwrap_or(1);
        Self {
            span,
            width,
            buckets: vec![0; room].into_boxed_slice(),
            oldest: i64::MIN,
            newest: i64::MIN,
            calls: 0,
        }
    }

    /// The width of a bucket in milliseconds.
    pub(super) const fn width(span: Duration) -> i64 {
        match span.as_secs() {
            0..=60 => 1,
            61..=3_600 => 10,
            3_601..=86_400 => 100,
            _ => 1_000,
        }
    }

    /// As [`Count::at`], in milliseconds since the epoch.
    pub(super) fn at(&mut self, now: i64) -> u64 {
        // A call at exactly `now - span` has left.
        let live = (now - self.span + 1).div_euclid(self.width);
        if self.calls > 0 {
            self.drop_before(live);
        }
        self.oldest = self.oldest.max(live);
        self.calls
    }

    /// Drops whole slices at a time: after a second without calls a minute's ring has a thousand
    /// buckets to drop.
    fn drop_before(&mut self, live: i64) {
        let gone = live.min(self.newest + 1) - self.oldest;
        let gone = usize::try_from(gone).unwrap_or(0);
        let place = self.place(self.oldest);
        let (wrapped, straight) = self.buckets.split_at_mut(place);
        let most = gone.min(straight.len());
        for dropped in [&mut straight[..most], &mut wrapped[..gone - most]] {
            self.calls -= dropped.iter().map(|calls| u64::from(*calls)).sum::<u64>();
            dropped.fill(0);
        }
    }

    pub(super) fn add(&mut self, now: i64) {
        self.newest = now.div_euclid(self.width);
        let place = self.place(self.newest);
        self.buckets[place] += 1;
        self.calls += 1;
    }

    pub(super) fn clear(&mut self) {
        self.buckets.fill(0);
        self.calls = 0;
    }

    fn place(&self, bucket: i64) -> usize {
        let room = i64::try_from(self.buckets.len()).unwrap_or(1);
        usize::try_from(bucket.rem_euclid(room)).unwrap_or(0)
    }
}

/// The calls of one natural minute, hour, day or calendar month.
pub(super) struct Calendar {
    span: Duration,
    ends: Timestamp,
    calls: u64,
}

impl Calendar {
    fn new(span: Duration) -> Self {
        Self {
            span,
            ends: Timestamp::from_millis(i64::MIN),
            calls: 0,
        }
    }

    fn at(&mut self, now: Timestamp) -> u64 {
        if now >= self.ends {
            self.ends = self.end_of_period(now);
            self.calls = 0;
        }
        self.calls
    }

    fn end_of_period(&self, now: Timestamp) -> Timestamp {
        match self.span.as_secs() {
            // Whole minutes and hours turn at UTC+8 when they turn at UTC.
            seconds @ 0..=3_600 => {
                let millis = i64::try_from(seconds * 1_000).unwrap_or(1);
                Timestamp::from_millis((now.as_millis().div_euclid(millis) + 1) * millis)
            }
            3_601..=86_400 => now.next_natural_day(),
            _ => {
                let last = now.civil().date().last_of_month();
                Timestamp::from_civil(last.at(12, 0, 0, 0)).next_natural_day()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::QuotaWindow;

    /// The calls that arrived after `now - span`, up to and including `now`.
    fn brute_force(arrivals: &[i64], now: i64, span: i64) -> u64 {
        let live = |at: &&i64| **at > now - span && **at <= now;
        arrivals.iter().filter(live).count() as u64
    }

    fn check(window: QuotaWindow, start: i64, steps: &[i64]) {
        let span = i64::try_from(window.span().as_millis()).unwrap();
        let mut count = Sliding::new(window.span());
        let (mut now, mut arrivals) = (start, Vec::new());
        for step in steps {
            now += step;
            let seen = count.at(now);
            let truth = brute_force(&arrivals, now, span);
            let slack = brute_force(&arrivals, now, span + count.width - 1);
            assert!(
                truth <= seen && seen <= slack,
                "{truth} <= {seen} <= {slack}"
            );
            count.add(now);
            arrivals.push(now);
        }
    }

    proptest! {
        #[test]
        fn a_sliding_count_is_never_low_and_high_by_less_than_a_bucket(
            window in prop::sample::select(QuotaWindow::ALL.to_vec()),
            start in 1_700_000_000_000_i64..1_800_000_000_000,
            shares in prop::collection::vec(0.0..1.0_f64, 1..200),
        ) {
            // Steps from nothing to beyond the whole span, most of them short.
            let span = window.span().as_millis() as f64;
            let steps: Vec<i64> = shares.iter().map(|x| (x.powi(6) * span * 1.2) as i64).collect();
            check(window, start, &steps);
        }
    }

    #[test]
    fn a_minute_is_exact_to_the_millisecond() {
        let mut count = Sliding::new(Duration::from_secs(60));
        assert_eq!(count.at(1_000_000), 0);
        count.add(1_000_000);
        assert_eq!(count.at(1_059_999), 1);
        assert_eq!(count.at(1_060_000), 0);
    }

    #[test]
    fn calendar_windows_turn_with_the_natural_period_at_plus_eight() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let turns = [
            (60, "2026-11-22T23:58:59+08:00", "2026-11-22T23:59:00+08:00"),
            (
                3_600,
                "2026-11-22T22:59:59+08:00",
                "2026-11-22T23:00:00+08:00",
            ),
            (
                86_400,
                "2026-11-22T23:59:59+08:00",
                "2026-11-23T00:00:00+08:00",
            ),
            (
                2_592_000,
                "2026-11-30T23:59:59+08:00",
                "2026-12-01T00:00:00+08:00",
            ),
        ];
        for (seconds, before, after) in turns {
            let mut count = Count::new(WindowKind::Calendar, Duration::from_secs(seconds));
            assert_eq!(count.at(at(before)), 0);
            count.add(at(before));
            assert_eq!(count.at(at(before)), 1);
            assert_eq!(count.at(at(after)), 0, "{after}");
        }
    }
}
