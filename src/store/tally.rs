//! The number of subjects in each state, written with every commit so that it need not be counted.

use rusqlite::Connection;

use super::error::Result;
use crate::model::{State, Tally};

pub(super) fn load_tally(db: &Connection) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut list = db.prepare_cached("SELECT state, subjects FROM tallies")?;
    let mut rows = list.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(state) = State::from_code(row.get(0)?) {
            tally.set(state, row.get::<_, i64>(1)?.unsigned_abs());
        }
    }
    Ok(tally)
}

pub(super) fn save_tally(db: &Connection, tally: &Tally) -> Result<()> {
    let mut update = db.prepare_cached("UPDATE tallies SET subjects = ?2 WHERE state = ?1")?;
    for state in State::ALL {
        update.execute((state as u8, tally.of(state).cast_signed()))?;
    }
    Ok(())
}
