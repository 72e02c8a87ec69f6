//! Who is whose customer: a pure function of the seed and of the day.
//!
//! Nothing is stored per person. An external_userid carries its person and corp under a mask, so
//! that it can be read back; a person with two openids is one person.

use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::id::Id;
use crate::clock::Timestamp;

/// How many people are customers of the downstream corps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorldOptions {
    /// Downstream corps; 1 to 65,535.
    pub corps: u16,
    /// The share of people who are customer of at least one, 0 to 1.
    pub linked: f64,
    /// The share of those who are customer of two or more (up to four), 0 to 1.
    pub several: f64,
    /// The share of subjects refused for good with 610014, 40073 or 610018, 0 to 1.
    pub rejected: f64,
    /// The share of people who on a day leave the corps that they were customers of and join others, or
    /// none, 0 to 1.
    pub changing: f64,
    /// The form of a reply without links.
    pub empty_list: EmptyListForm,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            corps: 7,
            linked: 0.62,
            several: 0.15,
            rejected: 0.0,
            changing: 0.0,
            empty_list: EmptyListForm::Varies,
        }
    }
}

/// The form of an empty `external_userid_info`; which one is real is not stated (D95818).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptyListForm {
    /// Another one from person to person.
    #[default]
    Varies,
    /// The field is left out.
    Absent,
    /// `null`
    Null,
    /// `[]`
    Empty,
}

/// One downstream corp, as `list_app_share_info` spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Corp {
    /// `wp` and 30 characters.
    pub corpid: String,
    /// Begins with 模拟 ("simulated").
    #[serde(rename = "corp_name")]
    pub name: String,
    /// The shared app's id there.
    pub agentid: u32,
}

/// One person, whatever openid they came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Person(u64);

/// In milliseconds.
const DAY: i64 = 86_400_000;

const CITIES: [&str; 12] = [
    "杭州", "苏州", "成都", "武汉", "西安", "青岛", "长沙", "郑州", "厦门", "沈阳", "昆明", "合肥",
];

/// The people and the corps.
pub struct World {
    seed: u64,
    owner: u64,
    options: WorldOptions,
    corps: Vec<Corp>,
}

impl World {
    /// Returns the world of `seed`.
    #[must_use]
    pub fn new(seed: u64, options: WorldOptions) -> Self {
        let count = options.corps.max(1);
        Self {
            seed,
            owner: mix(seed, 1),
            options,
            corps: (0..count).map(|place| corp(seed, place)).collect(),
        }
    }

    /// The downstream corps, in the order of their list.
    #[must_use]
    pub fn corps(&self) -> &[Corp] {
        &self.corps
    }

    /// Returns the place of `corpid` among the corps; case-sensitive, as encrypted ids are.
    #[must_use]
    pub fn place(&self, corpid: &str) -> Option<usize> {
        self.corps.iter().position(|corp| corp.corpid == corpid)
    }

    /// Returns the person of a unionid.
    #[must_use]
    pub fn person(&self, unionid: &str) -> Person {
        Person(xxh3_64_with_seed(unionid.as_bytes(), self.seed))
    }

    /// Returns the errcode with which these ids are always refused.
    #[must_use]
    pub fn rejection(&self, person: Person, openid: &str) -> Option<i64> {
        if self.options.rejected <= 0.0 {
            return None;
        }
        let chance = mix(person.0 ^ xxh3_64(openid.as_bytes()), self.seed ^ 2);
        let codes = [610_014, 40_073, 610_018];
        (share(chance) < self.options.rejected).then(|| codes[(chance % 3) as usize])
    }

    /// Returns the places of the corps whose customer `person` is at `now`, at most four.
    pub fn corps_of(&self, person: Person, now: Timestamp) -> impl Iterator<Item = usize> {
        let chance = mix(person.0 ^ self.changes(person, now), self.seed ^ 3);
        let count = self.corps.len();
        let known = if share(chance) < self.options.linked {
            self.how_many(mix(chance, 4)).min(count)
        } else {
            0
        };
        let first = (mix(chance, 5) % count as u64) as usize;
        (0..known).map(move |next| (first + next) % count)
    }

