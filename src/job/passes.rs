//! Asking again: which passes a run works off, and which ones a resync opens.

use std::time::Duration;

use super::error::Error;
use crate::{
    clock::Timestamp,
    model::State,
    store::{Pass, PassOrigin, Passes, Reader, Selection, Store},
};

/// How old answers may get before a resync asks for them again; zero stands for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Answers that nobody downstream has this person.
    pub unlinked_after: Duration,
    /// Answers with links.
    pub linked_after: Duration,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Refresh {
    fn default() -> Self {
        Self {
            unlinked_after: DAY * 7,
            linked_after: DAY * 30,
        }
    }
}

impl Refresh {
    /// What a resync that begins at `now` asks again, in this order.
    fn selections(&self, now: Timestamp) -> Vec<(PassOrigin, Selection)> {
        let all = [
            (PassOrigin::Parked, State::Parked, None),
            (
                PassOrigin::Unlinked,
                State::Unlinked,
                Some(self.unlinked_after),
            ),
            (PassOrigin::Linked, State::Linked, Some(self.linked_after)),
        ];
        let wanted = all
            .into_iter()
            .filter(|(.., after)| *after != Some(Duration::ZERO));
        let selection = |(origin, state, after): (_, _, Option<Duration>)| {
            let selection = Selection {
                states: vec![state],
                errcodes: Vec::new(),
                before: after.map(|after| now.minus(after)),
            };
            (origin, selection)
        };
        wanted.map(selection).collect()
    }

    /// How many subjects each pass of a resync that begins at `now` asks, in this order: those left in
    /// passes that an earlier night began, and those due in passes that this one opens.
    pub(crate) fn due(
        &self,
        reader: &Reader<'_>,
        now: Timestamp,
    ) -> Result<Vec<(PassOrigin, u64)>, Error> {
        let unfinished = in_order(reader.passes().unfinished()?);
        let mut due: Vec<_> = unfinished
            .iter()
            .map(|pass| (pass.origin, pass.left()))
            .collect();
        for (origin, selection) in self.selections(now) {
            if unfinished.iter().all(|pass| pass.origin != origin) {
                due.push((origin, reader.passes().count(&selection)?));
            }
        }
        Ok(due)
    }

    /// Opens those passes that are not open from an earlier night. An open one continues at its cursor
    /// instead: what an operator's night is too short for comes first in the next one.
    fn open(&self, store: &mut Store, now: Timestamp) -> Result<(), Error> {
        let unfinished = store.passes().unfinished()?;
        for (origin, selection) in self.selections(now) {
            if unfinished.iter().all(|pass| pass.origin != origin) {
                store.open_pass(origin, &selection, None, now)?;
            }
        }
        Ok(())
    }
}

/// In the order in which they are worked off: what an operator asked for, then the parked, who are few,
/// then the oldest pass, so that none waits for ever behind another that is opened night after night.
fn in_order(mut passes: Vec<Pass>) -> Vec<Pass> {
    let rank = |origin| match origin {
        PassOrigin::Retry => 0,
        PassOrigin::Parked => 1,
        PassOrigin::Unlinked | PassOrigin::Linked => 2,
    };
    passes.sort_by_key(|pass| (rank(pass.origin), pass.id));
    passes
}

/// For a resync: opens the passes over answers that have grown old.
pub(super) fn open(
    store: &mut Store,
    refresh: Option<Refresh>,
    now: Timestamp,
) -> Result<(), Error> {
    refresh.map_or(Ok(()), |refresh| refresh.open(store, now))
}

/// The passes that a run works off, in order: a resync all, another run those that an operator asked
/// for.
pub(super) fn of_run(stored: &Passes<'_>, refresh: Option<Refresh>) -> Result<Vec<Pass>, Error> {
    let mut passes = in_order(stored.unfinished()?);
    if refresh.is_none() {
        passes.retain(|pass| pass.origin == PassOrigin::Retry);
    }
    Ok(passes)
}

/// How many subjects such a run has to ask, `queued` ones and those of its passes.
pub(super) fn left(
    queued: u64,
    stored: &Passes<'_>,
    refresh: Option<Refresh>,
) -> Result<u64, Error> {
    let in_passes: u64 = of_run(stored, refresh)?.iter().map(Pass::left).sum();
    Ok(queued + in_passes)
}
