//! The rows of an import in a temporary file: written in order, then read in order, several times.
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
/// Bytes before the texts of a row: their lengths (4 + 4), and the number of the corp or 0 (8).
const HEAD: usize = 16;

/// The rows in the order in which they were pushed.
pub(super) struct RowSpool {
    rows: BufWriter<SpooledTempFile>,
}

impl RowSpool {
    /// Returns an empty one, whose file, if it needs one, is created in `folder` without a name.
    pub(super) fn new(folder: &Path) -> Self {
        let rows = spooled_tempfile_in(IN_MEMORY, folder);
        Self {
            rows: BufWriter::with_capacity(BUFFER, rows),
        }
    }

    pub(super) fn push(&mut self, row: &Row<'_>, corp: Option<i64>) -> Result<()> {
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
    text: Vec<u8>,
}

impl SpoolReader<'_> {
    /// Returns the next row; it is an error if there is none.
    pub(super) fn next(&mut self) -> Result<SpooledRow<'_>> {
        let head = self.head()?;
        self.text.resize(head.unionid + head.openid, 0);
        self.rows.read_exact(&mut self.text)?;
        let (unionid, openid) = self.text.split_at(head.unionid);
        Ok(SpooledRow {
            unionid,
            openid,
            corp: head.corp,
        })
    }

    /// Skips `rows` rows.
    pub(super) fn skip(&mut self, rows: i64) -> Result<()> {
        for _ in 0..rows {
            let head = self.head()?;
            let text = i64::try_from(head.unionid + head.openid).unwrap_or(i64::MAX);
            self.rows.seek_relative(text)?;
        }
        Ok(())
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
