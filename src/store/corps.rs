//! Corps: each corpid is stored once, links and subjects refer to it by number.

use std::collections::HashMap;

use rusqlite::Connection;

use super::error::Result;

/// The number of each corpid, case-sensitive.
pub(super) type Corps = HashMap<Box<str>, i64>;

/// Reads all numbers.
pub(super) fn load_corps(db: &Connection) -> Result<Corps> {
    let mut list = db.prepare("SELECT corpid, id FROM corps")?;
    let corps = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(corps.collect::<std::result::Result<_, _>>()?)
}

/// Returns the number of a corp; a new one is inserted.
pub(super) fn corp_number(db: &Connection, corps: &mut Corps, corpid: &str) -> Result<i64> {
    if let Some(corp) = corps.get(corpid) {
        return Ok(*corp);
    }
    let mut insert = db.prepare_cached("INSERT INTO corps (corpid) VALUES (?1) RETURNING id")?;
    let corp = insert.query_row([corpid], |row| row.get(0))?;
    corps.insert(corpid.into(), corp);
    Ok(corp)
}
