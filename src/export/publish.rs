//! A file appears under its name only when it is complete.
//!
//! It is written beside its target, under a name that begins with a dot, and renamed. Whoever
//! reads the target sees the old one or the new one, never half of either; if the work fails,
//! what was written goes away. Personal ids are in it, so only its owner may read it.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::ExportError;

const BUFFER: usize = 128 * 1024;

/// Where something is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Target {
    /// `-` is standard output, anything else a file.
    #[must_use]
    pub fn parse(name: &Path) -> Self {
        if name.as_os_str() == "-" {
            Self::Stdout
        } else {
            Self::File(name.to_owned())
        }
    }

    /// What tells the file that lies there from any other, and from itself once it was touched.
    /// `None` if none lies there, or what does is no file. Not the same for another version of
    /// idferry, which may write other results.
    #[must_use]
    pub fn mark(&self) -> Option<String> {
        let Self::File(path) = self else { return None };
        let there = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(format!(
            "{} {} {} {}.{:09} {}",
            there.dev(),
            there.ino(),
            there.size(),
            there.ctime(),
            there.ctime_nsec(),
            env!("CARGO_PKG_VERSION")
        ))
    }

    /// Tries, before the work, whether it could be written after it.
    ///
    /// # Errors
    ///
    /// [`ExportError::IsFolder`], [`ExportError::NoFolder`], [`ExportError::Folder`].
    pub fn check(&self) -> Result<(), ExportError> {
        match self {
            Self::Stdout => Ok(()),
            // Opening a named pipe waits for its reader, and closing it says that all was written.
            Self::File(path) if is_stream(path) => Ok(()),
            // Making a file is the only answer that holds everywhere; it is removed again.
            Self::File(path) => file_sink(path).map(drop),
        }
    }

    /// Begins to write.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn open(&self) -> Result<Publication, ExportError> {
        let (name, sink) = match self {
            Self::Stdout => (
                "standard output".to_owned(),
                Sink::Stream(Box::new(io::stdout())),
            ),
            Self::File(path) => (path.display().to_string(), file_sink(path)?),
        };
        let out = BufWriter::with_capacity(BUFFER, Named { name, sink });
        Ok(Publication { out })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

/// Something on its way to its name. Dropped before [`publish`](Self::publish), a file leaves
/// nothing behind.
pub struct Publication {
    out: BufWriter<Named>,
}

impl Publication {
    /// Gives the file its name, once all of it is on the disk.
    ///
    /// # Errors
    ///
    /// What the system says; the file is then removed.
    pub fn publish(mut self) -> Result<(), ExportError> {
        self.out.flush()?;
        let Named { name, sink } = self
            .out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let renamed = match sink {
            Sink::Stream(_) => Ok(()),
            Sink::Beside { part, target } => rename(part, &target),
        };
        Ok(renamed.map_err(|error| naming(&name, &error))?)
    }
}

impl Write for Publication {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Where bytes go.
enum Sink {
    /// Straight through: a pipe, a terminal, a device.
    Stream(Box<dyn Write>),
    /// A file beside its target.
    Beside {
        part: NamedTempFile,
        target: PathBuf,
    },
}

/// A sink whose errors say which it was.
struct Named {
    name: String,
    sink: Sink,
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sink {
            Sink::Stream(stream) => stream.write(bytes),
            Sink::Beside { part, .. } => part.write(bytes),
        };
        // An interrupted write is tried again by its kind, which naming keeps.
        written.map_err(|error| naming(&self.name, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.sink {
            Sink::Stream(stream) => stream.flush(),
            Sink::Beside { part, .. } => part.flush(),
        };
        flushed.map_err(|error| naming(&self.name, &error))
    }
}

fn naming(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// /dev/null, a named pipe: nothing that may be replaced by a file.
fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

fn file_sink(path: &Path) -> Result<Sink, ExportError> {
    let named = |error: io::Error| naming(&path.display().to_string(), &error);
    if is_stream(path) {
        let stream = File::options().write(true).open(path).map_err(named)?;
        return Ok(Sink::Stream(Box::new(stream)));
    }
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(ExportError::IsFolder {
            path: path.to_owned(),
        }),
        // A symbolic link stays one: what it points to is replaced.
        Ok(_) => beside(path, fs::canonicalize(path).map_err(named)?),
        Err(_) => beside(path, path.to_owned()),
    }
}

fn beside(path: &Path, target: PathBuf) -> Result<Sink, ExportError> {
    let folder = folder_of(&target);
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let part = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".part")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder);
    match part {
        Ok(part) => Ok(Sink::Beside { part, target }),
        Err(_) if !folder.is_dir() => Err(ExportError::NoFolder {
            path: path.to_owned(),
            folder: folder.to_owned(),
        }),
        Err(why) => Err(ExportError::Folder {
            path: path.to_owned(),
            folder: folder.to_owned(),
            why,
        }),
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn rename(part: NamedTempFile, target: &Path) -> io::Result<()> {
    // Content before name: after a power cut there is no empty file under a good name.
    part.as_file().sync_all()?;
    part.persist(target).map_err(|error| error.error)?;
    // The name itself; not every file system can sync a folder, and the content is safe anyway.
    if let Ok(folder) = File::open(folder_of(target)) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_whole_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links.csv");
        fs::write(&path, "old").unwrap();
        let mut publication = Target::File(path.clone()).open().unwrap();
        publication.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        publication.publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names_in(folder.path()), ["links.csv"]);
    }

    #[test]
    fn work_that_failed_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::File(folder.path().join("links.csv"));
        target.check().unwrap();
        let mut publication = target.open().unwrap();
        publication.write_all(b"half").unwrap();
        assert_eq!(names_in(folder.path()).len(), 1);
        drop(publication);
        assert_eq!(names_in(folder.path()), [""; 0]);
    }

    #[test]
    fn a_folder_is_no_target() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Target::File(folder.path().to_owned()).check().unwrap_err();
        assert!(refused.to_string().contains("is a folder"), "{refused}");
        let refused = Target::File(folder.path().join("no/links.csv")).check();
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("there is no folder"), "{refused}");
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = Target::File(folder.path().join("file/links.csv")).check();
        assert!(matches!(refused, Err(ExportError::NoFolder { .. })));
    }

    #[test]
    fn a_symbolic_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut publication = Target::File(link.clone()).open().unwrap();
        publication.write_all(b"new").unwrap();
        publication.publish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn a_device_is_written_through_and_a_full_one_says_where_the_answers_are() {
        Target::File("/dev/null".into()).check().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        if !Path::new("/dev/full").exists() {
            return;
        }
        let mut publication = Target::File("/dev/full".into()).open().unwrap();
        publication.write_all(b"x").unwrap();
        let refused = publication.publish().unwrap_err();
        assert!(matches!(refused, ExportError::Full(_)), "{refused}");
        assert!(refused.to_string().contains("/dev/full"), "{refused}");
    }

    #[test]
    fn a_closed_pipe_can_be_told_from_a_failure() {
        let error = naming("standard output", &io::ErrorKind::BrokenPipe.into());
        assert!(ExportError::from(error).is_closed_pipe());
    }
}
