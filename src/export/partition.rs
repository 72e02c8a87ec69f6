//! Lines that are to end in many files, collected in one pass over the job and with one open file.
//!
//! There may be thousands of downstream corps, each of which has links all over the job: as many
//! open files would be more than a process may have, and a pass for each would take days. Each part
//! appends blocks to one temporary file and remembers where they are.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
    rc::Rc,
};

/// Bytes that are copied at once.
const COPIED: usize = 128 * 1024;

/// The temporary file, which has no name, and its length.
struct Blocks {
    file: File,
    length: u64,
}

/// The parts of one partition.
pub(super) struct Partition {
    blocks: Rc<RefCell<Blocks>>,
}

impl Partition {
    /// Returns one whose temporary file is in `folder`.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let file = tempfile::tempfile_in(folder)?;
        let blocks = Rc::new(RefCell::new(Blocks { file, length: 0 }));
        Ok(Self { blocks })
    }

    /// Returns an empty part.
    pub(super) fn part(&self) -> Part {
        Part {
            blocks: Rc::clone(&self.blocks),
            places: Vec::new(),
        }
    }
}

/// A part of the content: what is written to it, block by block.
pub(super) struct Part {
    blocks: Rc<RefCell<Blocks>>,
    /// Where each block begins, and its length.
    places: Vec<(u64, usize)>,
}

impl Part {
    /// Writes the content to `out`.
    pub(super) fn copy_to(&self, out: &mut impl Write) -> io::Result<()> {
        let blocks = self.blocks.borrow();
        let mut buffer = vec![0; COPIED];
        for (start, length) in &self.places {
            let mut at = *start;
            let mut left = *length;
            while left > 0 {
                let some = &mut buffer[..left.min(COPIED)];
                blocks.file.read_exact_at(some, at)?;
                out.write_all(some)?;
                at += some.len() as u64;
                left -= some.len();
            }
        }
        Ok(())
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut blocks = self.blocks.borrow_mut();
        let start = blocks.length;
        blocks.file.write_all_at(bytes, start)?;
        blocks.length += bytes.len() as u64;
        match self.places.last_mut() {
            Some((from, length)) if *from + *length as u64 == start => *length += bytes.len(),
            _ => self.places.push((start, bytes.len())),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
