//! Intake: bytes of a source become [`Row`](crate::model::Row)s, or [`RowError`]s that cost no call.
//!
//! [`RowReader::open`] finds out what the bytes are (gzip or zstd, the [`Encoding`], the
//! delimiter, the columns) and then lends one row at a time, straight out of its read buffer:
//! no allocation per row, and never more than a little over 1 MiB in memory whatever the file
//! holds. What cannot be a subject comes out as a [`RowError`], and the rest goes on. [`ReadAhead`]
//! does the same on a thread of its own.
//!
//! ```no_run
//! use idferry::intake::{Input, Line, Options, Rows};
//!
//! # fn main() -> Result<(), idferry::intake::IntakeError> {
//! let mut rows = Rows::open(&Input::parse("fans.csv.gz".as_ref()), &Options::default())?;
//! loop {
//!     match rows.next()? {
//!         Line::Row(row) => { /* enrol row.unionid, row.openid, row.corpid */ }
//!         Line::Bad(error) => eprintln!("{error}"),
//!         Line::End => break,
//!     }
//! }
//! rows.ensure_yield()
//! # }
//! ```

mod buffer;
mod csv;
mod digest;
mod encoding;
mod error;
mod header;
mod input;
mod options;
mod read_ahead;
mod records;
mod reject;
mod rows;
mod validate;

pub use digest::digest;
pub use encoding::Encoding;
pub use error::IntakeError;
pub use input::Input;
pub use options::{Columns, ReadOptions, parse_delimiter};
pub use read_ahead::ReadAhead;
pub use reject::{Reason, RowError};
pub use rows::{Line, RowReader, UnusualIds};

#[cfg(test)]
mod tests;
