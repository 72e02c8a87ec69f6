//! Intake: the bytes of a source become [`Row`](crate::model::Row)s, or [`RowError`]s that cost no
//! call.
//!
//! [`RowReader::open`] detects what the bytes are (gzip or zstd, an Excel workbook, the [`Encoding`],
//! the delimiter, the columns). It then lends one row at a time out of its read buffer, without an allocation per
//! row and with little more than 1 MiB in memory, whatever the source holds. A line that cannot be
//! a subject is returned as a [`RowError`], and reading continues. `ReadAhead` does the same on a
//! thread of its own.
//!
//! ```no_run
//! use idferry::intake::{Input, InputLine, ReadOptions, RowReader};
//!
//! # fn main() -> Result<(), idferry::intake::IntakeError> {
//! let input = Input::parse("fans.csv.gz".as_ref());
//! let mut rows = RowReader::open(&input, &ReadOptions::default())?;
//! loop {
//!     match rows.next()? {
//!         InputLine::Row(row) => { /* import row.unionid, row.openid, row.corpid */ }
//!         InputLine::Invalid(error) => eprintln!("{error}"),
//!         InputLine::End => break,
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod buffer;
mod contacts;
mod csv;
mod digest;
mod encoding;
mod error;
mod header;
mod id;
mod input;
mod options;
mod original;
mod own_file;
mod read_ahead;
mod records;
mod reject;
mod rows;
mod style;
#[cfg(test)]
pub(crate) mod test_workbook;
mod validate;
mod xlsx;

pub(crate) use contacts::read_contacts;
pub(crate) use digest::digest;
pub use encoding::Encoding;
pub use error::IntakeError;
pub(crate) use id::ids_in;
pub(crate) use input::Compression;
pub use input::Input;
pub(crate) use options::parse_delimiter;
pub use options::{Columns, ReadOptions};
pub(crate) use original::OriginalLine;
pub use own_file::RESULTS_COLUMNS;
pub(crate) use own_file::{CHANGE_COLUMN, JOINED_COLUMNS, OwnFile, REJECTS_COLUMNS, escaped};
pub(crate) use read_ahead::ReadAhead;
pub use reject::{RejectReason, RowError};
pub use rows::{InputLine, RowReader, UnusualIds};
pub(crate) use style::{TableStyle, encode};

#[cfg(test)]
mod tests;
