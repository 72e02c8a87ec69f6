//! Which files an output may replace: none of the user's.
//!
//! Files are compared by device and inode, so that links and other spellings of a path do not
//! deceive; a file that does not exist yet by its folder and name. The job file records what was
//! written for the job (`Reader::outputs`). Whatever else is there stays.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::error::Error;
use crate::{
    export::{Target, file_mark, folder_of},
    intake::{Input, OwnFile, ReadOptions, digest},
    store::{Reader, StoreError, WrittenFile},
};

/// Refuses outputs that would replace a file of the user's, before anything is done.
pub(crate) struct OutputGuard {
    job_file: PathBuf,
    job: Option<Reader<'static>>,
    written: Vec<WrittenFile>,
    protected: Vec<ProtectedFile>,
    overwrite: bool,
}

/// A file that no output may be.
struct ProtectedFile {
    identity: FileIdentity,
    /// What it is, for a sentence.
    role: String,
}

impl OutputGuard {
    /// Protects the job file with what belongs to it, and the inputs that were imported into it.
    /// With `overwrite` other existing files may be replaced.
    ///
    /// # Errors
    ///
    /// Those of [`Reader::open`], but for a job file that does not exist yet.
    pub(crate) fn of_job(job_file: &Path, overwrite: bool) -> Result<Self, Error> {
        let job = match Reader::open(job_file) {
            Ok(job) => Some(job),
            Err(StoreError::Missing { .. }) => None,
            Err(why) => return Err(why.into()),
        };
        let written = job.as_ref().map(Reader::outputs).transpose()?;
        let mut guard = Self {
            job_file: job_file.to_owned(),
            job,
            written: written.unwrap_or_default(),
            protected: Vec::new(),
            overwrite,
        };
        guard.protect_database(job_file, "the job file");
        guard.protect_sources();
        Ok(guard)
    }

    /// Protects an SQLite database and the files that SQLite makes beside it.
    pub(crate) fn protect_database(&mut self, path: &Path, role: &str) {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        for suffix in ["", "-wal", "-shm", "-journal"] {
            for path in [path, &real] {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                self.protect(Path::new(&name), role);
            }
        }
    }

    /// A rejects file that was mended and given back is both a source and an output.
    fn protect_sources(&mut self) {
        let sources = self.job.as_ref().and_then(|job| job.sources().ok());
        for source in sources.unwrap_or_default() {
            let Some(path) = source.path.as_deref().map(Path::new) else {
                continue;
            };
            if path.exists() && self.record_of(path).is_none() {
                self.protect(path, "an input of this job");
            }
        }
    }

    /// Protects the file at `path`, which may not exist yet. `role` says what it is.
    pub(crate) fn protect(&mut self, path: &Path, role: &str) {
        if let Some(identity) = FileIdentity::of(path) {
            let role = role.to_owned();
            self.protected.push(ProtectedFile { identity, role });
        }
    }

    /// Protects the inputs of a command.
    pub(crate) fn protect_inputs(&mut self, inputs: &[Input]) {
        for input in inputs {
            if let Input::Path(path) = input {
                self.protect(path, "an input");
            }
        }
    }

    /// Checks that results may be written to `target`, which no later output may be then.
    ///
    /// # Errors
    ///
    /// A usage error if it cannot be written, is a protected file, or is a file that this job did
    /// not write.
    pub(crate) fn admit_results(&mut self, target: &Target) -> Result<(), Error> {
        let elsewhere = "another file with --output";
        self.admit(target, elsewhere, OwnFile::Results)
    }

    /// The same for links gained and lost.
    ///
    /// # Errors
    ///
    /// As of [`admit_results`](Self::admit_results).
    pub(crate) fn admit_changes(&mut self, target: &Target) -> Result<(), Error> {
        self.admit(target, "another file with --changes", OwnFile::Results)
    }

