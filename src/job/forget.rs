//! Forgetting persons: found and counted first, deleted when the operator agrees.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::{error::Error, outputs};
use crate::{
    clock::{Clock, Timestamp},
    intake::ids_in,
    store::{OpeningNote, PersonCounts, Persons, Store},
};

/// Who is to be forgotten.
pub(crate) enum ForgetWhom {
    /// Whoever has an id that is in this file.
    ListedIn(PathBuf),
    /// Whose answer is older.
    AnsweredBefore(Timestamp),
    /// Everybody.
    Everybody,
}

/// A job file, held while persons are deleted from it.
pub(crate) struct Forgetting {
    store: Store,
    /// What was found.
    pub(crate) found: PersonCounts,
}

/// Files that may still hold who was forgotten.
pub(crate) struct FilesLeft {
    pub(crate) inputs: Vec<String>,
    /// Results, rejects and manifests.
    pub(crate) outputs: Vec<String>,
}

impl Forgetting {
    /// Opens the job file and finds them. Nothing is deleted.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`], and if the list cannot be read or has no ids.
    pub(crate) fn find(
        job_file: &Path,
        whom: &ForgetWhom,
        note: &mut dyn FnMut(OpeningNote),
    ) -> Result<Self, Error> {
        if !job_file.exists() {
            return Err(Store::missing(job_file).into());
        }
        let ids = match whom {
            ForgetWhom::ListedIn(list) => read_list(list)?,
            _ => HashSet::new(),
        };
        let persons = match whom {
            ForgetWhom::ListedIn(_) => Persons::Listed(&ids),
            ForgetWhom::AnsweredBefore(at) => Persons::AnsweredBefore(*at),
            ForgetWhom::Everybody => Persons::Everybody,
        };
        let store = Store::open_noting(job_file, Clock::system().now(), note)?;
        let found = store.find_persons(&persons)?;
        Ok(Self { store, found })
    }

    /// Deletes them. Returns the inputs of this job that are still there, and the files that it wrote.
    pub(crate) fn delete(mut self) -> Result<FilesLeft, Error> {
        let reader = self.store.reader();
        let outputs = reader.outputs()?.into_iter().map(|file| file.path);
        let sources = reader.sources()?.into_iter();
        let inputs = left(sources.filter_map(|source| source.path));
        let mut outputs = left(outputs);
        outputs.retain(|path| !inputs.contains(path));
        drop(reader);
        self.store.forget_found()?;
        Ok(FilesLeft { inputs, outputs })
    }
}

/// Files with content, in the order of their paths without links.
fn left(paths: impl Iterator<Item = String>) -> Vec<String> {
    let has_content = |path: &String| fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let real = |path: String| outputs::recorded_path(Path::new(&path)).unwrap_or(path);
    let mut left: Vec<_> = paths.filter(has_content).map(real).collect();
    left.sort();
    left.dedup();
    left
}

/// Reads the ids in a file, whatever stands between them.
fn read_list(path: &Path) -> Result<HashSet<String>, Error> {
    let why = |why: String| Error::usage(format!("the list {}: {why}", path.display()));
    let mut lines = BufReader::new(File::open(path).map_err(|error| why(error.to_string()))?);
    let (mut ids, mut line) = (HashSet::new(), Vec::new());
    while lines
        .read_until(b'\n', &mut line)
        .map_err(|error| why(error.to_string()))?
        > 0
    {
        ids.extend(ids_in(&line).map(str::to_owned));
        line.clear();
    }
    if ids.is_empty() {
        return Err(why(
            "there is no unionid, openid or external_userid in it".to_owned()
        ));
    }
    Ok(ids)
}
