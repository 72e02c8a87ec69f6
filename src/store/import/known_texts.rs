//! The texts that rows of an import are compared with.

use rusqlite::Connection;

use super::spool::{RowSpool, SpooledRow};
use crate::store::error::Result;

/// Subjects of which no more than so many lie between are read with all between them: stepping to the
/// next one takes a fraction of the time of finding one.
const NEAR: i64 = 16;

/// The number of a row in the spool, from 0.
pub(super) fn row_of(id: i64, first: i64) -> usize {
    usize::try_from(id - first).unwrap_or_default()
}

/// The texts of some ids, by the index of the id.
pub(super) struct KnownTexts {
    bytes: Vec<u8>,
    rows: Vec<TextRange>,
}

/// Where the text of a row is.
#[derive(Clone, Copy, Default)]
struct TextRange {
    start: usize,
    unionid_end: usize,
    openid_end: usize,
    corp: Option<i64>,
}

impl KnownTexts {
    /// Reads the texts of these ids: known subjects from the file, rows from `first` on from the spool,
    /// each in the order of ids.
    pub(super) fn of(
        db: &Connection,
        spool: &mut RowSpool,
        first: i64,
        ids: impl Iterator<Item = i64>,
    ) -> Result<Self> {
        let mut visits: Vec<(i64, usize)> = ids.zip(0..).collect();
        visits.sort_unstable();
        let in_file = visits.partition_point(|(id, _)| *id < first);
        let (in_file, in_spool) = visits.split_at(in_file);
        let mut texts = Self {
            bytes: Vec::new(),
            rows: vec![TextRange::default(); visits.len()],
        };
        let is_near = |a: &(i64, usize), b: &(i64, usize)| b.0 - a.0 <= NEAR;
        for visits in in_file.chunk_by(is_near) {
            texts.keep_subjects(db, visits)?;
        }
        let mut rows = spool.read()?;
        for same_row in in_spool.chunk_by(|a, b| a.0 == b.0) {
            rows.seek(row_of(same_row[0].0, first))?;
            let row = rows.next()?;
            for (_, index) in same_row {
                texts.keep(*index, &row);
            }
        }
        Ok(texts)
    }

    /// Reads known subjects of which each is near the next: rather all between them than each alone.
    fn keep_subjects(&mut self, db: &Connection, visits: &[(i64, usize)]) -> Result<()> {
        let sql =
            "SELECT id, unionid, openid, corp FROM subjects WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
        let (Some(from), Some(to)) = (visits.first(), visits.last()) else {
            return Ok(());
        };
        let mut visits = visits.iter().peekable();
        let mut scan = db.prepare_cached(sql)?;
        let mut rows = scan.query([from.0, to.0])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            while let Some((_, index)) = visits.next_if(|visit| visit.0 == id) {
                let known = SpooledRow {
                    unionid: text(row, 1)?,
                    openid: text(row, 2)?,
                    corp: row.get(3)?,
                };
                self.keep(*index, &known);
            }
        }
        Ok(())
    }

    fn keep(&mut self, index: usize, row: &SpooledRow<'_>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(row.unionid);
        let unionid_end = self.bytes.len();
        self.bytes.extend_from_slice(row.openid);
        self.rows[index] = TextRange {
            start,
            unionid_end,
            openid_end: self.bytes.len(),
            corp: row.corp,
        };
    }

    /// Whether `row` equals the `index`th text.
    pub(super) fn equals(&self, index: usize, row: &SpooledRow<'_>) -> bool {
        let known = &self.rows[index];
        self.bytes[known.start..known.unionid_end] == *row.unionid
            && self.bytes[known.unionid_end..known.openid_end] == *row.openid
            && known.corp == row.corp
    }
}

fn text<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<&'r [u8]> {
    let text = row.get_ref(column)?.as_bytes();
    Ok(text.map_err(rusqlite::Error::from)?)
}
