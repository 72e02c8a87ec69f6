//! What the header of a file says, read without touching the file, its log or its locks.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

/// What the header of a file says.
pub(super) struct FileHeader {
    pub(super) application_id: i32,
    /// How long the file is to be.
    pub(super) bytes: u64,
}

impl FileHeader {
    /// Reads it, and neither the log nor a journal.
    pub(super) fn read(path: &Path) -> rusqlite::Result<Self> {
        let db = open_immutable(path)?;
        // Else a file whose log is not yet copied into it counts as damaged.
        db.pragma_update(None, "writable_schema", true)?;
        let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let application_id = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let bytes = number("page_count")? * number("page_size")?;
        Ok(Self {
            application_id,
            bytes: bytes.unsigned_abs(),
        })
    }
}

/// Opens a file as one that nobody changes: without locks, log and journal.
pub(super) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'.')
        .remove(b'_')
        .remove(b'-');
    let encoded = percent_encode(path.as_os_str().as_encoded_bytes(), KEPT);
    let root = if path.is_absolute() { "//" } else { "" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .union(OpenFlags::SQLITE_OPEN_URI);
    Connection::open_with_flags(format!("file:{root}{encoded}?immutable=1"), flags)
}
