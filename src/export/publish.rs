//! Writing a file so that it appears under its name only when it is complete.
//!
//! It is written beside its target (`PartFile`) and renamed. A reader of the target sees the old
//! content or the new one, never a part; after an error nothing of what was written stays. It holds
//! personal ids, therefore its mode is 0600. A target whose name ends in `.gz` or `.zst` is
//! compressed.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    compress::Compressor,
    error::ExportError,
    part::{PartFile, folder_of},
    sha256::Sha256,
};
use crate::intake::Compression;

const BUFFER: usize = 128 * 1024;

/// Where results or rejects are to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A file.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

impl Target {
    /// Returns standard output for `-`, else a file.
    pub(crate) fn parse(name: &Path) -> Self {
        if name.as_os_str() == "-" {
            Self::Stdout
        } else {
            Self::File(name.to_owned())
        }
    }

    /// Returns the suffix of a file's name, without the dot; of a compressed one, the suffix before
    /// that.
    pub(super) fn suffix(&self) -> Option<&str> {
        let Self::File(path) = self else { return None };
        let packed = self.compression().and_then(|_| path.file_stem());
        let name = packed.map_or(path.as_path(), Path::new);
        name.extension()?.to_str()
    }

    /// Returns how its content is compressed, by its name.
    fn compression(&self) -> Option<Compression> {
        match self {
            Self::File(path) => Compression::from_name(path),
            Self::Stdout => None,
        }
    }

    /// Checks, before any work is done, whether the target can be written.
    ///
    /// # Errors
    ///
    /// [`ExportError::IsFolder`], [`ExportError::NoFolder`], [`ExportError::Folder`] or, for a
    /// device, [`ExportError::Write`].
    pub(crate) fn check(&self) -> Result<(), ExportError> {
        match self {
            Self::Stdout => Ok(()),
            // Opening a named pipe would wait for its reader, and closing it would end its input.
            Self::File(path) if is_stream(path) => Ok(()),
            // Permissions do not tell on every file system whether a file can be created. The
            // file is deleted again.
            Self::File(path) => file_sink(path).map(drop),
        }
    }

    /// Returns a folder for what is needed only while the target is written: that of the file, for
    /// whatever has none of its own the system's place for temporary files.
    pub(crate) fn folder_beside(&self) -> PathBuf {
        match self {
            Self::File(path) if !is_stream(path) => {
                let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                folder_of(&real).to_owned()
            }
            _ => std::env::temp_dir(),
        }
    }

