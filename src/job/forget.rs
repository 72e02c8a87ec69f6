//! Forgetting persons: found and counted first, deleted when the operator agrees.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use super::error::Error;
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

    /// Deletes them. Returns the files of results and rejects of this job that are still there,
    /// and the inputs.
    pub(crate) fn delete(mut self) -> Result<Vec<String>, Error> {
        let reader = self.store.reader();
        let outputs = reader.outputs()?.into_iter().map(|file| file.path);
        let inputs = reader.sources()?.into_iter().map(|source| source.name);
        let mut left: Vec<_> = outputs.chain(inputs).filter(has_content).collect();
        left.sort();
        left.dedup();
        drop(reader);
        self.store.forget_found()?;
        Ok(left)
    }
}

fn has_content(path: &String) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
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
