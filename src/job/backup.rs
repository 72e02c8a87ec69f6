//! A copy of a job file, complete or not there at all.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::error::Error;
use crate::store::{Reader, StoreError};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backup {
    /// Bytes of the copy.
    pub bytes: u64,
    /// Subjects in it.
    pub subjects: u64,
}

/// Copies the job file `origin`, as it is at one moment, to `target`, which must not exist. A run
/// may go on meanwhile. The copy is written beside the target, as a file whose name ends in
/// `.part`, and renamed when it is on disk.
///
/// # Errors
///
/// If `target` exists, or the copy cannot be written, or those of [`Reader::open`].
pub fn backup(origin: &Path, target: &Path) -> Result<Backup, Error> {
    let reader = Reader::open(origin)?;
    if fs::symlink_metadata(target).is_ok() {
        return Err(exists(target));
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let part = tempfile::Builder::new()
        .prefix(&format!(".{name}."))
        .suffix(".part")
        .tempfile_in(folder)
        .map_err(|why| failed(target, why))?;
    reader
        .copy_to(part.path())
        .map_err(|why| failed(target, without_advice(why)))?;
    let copied = Backup {
        subjects: Reader::open(part.path())?.tally()?.total(),
        bytes: part.as_file().metadata()?.len(),
    };
    part.as_file()
        .sync_all()
        .map_err(|why| failed(target, why))?;
    match part.persist_noclobber(target) {
        Ok(_) => {}
        Err(why) if why.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(exists(target));
        }
        Err(why) => return Err(failed(target, why.error)),
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|why| failed(target, why))?;
    Ok(copied)
}

fn exists(target: &Path) -> Error {
    let target = target.display();
    Error::usage(format!(
        "{target} exists, and a backup overwrites nothing: name a new file"
    ))
}

fn failed(target: &Path, why: impl std::fmt::Display) -> Error {
    Error::internal(format!(
        "the backup {} could not be written: {why}. The job file is as it was",
        target.display()
    ))
}

/// What the store says is about the job file; here it is about the copy.
fn without_advice(why: StoreError) -> String {
    match why {
        StoreError::DiskFull => "the disk is full".to_owned(),
        StoreError::ReadOnly => "the disk is read-only".to_owned(),
        StoreError::Sqlite(why) => why.to_string(),
        why => why.to_string(),
    }
}