    /// How often `person` has changed corps until `now`: at even intervals of days, which end for
    /// everybody on another day.
    fn changes(&self, person: Person, now: Timestamp) -> u64 {
        if self.options.changing <= 0.0 {
            return 0;
        }
        let days = now.as_millis().div_euclid(DAY) as f64;
        let phase = share(mix(person.0, self.seed ^ 14));
        (days * self.options.changing + phase) as u64
    }

    fn how_many(&self, chance: u64) -> usize {
        if share(chance) >= self.options.several {
            return 1;
        }
        // Half of the rest are customers of two corps, a quarter of three, a quarter of four.
        2 + (chance.trailing_zeros().min(2)) as usize
    }

    /// Returns the id of `person` at the corp at `place`.
    #[must_use]
    pub fn external_userid(&self, person: Person, place: usize) -> Id {
        let tag = self.tag(person, place);
        let masked = person.0 ^ mix(tag, self.seed);
        let corp = (place as u64 ^ mix(tag, 6)) & 0xffff;
        let payload = (u128::from(masked) << 64) | u128::from((tag << 16) | corp);
        Id::new(*b"wm", self.owner, payload)
    }

    /// Returns the person of an external_userid and the place of the corp; `None` if this world
    /// did not make it, or the person is no customer there at `now`.
    #[must_use]
    pub fn read_external_userid(&self, text: &str, now: Timestamp) -> Option<(Person, usize)> {
        let payload = Id::payload(text)?;
        let tag = (payload as u64) >> 16;
        let place = ((payload as u64 ^ mix(tag, 6)) & 0xffff) as usize;
        let person = Person((payload >> 64) as u64 ^ mix(tag, self.seed));
        let known = self.corps_of(person, now).any(|known| known == place);
        (known && self.external_userid(person, place).as_str() == text).then_some((person, place))
    }

    /// Returns the pending_id of `person`, the same at every call (not stated, D97357).
    #[must_use]
    pub fn pending_id(&self, person: Person) -> Id {
        let (high, low) = (mix(person.0, self.seed ^ 7), mix(person.0, self.seed ^ 8));
        Id::new(
            *b"pd",
            self.owner,
            (u128::from(high) << 64) | u128::from(low),
        )
    }

    /// Returns the form of the empty list for `person`; never [`EmptyListForm::Varies`].
    #[must_use]
    pub fn empty_list(&self, person: Person) -> EmptyListForm {
        let forms = [
            EmptyListForm::Absent,
            EmptyListForm::Null,
            EmptyListForm::Empty,
        ];
        match self.options.empty_list {
            EmptyListForm::Varies => forms[(mix(person.0, self.seed ^ 9) % 3) as usize],
            other => other,
        }
    }

    /// Returns 48 bits that a forged id lacks.
    fn tag(&self, person: Person, place: usize) -> u64 {
        mix(person.0 ^ ((place as u64) << 48), self.seed ^ 10) >> 16
    }
}

fn corp(seed: u64, place: u16) -> Corp {
    let number = usize::from(place);
    let payload = (u128::from(mix(seed ^ 11, number as u64)) << 64)
        | u128::from(mix(seed ^ 12, number as u64));
    Corp {
        corpid: Id::new(*b"wp", mix(seed, 13), payload).as_str().to_owned(),
        name: format!(
            "模拟经销商{:02} {}",
            number + 1,
            CITIES[number % CITIES.len()]
        ),
        agentid: 1_000_002 + u32::from(place),
    }
}

fn mix(number: u64, seed: u64) -> u64 {
    xxh3_64_with_seed(&number.to_le_bytes(), seed)
}