    /// Begins to write; with `hashed` the digest is known afterwards. The errors are those of
    /// [`check`](Self::check).
    pub(super) fn open(&self, hashed: bool) -> Result<Publication, ExportError> {
        let (name, sink) = match self {
            Self::Stdout => (
                "standard output".to_owned(),
                Sink::Stream(Box::new(io::stdout())),
            ),
            Self::File(path) => (path.display().to_string(), file_sink(path)?),
        };
        let sink = NamedSink {
            name,
            sink,
            bytes: 0,
            hash: hashed.then(Sha256::new),
        };
        let out = BufWriter::with_capacity(BUFFER, sink);
        let out = Compressor::new(out, self.compression())?;
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

/// Returns a text that changes when the file at `path` is replaced or written to; `None` if there is
/// no file.
pub(crate) fn file_mark(path: &Path) -> Option<String> {
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some(format!(
        "{} {} {} {}.{:09}",
        file.dev(),
        file.ino(),
        file.size(),
        file.ctime(),
        file.ctime_nsec()
    ))
}

/// A target being written. Dropped before [`publish`](Self::publish), a file leaves nothing behind.
pub(super) struct Publication {
    out: Compressor<BufWriter<NamedSink>>,
}

impl Publication {
    /// Gives the file its name, once its content is on the disk. After an error the file is
    /// deleted.
    pub(super) fn publish(self) -> Result<WrittenBytes, ExportError> {
        let mut out = self.out.finish()?;
        out.flush()?;
        let sink = out.into_inner();
        let written = sink.map_err(io::IntoInnerError::into_error)?;
        let renamed = match written.sink {
            Sink::Stream(_) => Ok(()),
            Sink::Beside(part) => part.publish(),
        };
        renamed.map_err(|error| naming(&written.name, &error))?;
        Ok(WrittenBytes {
            bytes: written.bytes,
            sha256: written.hash.map(Sha256::hex),
        })
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

/// What was written, as it lies there: compressed, if it is.
#[derive(Debug)]
pub(crate) struct WrittenBytes {
    pub(crate) bytes: u64,
    /// In hexadecimal, if the target was opened for it.
    pub(crate) sha256: Option<String>,
}

/// Where the bytes of a publication go.
enum Sink {
    /// A pipe, a terminal or a device, written directly.
    Stream(Box<dyn Write>),
    /// A file beside its target.
    Beside(PartFile),
}

/// A sink whose errors begin with its name.
struct NamedSink {
    name: String,
    sink: Sink,
    bytes: u64,
    hash: Option<Sha256>,
}

impl Write for NamedSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.sink {
            Sink::Stream(stream) => stream.write(bytes),
            Sink::Beside(part) => part.write(bytes),
        };
        // The kind of the error is kept: callers retry an interrupted write.
        let written = written.map_err(|error| naming(&self.name, &error))?;
        self.bytes += written as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.sink {
            Sink::Stream(stream) => stream.flush(),
            Sink::Beside(part) => part.flush(),
        };
        flushed.map_err(|error| naming(&self.name, &error))
    }
}

fn naming(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Whether `path` is a pipe or a device such as `/dev/null`, which must not be replaced by a file.
fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn file_sink(path: &Path) -> Result<Sink, ExportError> {
    let named = |error: io::Error| naming(&path.display().to_string(), &error);
    if is_stream(path) {
        let stream = File::options().write(true).open(path).map_err(named)?;
        return Ok(Sink::Stream(Box::new(stream)));
    }
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ExportError::IsFolder {
            path: path.to_owned(),
        }),
        // A symbolic link is kept, and the file it points to is replaced.
        Ok(_) => beside(path, fs::canonicalize(path).map_err(named)?),
        Err(_) => beside(path, path.to_owned()),
    }
}

fn beside(path: &Path, target: PathBuf) -> Result<Sink, ExportError> {
    let folder = folder_of(&target).to_owned();
    match PartFile::create(target) {
        Ok(part) => Ok(Sink::Beside(part)),
        Err(_) if !folder.is_dir() => Err(ExportError::NoFolder {
            path: path.to_owned(),
            folder,
        }),
        Err(why) => Err(ExportError::Folder {
            path: path.to_owned(),
            folder,
            why,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::PermissionsExt};

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
    fn file_appears_whole_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("links.csv");
        fs::write(&path, "old").unwrap();
        let mut publication = Target::File(path.clone()).open(false).unwrap();
        publication.write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        publication.publish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names_in(folder.path()), ["links.csv"]);
    }

    #[test]
    fn unpublished_file_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::File(folder.path().join("links.csv"));
        target.check().unwrap();
        let mut publication = target.open(false).unwrap();
        publication.write_all(b"half").unwrap();
        drop(publication);
        assert_eq!(names_in(folder.path()), [""; 0]);
    }

    #[test]
    fn folder_is_no_target() {
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
    fn symbolic_link_stays_and_its_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut publication = Target::File(link.clone()).open(false).unwrap();
        publication.write_all(b"new").unwrap();
        publication.publish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    }

    #[test]
    fn full_device_says_where_the_answers_are() {
        Target::File("/dev/null".into()).check().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        if !Path::new("/dev/full").exists() {
            return;
        }
        let mut publication = Target::File("/dev/full".into()).open(false).unwrap();
        publication.write_all(b"x").unwrap();
        let refused = publication.publish().unwrap_err();
        assert!(matches!(refused, ExportError::Full(_)), "{refused}");
        assert!(refused.to_string().contains("/dev/full"), "{refused}");
    }

    #[test]
    fn closed_pipe_is_told_from_a_failure() {
        let error = naming("standard output", &io::ErrorKind::BrokenPipe.into());
        assert!(ExportError::from(error).is_closed_pipe());
    }

    #[test]
    fn name_tells_how_it_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        let text = "unionid,openid\n".repeat(1000);
        for (name, format) in [("x.csv.gz", "csv"), ("x.csv.ZST", "csv"), ("x.csv", "csv")] {
            let target = Target::File(folder.path().join(name));
            assert_eq!(target.suffix(), Some(format), "{name}");
            let mut publication = target.open(false).unwrap();
            publication.write_all(text.as_bytes()).unwrap();
            publication.publish().unwrap();
            let raw = fs::read(folder.path().join(name)).unwrap();
            let mut read = String::new();
            match name {
                "x.csv.gz" => flate2::read::GzDecoder::new(&*raw).read_to_string(&mut read),
                "x.csv.ZST" => zstd::Decoder::new(&*raw).unwrap().read_to_string(&mut read),
                _ => (&*raw).read_to_string(&mut read),
            }
            .unwrap();
            assert_eq!(read, text, "{name}");
        }
    }
}
