//! Rows on their way in: written to an unlinked file beside the state file, read back in order.
//!
//! A row becomes a subject only once it is known that none is the same, so that no page of the
//! state file is written to take a duplicate back out.

use std::{
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use tempfile::{SpooledTempFile, spooled_tempfile_in};

use crate::{model::Row, store::Result};

/// What is kept in memory before there is a file.
const IN_MEMORY: usize = 4 << 20;
const BUFFER: usize = 256 << 10;
/// Bytes before the texts of a row: their lengths, and the corp's number or 0.
const HEAD: usize = 16;

/// Rows in the order in which they came.
pub(super) struct RowSpool {
    rows: BufWriter<SpooledTempFile>,
}

impl RowSpool {
    /// An empty one, whose file would lie in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        let rows = spooled_tempfile_in(IN_MEMORY, folder);
        Self {
            rows: BufWriter::with_capacity(BUFFER, rows),
        }
    }

    /// Appends a row.
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

    /// Reads from the first row on; what was pushed stays.
    pub(super) fn read(&mut self) -> Result<Reading<'_>> {
        self.rows.flush()?;
        let file = self.rows.get_mut();
        file.seek(SeekFrom::Start(0))?;
        Ok(Reading {
            rows: BufReader::with_capacity(BUFFER, file),
            text: Vec::new(),
        })
    }
}

/// A row as it was pushed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Spooled<'a> {
    pub(super) unionid: &'a [u8],
    pub(super) openid: &'a [u8],
    pub(super) corp: Option<i64>,
}

/// A pass through the rows.
pub(super) struct Reading<'s> {
    rows: BufReader<&'s mut SpooledTempFile>,
    text: Vec<u8>,
}

impl Reading<'_> {
    /// The next row; asking for more than there are is an error.
    pub(super) fn next(&mut self) -> Result<Spooled<'_>> {
        let head = self.head()?;
        self.text.resize(head.unionid + head.openid, 0);
        self.rows.read_exact(&mut self.text)?;
        let (unionid, openid) = self.text.split_at(head.unionid);
        let corp = head.corp;
        Ok(Spooled {
            unionid,
            openid,
            corp,
        })
    }

    /// Passes over some rows.
    pub(super) fn skip(&mut self, rows: i64) -> Result<()> {
        for _ in 0..rows {
            let head = self.head()?;
            let text = i64::try_from(head.unionid + head.openid).unwrap_or(i64::MAX);
            self.rows.seek_relative(text)?;
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head> {
        let mut head = [0; HEAD];
        self.rows.read_exact(&mut head)?;
        let length = |at: usize| {
            let bytes = [head[at], head[at + 1], head[at + 2], head[at + 3]];
            usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)
        };
        let mut corp = [0; 8];
        corp.copy_from_slice(&head[8..]);
        Ok(Head {
            unionid: length(0),
            openid: length(4),
            corp: Some(i64::from_le_bytes(corp)).filter(|corp| *corp != 0),
        })
    }
}

struct Head {
    unionid: usize,
    openid: usize,
    corp: Option<i64>,
}
