//! Lines that cannot be a subject: what is wrong with them, and the file they go to.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempfile::NamedTempFile;

use super::{IntakeError, csv};

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

/// The CSV file of all lines that cost no call: `source,line,column,reason` and then the
/// original fields.
///
/// It comes into being with the first reject and appears under its name with
/// [`finish`](Self::finish): half a file is never seen, and a run without rejects leaves the
/// one of an earlier run alone. Only its owner can read it, for it holds personal ids.
pub struct RejectsFile {
    path: PathBuf,
    sink: Option<csv::Writer<NamedTempFile>>,
    rows: u64,
}

impl RejectsFile {
    /// A rejects file that will stand at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            sink: None,
            rows: 0,
        }
    }

    /// Rejects written so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds one line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, error: &RowError) -> Result<(), IntakeError> {
        self.try_write(error)
            .map_err(|reason| failed(&self.path, reason))?;
        self.rows += 1;
        Ok(())
    }

    /// Puts the file under its name; the path, if there was anything to write.
    ///
    /// # Errors
    /// If it cannot be written or renamed.
    pub fn finish(self) -> Result<Option<PathBuf>, IntakeError> {
        let Self { path, sink, .. } = self;
        match sink.map(|sink| publish(sink, &path)) {
            None => Ok(None),
            Some(Ok(())) => Ok(Some(path)),
            Some(Err(reason)) => Err(failed(&path, reason)),
        }
    }

    fn try_write(&mut self, error: &RowError) -> io::Result<()> {
        let sink = match &mut self.sink {
            Some(sink) => sink,
            None => self.sink.insert(create(&self.path)?),
        };
        let line = error.line.to_string();
        let reason = error.reason.to_string();
        let own = [&*error.source, &line, &error.column, &reason];
        let fields = error.fields.iter().map(String::as_str);
        Ok(sink.write_record(own.into_iter().chain(fields))?)
    }
}

/// A temporary file beside `path` (mode 0600) with the header in it.
fn create(path: &Path) -> io::Result<csv::Writer<NamedTempFile>> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::Builder::new()
        .prefix(".idferry-rejects-")
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    let mut sink = csv::writer(file);
    sink.write_record(["source", "line", "column", "reason", "fields"])?;
    Ok(sink)
}

fn publish(sink: csv::Writer<NamedTempFile>, path: &Path) -> io::Result<()> {
    let file = sink.into_inner().map_err(|error| error.into_error())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn failed(path: &Path, reason: io::Error) -> IntakeError {
    IntakeError::Rejects {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn error(line: u64, fields: &[&str]) -> RowError {
        RowError {
            source: "fans.csv".into(),
            line,
            column: "openid".into(),
            reason: Reason::Character(','),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        }
    }

    #[test]
    fn without_rejects_there_is_no_file_and_an_old_one_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fans.rejects.csv");
        assert_eq!(RejectsFile::new(&path).finish().unwrap(), None);
        assert!(!path.exists());
        fs::write(&path, "old").unwrap();
        RejectsFile::new(&path).finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn rejects_are_escaped_and_appear_when_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fans.rejects.csv");
        let mut rejects = RejectsFile::new(&path);
        rejects
            .write(&error(7, &["u", "a,b", "say \"hi\""]))
            .unwrap();
        rejects.write(&error(9, &[])).unwrap();
        assert!(!path.exists());
        assert_eq!(rejects.rows(), 2);
        assert_eq!(rejects.finish().unwrap().as_deref(), Some(path.as_path()));
        let text = fs::read_to_string(&path).unwrap();
        let reason = "\"has the character ','; ids are made of A-Z a-z 0-9 _ -\"";
        let first = format!("fans.csv,7,openid,{reason},u,\"a,b\",\"say \"\"hi\"\"\"");
        let second = format!("fans.csv,9,openid,{reason}");
        let header = "source,line,column,reason,fields";
        assert_eq!(text, format!("{header}\n{first}\n{second}\n"));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn an_unfinished_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut rejects = RejectsFile::new(folder.path().join("fans.rejects.csv"));
        rejects.write(&error(7, &["u"])).unwrap();
        drop(rejects);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let mut rejects = RejectsFile::new("nowhere/fans.rejects.csv");
        let told = rejects.write(&error(7, &[])).unwrap_err().to_string();
        assert!(told.starts_with("cannot write the rejects to nowhere/fans.rejects.csv:"));
    }

    #[test]
    fn neither_debug_nor_display_shows_the_fields() {
        let error = error(7, &["oSECRET"]);
        assert!(!format!("{error:?} {error}").contains("oSECRET"));
    }
}
