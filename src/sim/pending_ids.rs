//! Who was asked a pending_id for: only they have one (D98040).

use std::{collections::HashMap, time::Duration};

use super::world::Person;
use crate::clock::Timestamp;

/// A pending_id's life (D97357).
const LIFE: Duration = Duration::from_secs(90 * 86_400);

/// People remembered one by one: some 24 MB. Beyond it everybody counts as asked.
const ROOM: usize = 1_000_000;

/// Whose pending_id exists, and until when. A repeated question renews it (unknown at the real
/// remote).
#[derive(Default)]
pub(super) struct PendingIds {
    people: HashMap<Person, Timestamp>,
    everybody: Timestamp,
}

impl PendingIds {
    pub(super) fn remember(&mut self, now: Timestamp, person: Person) {
        let until = now.plus(LIFE);
        if self.people.len() < ROOM || self.people.contains_key(&person) {
            self.people.insert(person, until);
        } else {
            self.everybody = until;
        }
    }

    pub(super) fn knows(&self, now: Timestamp, person: Person) -> bool {
        let until = self.people.get(&person).copied().unwrap_or_default();
        now < until.max(self.everybody)
    }
}
