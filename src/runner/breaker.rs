//! The circuit breaker: too many errors about single subjects mean a wrong input, for which a
//! neighbouring API locks callers out (D97062; unknown for this one, so the run stops first).

use std::collections::{BTreeMap, VecDeque};

use super::event::BreakerTrip;
use crate::{
    model::{Outcome, State},
    wecom::errcode::{Class, lookup},
};

/// The number of latest answers that count.
const ANSWERS: usize = 200;
/// Refusals in a row that concern a whole mini program or official account.
const SOURCE_STREAK: usize = 20;
/// Unlisted codes among them that trip the breaker.
const UNLISTED: usize = 10;

/// Watches the latest answers.
pub struct Breaker {
    budget: f64,
    answers: VecDeque<Option<FailedRow>>,
    source_streak: usize,
}

#[derive(Clone, Copy)]
struct FailedRow {
    errcode: Option<i64>,
    unlisted: bool,
}

impl Breaker {
    /// Trips above this share of errors, 0 to 1; 1 never trips on the share.
    #[must_use]
    pub const fn new(budget: f64) -> Self {
        Self {
            budget,
            answers: VecDeque::new(),
            source_streak: 0,
        }
    }

    /// Notes one outcome. Returns the trip if that was one error too many.
    pub fn note(&mut self, outcome: &Outcome) -> Option<BreakerTrip> {
        let class = outcome.errcode.map(|errcode| lookup(errcode).class);
        let fault = matches!(outcome.state, State::Rejected | State::Parked).then_some(FailedRow {
            errcode: outcome.errcode,
            unlisted: class == Some(Class::Unlisted),
        });
        self.source_streak = match (fault, class) {
            (Some(_), Some(Class::Source)) => self.source_streak + 1,
            _ => 0,
        };
        self.answers.push_back(fault);
        if self.answers.len() > ANSWERS {
            self.answers.pop_front();
        }
        (fault.is_some() && self.is_over()).then(|| self.trip())
    }

    fn is_over(&self) -> bool {
        let faults = self.answers.iter().flatten();
        let unlisted = faults.clone().filter(|fault| fault.unlisted).count();
        self.source_streak >= SOURCE_STREAK
            || unlisted >= UNLISTED
            || (self.answers.len() == ANSWERS && share(faults.count()) > self.budget)
    }

    fn trip(&self) -> BreakerTrip {
        let mut counts: BTreeMap<Option<i64>, usize> = BTreeMap::new();
        for fault in self.answers.iter().flatten() {
            *counts.entry(fault.errcode).or_default() += 1;
        }
        let mostly = counts.into_iter().max_by_key(|(_, count)| *count);
        BreakerTrip {
            errors: self.answers.iter().flatten().count(),
            answers: self.answers.len(),
            mostly: mostly.unwrap_or_default(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 200")]
fn share(faults: usize) -> f64 {
    faults as f64 / ANSWERS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(state: State, errcode: i64) -> Outcome {
        Outcome {
            state,
            errcode: Some(errcode),
            attempts: 1,
            links: Vec::new(),
            pending_id: None,
        }
    }

    #[test]
    fn more_than_half_of_two_hundred_errors_trip() {
        let mut breaker = Breaker::new(0.5);
        for _ in 0..100 {
            assert!(breaker.note(&outcome(State::Unlinked, 0)).is_none());
            assert!(breaker.note(&outcome(State::Rejected, 610_014)).is_none());
        }
        // The oldest, a good one, makes room for a bad one.
        let trip = breaker.note(&outcome(State::Rejected, 40_073)).unwrap();
        assert_eq!((trip.errors, trip.answers), (101, 200));
        assert_eq!(trip.mostly, (Some(610_014), 100));
    }

    #[test]
    fn bad_rows_at_the_beginning_do_not_trip_alone() {
        let mut breaker = Breaker::new(0.5);
        let mut note = |state, errcode| breaker.note(&outcome(state, errcode)).is_some();
        let first = (0..30).any(|_| note(State::Rejected, 610_014));
        assert!(!first && !(0..2_970).any(|_| note(State::Linked, 0)));
    }

    #[test]
    fn twenty_wrong_sources_in_a_row_trip() {
        let mut breaker = Breaker::new(0.5);
        let trips = (0..20).map(|_| breaker.note(&outcome(State::Rejected, 845_003)).is_some());
        assert_eq!(
            trips.collect::<Vec<_>>().iter().position(|trip| *trip),
            Some(19)
        );
    }

    #[test]
    fn ten_unlisted_codes_trip() {
        let mut breaker = Breaker::new(0.5);
        let mut tripped = 0;
        for _ in 0..10 {
            assert!(breaker.note(&outcome(State::Linked, 0)).is_none());
            tripped += usize::from(breaker.note(&outcome(State::Parked, 123_456)).is_some());
        }
        assert_eq!(tripped, 1);
    }
}
