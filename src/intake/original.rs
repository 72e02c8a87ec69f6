//! The lines of a source as they are in it, for a copy with more columns.

use super::rows::RowReader;

/// The text of a line, without its end.
pub(crate) enum OriginalLine<'a> {
    /// Fields that can be cut again.
    Fields {
        /// As they are, quotes included.
        text: &'a [u8],
        /// How many they are.
        count: usize,
    },
    /// The first line of what could not be cut into fields.
    Damaged(&'a [u8]),
}

impl RowReader {
    /// Returns the line read last, at first the header. After an invalid line that spans several,
    /// which are read again one by one, it is the first of them.
    pub(crate) fn original(&self) -> OriginalLine<'_> {
        let records = self.records();
        match records.fields() {
            0 => OriginalLine::Damaged(trimmed(records.first_line())),
            _ if self.is_given_up() => OriginalLine::Damaged(trimmed(records.first_line())),
            count => OriginalLine::Fields {
                text: records.text(),
                count,
            },
        }
    }

    /// Whether the source has a column of this name.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.header().has(name)
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
