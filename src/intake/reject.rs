//! Lines that cannot be a subject, and what is wrong with them.

use std::{fmt, sync::Arc};

/// What is wrong with a line; it reads on from the name of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No id where one is needed.
    Empty,
    /// The line ends before the column.
    Absent {
        /// How many fields the line has.
        fields: usize,
    },
    /// A character no id has.
    Character(char),
    /// Bytes that are no text in the encoding of the source.
    NotText,
    /// Too short or too long for an id.
    Length(usize),
    /// Too long for a corpid.
    CorpidLength(usize),
    /// Another corp than `--corpid`.
    OtherCorp,
    /// A line break within an id, most likely from a stray quote.
    LineBreak,
    /// A NUL byte somewhere in the line.
    Nul,
    /// A quote that is not closed, or not within 64 KiB.
    UnclosedQuote,
    /// A field of more than 64 KiB.
    LongField,
    /// A record of more than 1 MiB.
    LongRecord,
}

impl fmt::Display for Reason {
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
/// It carries the line's own text for the rejects file; neither its `Debug` nor its `Display`
/// shows it, for it is personal.
#[derive(Clone, PartialEq, Eq)]
pub struct RowError {
    /// The source.
    pub source: Arc<str>,
    /// The physical line on which the record starts; the header is line 1.
    pub line: u64,
    /// The offending column as the header names it; empty if it is the line as a whole.
    pub column: String,
    /// What is wrong with it.
    pub reason: Reason,
    /// The original fields, each cut at 200 characters; the beginning of the line, if it could
    /// not be cut into fields.
    pub fields: Vec<String>,
}

impl RowError {
    /// Line, column and reason; the source is told by what is around.
    pub(super) fn complaint(&self) -> String {
        let column = match self.column.as_str() {
            "" => "the line",
            column => column,
        };
        format!("line {}: {column} {}", self.line, self.reason)
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.source, self.complaint())
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
            reason: Reason::Character(','),
            fields: vec!["oSECRET".to_owned()],
        };
        assert!(!format!("{error:?} {error}").contains("oSECRET"));
    }
}