    /// The same for a file of the folder in which each downstream corp has one.
    ///
    /// # Errors
    ///
    /// As of [`admit_results`](Self::admit_results).
    pub(crate) fn admit_in_folder(&mut self, target: &Target) -> Result<(), Error> {
        self.admit(target, "another folder with --dir", OwnFile::Results)
    }

    /// The same for a manifest.
    ///
    /// # Errors
    ///
    /// As of [`admit_results`](Self::admit_results).
    pub(crate) fn admit_manifest(&mut self, target: &Target) -> Result<(), Error> {
        self.admit(target, "another file with --manifest", OwnFile::Manifest)
    }

    /// The same for a report.
    ///
    /// # Errors
    ///
    /// As of [`admit_results`](Self::admit_results).
    pub(crate) fn admit_report(&mut self, target: &Target) -> Result<(), Error> {
        self.admit(target, "another file with --output", OwnFile::Report)
    }

    fn admit(&mut self, target: &Target, elsewhere: &str, kind: OwnFile) -> Result<(), Error> {
        target
            .check()
            .map_err(|why| Error::usage(why.to_string()))?;
        let Target::File(path) = target else {
            return Ok(());
        };
        if self.may_be_replaced(path, elsewhere)? && !self.is_own(path, kind) {
            return Err(self.not_own(path, elsewhere));
        }
        let role = match kind {
            OwnFile::Results => "where the results go",
            OwnFile::Rejects => "where the rejects go",
            OwnFile::Manifest => "where the manifest goes",
            OwnFile::Report => "where the report goes",
            OwnFile::Log => "where the log goes",
        };
        self.protect(path, role);
        Ok(())
    }

    /// The same for rejects. Rejects that were mended must have been given back before, with the
    /// same options.
    ///
    /// # Errors
    ///
    /// A usage error, as of [`admit_results`](Self::admit_results).
    pub(crate) fn admit_rejects(
        &mut self,
        path: &Path,
        options: &ReadOptions,
    ) -> Result<(), Error> {
        let elsewhere = "another file with --rejects";
        if self.may_be_replaced(path, elsewhere)? && !self.is_untouched(path) {
            if !self.is_own(path, OwnFile::Rejects) {
                return Err(self.not_own(path, elsewhere));
            }
            if self.was_completed(path) && !self.was_imported(path, options) {
                return Err(Error::usage(format!(
                    "{path} was changed since this job wrote it: give it as an INPUT to import \
                     what was mended, or name another file with --rejects, or add --overwrite",
                    path = path.display()
                )));
            }
        }
        self.protect(path, "where the rejects go");
        Ok(())
    }

    /// Checks that log lines may be appended to the file at `path`.
    ///
    /// # Errors
    ///
    /// A usage error if it is a protected file, or has anything but log lines in it.
    pub(crate) fn admit_log(&mut self, path: &Path) -> Result<(), Error> {
        let elsewhere = "another file with --log-file";
        if self.may_be_replaced(path, elsewhere)? && OwnFile::at(path) != Some(OwnFile::Log) {
            return Err(Error::usage(format!(
                "{} is there already and is no log of idferry: name {elsewhere}",
                path.display()
            )));
        }
        self.protect(path, "where the log goes");
        Ok(())
    }

    /// Whether the file at `path` is one that this job wrote and nobody has changed since.
    pub(crate) fn is_untouched(&self, path: &Path) -> bool {
        let Some(mark) = file_mark(path) else {
            return false;
        };
        self.written.iter().any(|file| file.mark.starts_with(&mark))
    }

    /// Whether a file is at `path` that has to be one of the job's.
    fn may_be_replaced(&self, path: &Path, elsewhere: &str) -> Result<bool, Error> {
        let found = fs::metadata(path).ok();
        // A pipe or a device is written to, not replaced.
        if found.as_ref().is_some_and(|found| !found.is_file()) {
            return Ok(false);
        }
        let identity = FileIdentity::of(path);
        let same = |file: &&ProtectedFile| Some(&file.identity) == identity.as_ref();
        if let Some(file) = self.protected.iter().find(same) {
            return Err(Error::usage(format!(
                "{} is {}, which nothing is written over: name {elsewhere}",
                path.display(),
                file.role
            )));
        }
        Ok(!self.overwrite && found.is_some_and(|found| found.len() > 0))
    }

