//! Which people have a pending_id: those for whom one was asked (D98040).

use std::{collections::HashMap, time::Duration};

use super::world::Person;
use crate::clock::Timestamp;

/// A pending_id's life (D97357).
const LIFE: Duration = Duration::from_secs(90 * 86_400);

/// The most people stored one by one, some 24 MB. Beyond them all people count as asked for.
const MOST: usize = 1_000_000;

/// Whose pending_id exists, and until when. A repeated call renews it (not stated, D97357).
#[derive(Default)]
pub(super) struct PendingIdRegistry {
    people: HashMap<Person, Timestamp>,
    /// Until when all people have one.
    all_until: Timestamp,
}

impl PendingIdRegistry {
    pub(super) fn create(&mut self, now: Timestamp, person: Person) {
        let until = now.plus(LIFE);
        if self.people.len() < MOST || self.people.contains_key(&person) {
            self.people.insert(person, until);
        } else {
            self.all_until = until;
        }
    }

    pub(super) fn exists(&self, now: Timestamp, person: Person) -> bool {
        let until = self.people.get(&person).copied().unwrap_or_default();
        now < until.max(self.all_until)
    }
}
