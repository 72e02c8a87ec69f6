//! A stretch of a reader held in memory, so that fields can be lent out of it.

use std::io::{self, Read};

/// Bytes asked for at a time; small enough that they are still in the cache when they are cut.
const CHUNK: usize = 128 * 1024;

/// The bytes between what was consumed and what was read.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    offset: u64,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            reader,
            buffer: vec![0; 2 * CHUNK],
            start: 0,
            end: 0,
            eof: false,
            offset: 0,
        }
    }

    /// What is in memory and not consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether [`bytes`](Self::bytes) are the last ones.
    pub(super) const fn eof(&self) -> bool {
        self.eof
    }

    /// How many bytes were consumed so far.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }

    /// Reads on behind what is there. It grows as long as nothing is consumed; the caller
    /// sets the limit.
    pub(super) fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < CHUNK {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        let read = loop {
            match self.reader.read(&mut self.buffer[self.end..][..CHUNK]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += read;
        self.eof = read == 0;
        Ok(())
    }
}
