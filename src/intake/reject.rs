//! Lines that cannot be subjects, and what is wrong with them.

use std::{fmt, sync::Arc};

/// What is wrong with a line. `Display` continues a sentence that begins with the column's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// An id is empty.
    Empty,
    /// The line ends before the column.
    Absent {
        /// How many fields the line has.
        fields: usize,
    },
    /// A character that no id has.
    Character(char),
    /// Bytes that are no text in the encoding of the source.
    NotText,
    /// An id of this length, outside 16 to 64.
    Length(usize),
    /// A corpid of this length, outside 1 to 64.
    CorpidLength(usize),
    /// Another corp than `--corpid`.
    OtherCorp,
    /// A line break within an id, which a stray quote can cause.
    LineBreak,
    /// A NUL byte somewhere in the line.
    Nul,
    /// A quote that is not closed within 64 KiB.
    UnclosedQuote,
    /// A field of more than 64 KiB.
    LongField,
    /// A record of more than 1 MiB.
    LongRecord,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Absent { fields: 1 } => f.write_str("is missing: the line has 1 field"),
            Self::Absent { fields } => write!(f, "is missing: the line has {fields} fields"),
            Self::Character(letter) => write!(
                f,
                "has the character '{}'; ids are made of A-Z a-z 0-9 _ -",
                letter.escape_debug()
            ),
            Self::NotText => f.write_str("has bytes that are no text in this encoding"),
            Self::Length(length) => write!(f, "has {length} characters; ids have 16 to 64"),
            Self::CorpidLength(length) => {
                write!(f, "has {length} characters; corpids have 1 to 64")
            }
            Self::OtherCorp => f.write_str("is another corp than --corpid"),
            Self::LineBreak => f.write_str("has a line break in it; is a quote missing?"),
            Self::Nul => f.write_str("has a NUL byte; the file may be damaged"),
            Self::UnclosedQuote => {
                f.write_str("starts with a quote that is not closed properly within 64 KiB")
            }
            Self::LongField => f.write_str("is longer than 64 KiB"),
            Self::LongRecord => f.write_str("makes the record longer than 1 MiB"),
        }
    }
}

/// A line that cannot be a subject.
///
/// It holds the text of the line, which is personal and which neither `Debug` nor `Display` shows.
#[derive(Clone, PartialEq, Eq)]
pub struct RowError {
    /// The name of the source.
    pub source: Arc<str>,
    /// The physical line on which the record begins; the header is line 1.
    pub line: u64,
    /// The offending column by its name in the header; empty if it is the whole line.
    pub column: String,
    /// What is wrong with it.
    pub reason: RejectReason,
    /// The original fields, at most 200 characters of each: unionid, openid and corpid, empty if
    /// they are absent, then the others in their order. Of a line that could not be cut into fields
    /// the fourth is its beginning.
    pub fields: Vec<String>,
}

impl RowError {
    /// Returns line, column and reason as a sentence without the source.
    pub(super) fn describe(&self) -> String {
        let column = match self.column.as_str() {
            "" => "the line",
            column => column,
        };
        format!("line {}: {column} {}", self.line, self.reason)
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source, self.describe())
    }
}

impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowError({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_display_shows_the_fields() {
        let error = RowError {
            source: "fans.csv".into(),
            line: 7,
            column: "openid".into(),
            reason: RejectReason::Character(','),
            fields: vec!["oSECRET".to_owned()],
        };
        assert!(!format!("{error:?} {error}").contains("oSECRET"));
    }
}
