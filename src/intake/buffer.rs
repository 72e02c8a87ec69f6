//! A part of a source in memory, out of which fields are borrowed.

use std::io::{self, Read};

/// Bytes read at a time; few enough that they are still in the processor's cache when they are cut
/// into fields.
const CHUNK: usize = 128 * 1024;

/// The bytes that were read and not yet consumed.
pub(super) struct ReadBuffer {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    offset: u64,
}

impl ReadBuffer {
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

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether [`bytes`](Self::bytes) are the last ones of the source.
    pub(super) const fn eof(&self) -> bool {
        self.eof
    }

    /// Returns how many bytes were consumed so far.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Consumes `length` bytes, or all if there are fewer.
    pub(super) fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }

    /// Reads more bytes. The buffer grows while nothing is consumed; the caller must limit that.
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
