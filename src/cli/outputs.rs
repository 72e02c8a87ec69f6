//! Inputs without idferry's own files, and what no output may replace.

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{console::say, job_flags::StateFile, values::environment};
use crate::{
    config::ConfigFile,
    intake::{Input, OwnFile},
    job::{Error, JobFiles, OutputGuard, stem},
    store::{Reader, StoreError},
};

/// What makes a name of the sandbox's files, which hold invented ids.
pub(super) fn default_name(stem: &str, sandbox: bool, suffix: &str) -> PathBuf {
    let infix = if sandbox { ".sandbox" } else { "" };
    format!("{stem}{infix}.{suffix}").into()
}

/// Makes a folder that only its owner may enter, if there is none.
///
/// # Errors
///
/// A usage error if it cannot be made.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|why| {
        Error::usage(format!(
            "cannot make the folder {}: {why}. Make it, or name another with --dir",
            folder.display()
        ))
    })
}

/// The guard of a command's outputs: the job file, the ledger, the configuration and the secret's file are
/// protected.
///
/// # Errors
///
/// If there is a job file and it cannot be read.
pub(super) fn guard(
    state: &StateFile,
    file: &ConfigFile,
    job: &JobFiles,
    overwrite: bool,
) -> Result<OutputGuard, Error> {
    let mut guard = OutputGuard::of_job(&job.job, overwrite)?;
    guard.protect_database(&job.ledger, "the ledger");
    guard.protect(state.config_path(), "the configuration");
    let exported = environment("WECOM_CORP_SECRET_FILE").map(PathBuf::from);
    for secret in exported.iter().chain(&file.wecom.corp_secret_file) {
        guard.protect(secret, "the secret's file");
    }
    Ok(guard)
}

/// Returns `inputs` without files that idferry wrote: results, and rejects in which nothing was
/// mended. Each is named with a word, unless `quiet`.
///
/// # Errors
///
/// A usage error if all of them are such files.
pub(super) fn without_own_files(
    inputs: Vec<Input>,
    guard: &OutputGuard,
    quiet: bool,
) -> Result<Vec<Input>, Error> {
    let named = inputs.len();
    let mut kept = Vec::new();
    let mut skipped = Vec::new();
    for input in inputs {
        match own_file(&input, guard) {
            Some(what) => skipped.push(format!("{} {what}", input.name())),
            None => kept.push(input),
        }
    }
    if kept.is_empty() && named > 0 {
        let all = skipped.join(", ");
        return Err(Error::usage(format!("{all}: name an input")));
    }
    if !quiet {
        skipped
            .iter()
            .for_each(|file| say(&format!("{file}: skipped")));
    }
    Ok(kept)
}

/// What an input is that nothing can be learned from.
fn own_file(input: &Input, guard: &OutputGuard) -> Option<String> {
    let Input::Path(path) = input else {
        return None;
    };
    let own = OwnFile::at(path)?;
    match own {
        OwnFile::Results | OwnFile::Log | OwnFile::Manifest | OwnFile::Report => {
            Some(format!("is a {} of idferry", own.name()))
        }
        OwnFile::Rejects if guard.is_untouched(path) => {
            Some("is a rejects file in which nothing was mended".to_owned())
        }
        OwnFile::Rejects => None,
    }
}

/// The stem that names the outputs of a run without inputs, which needs a job to resume.
pub(super) fn first_stem(job_file: &Path) -> Result<String, Error> {
    match Reader::open(job_file) {
        Ok(reader) => stem(&reader),
        Err(StoreError::Missing { path, .. }) => Err(Error::usage(format!(
            "there is no job file {} to resume: name an INPUT, or another file with --state",
            path.display()
        ))),
        Err(why) => Err(why.into()),
    }
}
