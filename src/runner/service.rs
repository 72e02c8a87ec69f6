//! Whether the service works, judged by the latest completions of different subjects.
//!
//! A call that the service failed says nothing about its subject. It is held against the subject
//! only if other subjects were answered between two such failures, so that it must be the subject
//! that the service cannot bear; and it is an outage if nobody is answered any more.

use std::collections::VecDeque;

use crate::{clock::Timestamp, model::SubjectId};

/// Subjects whose latest completions count.
pub(super) const SUBJECTS: usize = 8;
/// Others that may have failed while the service still counts as working.
const FAILED_OTHERS: usize = 1;
/// Others that must have completed before anything is held against a subject.
const KNOWN_OTHERS: usize = 4;

/// The latest completion of each of the last subjects.
#[derive(Debug, Default)]
pub(super) struct ServiceWatch {
    /// Each subject once, the latest completion last; whether it was answered.
    latest: VecDeque<(SubjectId, bool)>,
    /// Failures since the last answer, of whichever subject.
    failures: usize,
    /// When the last answer came.
    answered: Timestamp,
}

impl ServiceWatch {
    /// The service answered a call about `subject`, or refused it in its own words.
    pub(super) fn answered(&mut self, subject: SubjectId, now: Timestamp) {
        self.note(subject, true);
        self.failures = 0;
        self.answered = now;
    }

    /// The service failed a call about `subject`.
    pub(super) fn failed(&mut self, subject: SubjectId) {
        self.note(subject, false);
        self.failures += 1;
    }

    fn note(&mut self, subject: SubjectId, answered: bool) {
        self.latest.retain(|(id, _)| *id != subject);
        self.latest.push_back((subject, answered));
        if self.latest.len() > SUBJECTS {
            self.latest.pop_front();
        }
    }

    /// Whether nobody is answered any more: the last completions were all failures, of as many
    /// different subjects as there are `left`, up to eight.
    pub(super) fn is_out_of_order(&self, left: usize) -> bool {
        self.failures >= SUBJECTS && self.failed_subjects() >= SUBJECTS.min(left)
    }

    /// Different subjects that failed since the last answer, up to eight.
    pub(super) fn failed_subjects(&self) -> usize {
        let latest = self.latest.iter().rev();
        latest.take_while(|(_, answered)| !answered).count()
    }

    /// Whether others are answered: some of them since `before`, and nearly all of the latest.
    pub(super) fn works_for_others(&self, subject: SubjectId, before: Timestamp) -> bool {
        let others = self.latest.iter().filter(|(id, _)| *id != subject);
        let failed = others.clone().filter(|(_, answered)| !answered).count();
        self.answered > before && others.count() >= KNOWN_OTHERS && failed <= FAILED_OTHERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1000)
    }

    /// A watch that has seen `subjects`, positive ones answered, negative ones failed.
    fn watch(subjects: &[i64]) -> ServiceWatch {
        let mut watch = ServiceWatch::default();
        for (second, subject) in (1..).zip(subjects) {
            let id = SubjectId(subject.abs());
            if *subject > 0 {
                watch.answered(id, at(second));
            } else {
                watch.failed(id);
            }
        }
        watch
    }

    #[test]
    fn eight_failures_of_different_subjects_are_an_outage() {
        assert!(watch(&[1, -2, -3, -4, -5, -6, -7, -8, -9]).is_out_of_order(100));
        assert!(!watch(&[1, -2, -3, -4, -5, -6, -7, -8]).is_out_of_order(100));
        assert!(!watch(&[-2, -3, -4, -5, 1, -6, -7, -8, -9]).is_out_of_order(100));
        // One that fails again and again is not eight.
        assert!(!watch(&[1, -2, -2, -2, -2, -2, -2, -2, -2]).is_out_of_order(100));
        assert!(watch(&[1, -2, -3, -2, -3, -2, -3, -2, -3]).is_out_of_order(2));
    }

    #[test]
    fn failure_is_held_against_a_subject_only_if_others_are_answered() {
        let works =
            |subjects: &[i64], before| watch(subjects).works_for_others(SubjectId(9), at(before));
        assert!(works(&[1, 2, 3, 4, -9], 2));
        assert!(!works(&[1, 2, 3, 4, -9], 4), "nobody since");
        assert!(!works(&[1, 2, 3, -9], 2), "too few");
        assert!(works(&[1, 2, 3, 4, -5, 6, -9], 2));
        assert!(!works(&[1, 2, -3, 4, -5, 6, -9], 2), "others fail too");
    }
}