    /// Whether the job wrote a file at `path`, and what is there now looks like it. Results of
    /// another job look like it too: of two jobs the one that wrote last has them.
    fn is_own(&self, path: &Path, kind: OwnFile) -> bool {
        let is_rejects = kind == OwnFile::Rejects;
        let recorded = self
            .record_of(path)
            .is_some_and(|record| is_rejects || is_left_there(path, &record.mark));
        self.is_untouched(path) || (recorded && OwnFile::at(path) == Some(kind))
    }

    fn was_completed(&self, path: &Path) -> bool {
        self.record_of(path)
            .is_some_and(|record| !record.mark.is_empty())
    }

    fn was_imported(&self, path: &Path, options: &ReadOptions) -> bool {
        let known = |job: &Reader<'_>| job.knows_source(&digest(path, options).ok()?).ok();
        self.job.as_ref().and_then(known) == Some(true)
    }

    fn record_of(&self, path: &Path) -> Option<&WrittenFile> {
        let path = recorded_path(path)?;
        self.written.iter().find(|file| file.path == path)
    }

    fn not_own(&self, path: &Path, elsewhere: &str) -> Error {
        let what = match OwnFile::at(path) {
            Some(_) => "was written by another job than that of",
            None => "is there already and was not written by the job of",
        };
        Error::usage(format!(
            "{} {what} {}: name {elsewhere}, or add --overwrite to replace it",
            path.display(),
            self.job_file.display()
        ))
    }
}

/// Whether the file at `path` is the one that was left with `mark`, or a copy of it, as far as its
/// inode and its size tell; true if it was not known how it was left.
fn is_left_there(path: &Path, mark: &str) -> bool {
    let now = file_mark(path).unwrap_or_default();
    let mut pairs = mark.split(' ').zip(now.split(' '));
    let mut same = || pairs.next().is_some_and(|(then, now)| then == now);
    let (device, inode, size) = (same(), same(), same());
    mark.is_empty() || (device && inode) || size
}

/// What tells a file from all others.
#[derive(PartialEq, Eq)]
enum FileIdentity {
    /// The device and the inode of a file that exists.
    Inode(u64, u64),
    /// Those of the folder, and the name, of one that does not.
    Name(u64, u64, OsString),
}

impl FileIdentity {
    fn of(path: &Path) -> Option<Self> {
        if let Ok(file) = fs::metadata(path) {
            return Some(Self::Inode(file.dev(), file.ino()));
        }
        let folder = fs::metadata(folder_of(path)).ok()?;
        let name = path.file_name().map(OsStr::to_owned)?;
        Some(Self::Name(folder.dev(), folder.ino(), name))
    }
}

/// Records in the job file that outputs of it are at `paths`, with what tells them from other files;
/// before they are written too, so that a process that is killed meanwhile finds its own files again.
pub(super) fn record<'p>(
    reader: &Reader<'_>,
    paths: impl Iterator<Item = &'p Path>,
    are_written: bool,
) -> Result<(), StoreError> {
    let marked = paths.filter_map(|path| {
        let mark = are_written.then(|| file_mark(path)).flatten();
        Some((recorded_path(path)?, mark.unwrap_or_default()))
    });
    let files: Vec<_> = marked.collect();
    if files.is_empty() {
        return Ok(());
    }
    reader.record_outputs(&files)
}

/// Returns `path` without links, as it is recorded.
pub(super) fn recorded_path(path: &Path) -> Option<String> {
    let real = fs::canonicalize(path).or_else(|_| {
        let folder = fs::canonicalize(folder_of(path))?;
        Ok::<_, std::io::Error>(folder.join(path.file_name().unwrap_or_default()))
    });
    Some(real.ok()?.to_string_lossy().into_owned())
}