/// Returns a hash as a number from 0 to 1, made of its upper bits.
fn share(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(20_000 * DAY);

    fn people(world: &World, count: usize) -> Vec<(Person, Vec<usize>)> {
        (0..count)
            .map(|number| world.person(&format!("oUnion{number:022}")))
            .map(|person| (person, world.corps_of(person, NOW).collect()))
            .collect()
    }

    #[test]
    fn world_is_a_pure_function_of_its_seed() {
        let [one, same] = [0, 1].map(|_| World::new(5, WorldOptions::default()));
        let other = World::new(6, WorldOptions::default());
        assert_eq!(one.corps(), same.corps());
        let mut backwards = people(&same, 500).into_iter().rev().collect::<Vec<_>>();
        backwards.reverse();
        assert_eq!(people(&one, 500), backwards);
        assert_ne!(people(&one, 500), people(&other, 500));
        assert_ne!(one.corps(), other.corps());
    }

    #[test]
    fn about_as_many_are_linked_as_the_options_say() {
        let world = World::new(1, WorldOptions::default());
        let people = people(&world, 20_000);
        let linked = people.iter().filter(|(_, corps)| !corps.is_empty()).count();
        let several = people.iter().filter(|(_, corps)| corps.len() > 1).count();
        assert!(
            (0.60..0.64).contains(&(linked as f64 / 20_000.0)),
            "{linked}"
        );
        assert!(
            (0.13..0.17).contains(&(several as f64 / linked as f64)),
            "{several}"
        );
    }

    #[test]
    fn external_userid_differs_per_corp_and_can_be_read_back() {
        let world = World::new(1, WorldOptions::default());
        let mut seen = std::collections::HashSet::new();
        for (person, corps) in people(&world, 2_000) {
            for place in corps {
                let id = world.external_userid(person, place);
                assert!(id.as_str().starts_with("wm") && id.as_str().len() == 32);
                assert!(seen.insert(id));
                assert_eq!(
                    world.read_external_userid(id.as_str(), NOW),
                    Some((person, place))
                );
            }
        }
        assert_eq!(
            world.read_external_userid("wm000000000000000000000000000000", NOW),
            None
        );
        assert_eq!(world.read_external_userid("wm", NOW), None);
        assert_eq!(world.read_external_userid("wméééééééééééééééé", NOW), None);
    }

    #[test]
    fn a_share_of_the_people_changes_corps_every_day() {
        let options = WorldOptions {
            changing: 0.02,
            ..WorldOptions::default()
        };
        let world = World::new(1, options);
        let at = |day: i64| Timestamp::from_millis((20_000 + day) * DAY);
        let corps = |person, day| world.corps_of(person, at(day)).collect::<Vec<_>>();
        let people: Vec<_> = (0..5_000).map(|n| world.person(&format!("o{n}"))).collect();
        for day in 0..10 {
            let changed = |person: &&Person| corps(**person, day) != corps(**person, day + 1);
            let changed = people.iter().filter(changed).count();
            // Some of those who change end up where they were.
            assert!((40..=130).contains(&changed), "{changed}");
        }
    }

    #[test]
    fn corps_have_unique_ids_and_simulated_names() {
        let world = World::new(
            1,
            WorldOptions {
                corps: 300,
                ..WorldOptions::default()
            },
        );
        assert_eq!(world.corps().len(), 300);
        for (place, corp) in world.corps().iter().enumerate() {
            assert!(corp.corpid.starts_with("wp") && corp.corpid.len() == 32);
            assert!(corp.name.starts_with("模拟"));
            assert_eq!(world.place(&corp.corpid), Some(place));
            assert_eq!(world.place(&corp.corpid.to_lowercase()), None);
        }
    }

    #[test]
    fn rejected_subject_is_rejected_every_time() {
        let world = World::new(
            1,
            WorldOptions {
                rejected: 0.3,
                ..WorldOptions::default()
            },
        );
        let rejected = |number: u32| {
            let person = world.person(&format!("o{number}"));
            world.rejection(person, "openid")
        };
        let codes: Vec<_> = (0..3_000).map(rejected).collect();
        assert_eq!(codes, (0..3_000).map(rejected).collect::<Vec<_>>());
        for code in [610_014, 40_073, 610_018] {
            let share = codes.iter().filter(|seen| **seen == Some(code)).count();
            assert!((200..400).contains(&share), "{code}: {share}");
        }
    }
}
