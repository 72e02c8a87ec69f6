//! A file that is being written and has no name yet.
//!
//! It has none at all where the file system allows that, so that a process that is killed leaves
//! nothing behind. Elsewhere it lies beside its target under a name that begins with a dot, locked
//! by its process; whoever writes the same target next removes those that nobody has locked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, CWD, linkat};
use tempfile::{Builder, NamedTempFile};

const SUFFIX: &str = ".part";

/// A file for `target` without its name.
pub(super) struct PartFile {
    file: File,
    /// Its name beside the target, if it had to have one.
    name: Option<NamedTempFile<()>>,
    target: PathBuf,
}

impl PartFile {
    /// Makes a file for `target`, which only its owner may read, in the same folder.
    pub(super) fn create(target: PathBuf) -> io::Result<Self> {
        sweep(&target);
        if let Some(file) = unnamed(folder_of(&target)) {
            return Ok(Self {
                file,
                name: None,
                target,
            });
        }
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).open(path)
        };
        let (file, path) = builder(&prefix(&target))
            .make_in(folder_of(&target), open)?
            .into_parts();
        // Not every file system can lock; there it is not swept.
        let _ = file.try_lock();
        Ok(Self {
            file,
            name: Some(NamedTempFile::from_parts((), path)),
            target,
        })
    }

    /// Gives it the name of its target once its content is on the disk. A file that had the name
    /// before is replaced.
    pub(super) fn publish(self) -> io::Result<()> {
        // The content first, so that a power cut cannot leave an empty file under the name.
        self.file.sync_all()?;
        let name = match self.name {
            Some(name) => name,
            None => linked(&self.file, &self.target)?,
        };
        name.persist(&self.target).map_err(|error| error.error)?;
        // Then the name. Not every file system can sync a folder, therefore errors are ignored.
        if let Ok(folder) = File::open(folder_of(&self.target)) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Makes the names of parts of `target`: a dot, its name, six letters, `.part`.
fn builder(prefix: &str) -> Builder<'_, 'static> {
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(SUFFIX).rand_bytes(6);
    builder
}

fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.")
}

/// A file without a name, which can be given one later; `None` if the system has no such files.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<File> {
    let flags = rustix::fs::OFlags::TMPFILE.bits().cast_signed();
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .custom_flags(flags)
        .mode(0o600)
        .open(folder)
        .ok()?;
    // Without /proc it could not be given a name.
    fs::metadata(by_descriptor(&file)).ok()?;
    let _ = file.try_lock();
    Some(file)
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_folder: &Path) -> Option<File> {
    None
}

fn by_descriptor(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Gives `file` a name beside `target`, from which it can be renamed: a link replaces nothing.
fn linked(file: &File, target: &Path) -> io::Result<NamedTempFile<()>> {
    let origin = by_descriptor(file);
    let link = |path: &Path| {
        linkat(CWD, &origin, CWD, path, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
    };
    builder(&prefix(target)).make_in(folder_of(target), link)
}

/// Removes what processes that were killed have left of `target`.
fn sweep(target: &Path) {
    let prefix = prefix(target);
    let entries = fs::read_dir(folder_of(target)).into_iter().flatten();
    for entry in entries.flatten() {
        if is_part(&entry.file_name().to_string_lossy(), &prefix)
            && let Ok(part) = File::open(entry.path())
            && part.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_part(name: &str, prefix: &str) -> bool {
    let letters = name
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    letters.is_some_and(|letters| {
        letters.len() == 6 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Returns the folder in which `target` lies.
pub(crate) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lies_there_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        if unnamed(folder.path()).is_none() {
            return;
        }
        let entries = || fs::read_dir(folder.path()).unwrap().count();
        let mut part = PartFile::create(folder.path().join("x.csv")).unwrap();
        part.write_all(b"half").unwrap();
        assert_eq!(entries(), 0, "a process that is killed here leaves nothing");
        part.publish().unwrap();
        assert_eq!(entries(), 1);
    }

    #[test]
    fn parts_that_nobody_writes_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            ".x.csv.aB3dE6.part",
            ".y.csv.aB3dE6.part",
            ".x.csv.mine.part",
        ] {
            fs::write(path(name), "half").unwrap();
        }
        let held = path(".x.csv.held00.part");
        fs::write(&held, "half").unwrap();
        let holder = File::open(&held).unwrap();
        holder.lock().unwrap();
        drop(PartFile::create(path("x.csv")).unwrap());
        assert!(!path(".x.csv.aB3dE6.part").exists());
        assert!(path(".y.csv.aB3dE6.part").exists(), "of another target");
        assert!(path(".x.csv.mine.part").exists(), "not one of ours");
        assert!(held.exists(), "being written");
    }
}
