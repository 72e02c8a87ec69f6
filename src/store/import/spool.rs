//! The rows of an import in a temporary file: written in order, then read in order, several times
//! and from any row on.
//!
//! Rows become subjects only once duplicates are known, so that no page of the job file is written
//! for a duplicate.

use std::{
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use tempfile::{SpooledTempFile, spooled_tempfile_in};

use crate::{model::Row, store::error::Result};

/// Bytes kept in memory before a file is created.
const IN_MEMORY: usize = 4 << 20;
const BUFFER: usize = 256 << 10;
/// Rows from one known place in the file to the next.
const ROWS_A_PLACE: usize = 1024;
/// Bytes before the texts of a row: their lengths (4 + 4), and the number of the corp or 0 (8).
const HEAD: usize = 16;

/// The rows in the order in which they were pushed.
pub(super) struct RowSpool {
    rows: BufWriter<SpooledTempFile>,
    /// Where each [`ROWS_A_PLACE`]th row begins.
    places: Vec<u64>,
    count: usize,
    bytes: u64,
}

impl RowSpool {
    /// Returns an empty one, whose file, if it needs one, is created in `folder` without a name.
    pub(super) fn new(folder: &Path) -> Self {
        let rows = spooled_tempfile_in(IN_MEMORY, folder);
        Self {
            rows: BufWriter::with_capacity(BUFFER, rows),
            places: Vec::new(),
            count: 0,
            bytes: 0,
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>, corp: Option<i64>) -> Result<()> {
        if self.count.is_multiple_of(ROWS_A_PLACE) {
            self.places.push(self.bytes);
        }
        self.count += 1;
        self.bytes += (HEAD + row.unionid.len() + row.openid.len()) as u64;
        let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&length(row.unionid));
        head[4..8].copy_from_slice(&length(row.openid));
        head[8..].copy_from_slice(&corp.unwrap_or_default().to_le_bytes());
        self.rows.write_all(&head)?;
        self.rows.write_all(row.unionid.as_bytes())?;
        self.rows.write_all(row.openid.as_bytes())?;
        Ok(())
    }

    /// Returns a reader that begins at the first row.
    pub(super) fn read(&mut self) -> Result<SpoolReader<'_>> {
        self.rows.flush()?;
        let file = self.rows.get_mut();
        file.seek(SeekFrom::Start(0))?;
        Ok(SpoolReader {
            rows: BufReader::with_capacity(BUFFER, file),
            places: &self.places,
            next: 0,
            at: 0,
            text: Vec::new(),
        })
    }
}

/// A row as it was pushed, the corp by number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SpooledRow<'a> {
    pub(super) unionid: &'a [u8],
    pub(super) openid: &'a [u8],
    pub(super) corp: Option<i64>,
}

/// Reads the rows one after the other.
pub(super) struct SpoolReader<'s> {
    rows: BufReader<&'s mut SpooledTempFile>,
    places: &'s [u64],
    /// The number of the next row, from 0, and where it begins.
    next: usize,
    at: u64,
    text: Vec<u8>,
}

impl SpoolReader<'_> {
    /// Returns the next row; it is an error if there is none.
    pub(super) fn next(&mut self) -> Result<SpooledRow<'_>> {
        let head = self.head()?;
        self.text.resize(head.unionid + head.openid, 0);
        self.rows.read_exact(&mut self.text)?;
        self.passed(&head);
        let (unionid, openid) = self.text.split_at(head.unionid);
        Ok(SpooledRow {
            unionid,
            openid,
            corp: head.corp,
        })
    }

    /// Goes to the row of this number, from 0.
    pub(super) fn seek(&mut self, row: usize) -> Result<()> {
        let known = row / ROWS_A_PLACE;
        if (row < self.next || known > self.next / ROWS_A_PLACE)
            && let Some(place) = self.places.get(known)
        {
            // What lies in the buffer is not read again.
            self.rows
                .seek_relative(place.wrapping_sub(self.at).cast_signed())?;
            (self.next, self.at) = (known * ROWS_A_PLACE, *place);
        }
        while self.next < row {
            self.skip()?;
        }
        Ok(())
    }

    /// Skips a row.
    pub(super) fn skip(&mut self) -> Result<()> {
        let head = self.head()?;
        let text = i64::try_from(head.unionid + head.openid).unwrap_or(i64::MAX);
        self.rows.seek_relative(text)?;
        self.passed(&head);
        Ok(())
    }

    const fn passed(&mut self, head: &RowHead) {
        self.next += 1;
        self.at += (HEAD + head.unionid + head.openid) as u64;
    }

    fn head(&mut self) -> Result<RowHead> {
        let mut head = [0; HEAD];
        self.rows.read_exact(&mut head)?;
        let length = |at: usize| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let mut corp = [0; 8];
        corp.copy_from_slice(&head[8..]);
        Ok(RowHead {
            unionid: length(0),
            openid: length(4),
            corp: Some(i64::from_le_bytes(corp)).filter(|corp| *corp != 0),
        })
    }
}

/// The lengths of the texts of a row, in bytes, and its corp.
struct RowHead {
    unionid: usize,
    openid: usize,
    corp: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_read_from_every_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = RowSpool::new(folder.path());
        let ids: Vec<String> = (0..5000)
            .map(|n| format!("{n}").repeat(n % 7 + 1))
            .collect();
        for id in &ids {
            let row = Row {
                unionid: id,
                openid: "o",
                corpid: None,
            };
            spool.push(&row, None).unwrap();
        }
        let mut rows = spool.read().unwrap();
        for row in [
            0, 4999, 1, 1023, 1024, 1025, 1024, 3000, 3001, 2048, 2047, 2048,
        ] {
            rows.seek(row).unwrap();
            assert_eq!(rows.next().unwrap().unionid, ids[row].as_bytes());
        }
    }
}
