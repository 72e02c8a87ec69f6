//! The last stage of a run: results and rejects become files.

use std::{fs, io, path::Path};

use super::error::Error;
use crate::{
    export::{ExportError, Filter, Format, Target, publish_rejects, publish_results},
    intake::Input,
    store::{Reader, Store},
};

/// Writes the results, unless this job wrote the same ones there before. Returns how many lines
/// they have, or `None` if the reader of a pipe has left.
pub(super) fn publish(store: &Store, target: &Target) -> Result<Option<u64>, Error> {
    if let Some((path, mark)) = fingerprint(target)
        && let Some(lines) = store.journal().published(&path, &mark)?
    {
        return Ok(Some(lines));
    }
    let lines = match publish_results(
        &store.reader(),
        target,
        Format::of(target),
        &Filter::default(),
    ) {
        Err(why) if why.is_closed_pipe() => return Ok(None),
        written => written?,
    };
    if let Some((path, mark)) = fingerprint(target) {
        store.journal().record_published(&path, &mark, lines)?;
    }
    Ok(Some(lines))
}

/// The path of an existing results file, and what tells it from any other and from itself once
/// changed.
fn fingerprint(target: &Target) -> Option<(String, String)> {
    let mark = target.mark()?;
    let Target::File(path) = target else {
        return None;
    };
    let path = fs::canonicalize(path).ok()?;
    Some((path.to_str()?.to_owned(), mark))
}

/// Writes the invalid lines of every input of the job, if there are any. The job file keeps them,
/// so that the same bytes are written each time.
pub(super) fn publish_invalid_lines(reader: &Reader, path: &Path) -> Result<(), Error> {
    let reason = match publish_rejects(reader, &Target::File(path.to_owned())) {
        Ok(_) => return Ok(()),
        Err(ExportError::Store(why)) => return Err(why.into()),
        Err(ExportError::Folder { why, .. } | ExportError::Full(why) | ExportError::Write(why)) => {
            why
        }
        Err(ExportError::IsFolder { .. }) => io::ErrorKind::IsADirectory.into(),
        Err(ExportError::NoFolder { .. }) => io::ErrorKind::NotFound.into(),
        Err(ExportError::ClosedPipe) => io::ErrorKind::BrokenPipe.into(),
    };
    Err(Error::usage(format!(
        "cannot write the rejects to {}: {reason}. Make room there, or name another place with \
         --rejects",
        path.display()
    )))
}

/// What outputs are named after if no input is named: the stem of the job's first input.
pub(crate) fn stem(reader: &Reader) -> Result<String, Error> {
    let Some(first) = reader.sources()?.into_iter().next() else {
        return Ok("idferry".to_owned());
    };
    let input = if first.name == Input::Stdin.name() {
        Input::Stdin
    } else {
        Input::Path(first.name.into())
    };
    Ok(input.stem())
}

/// Invalid lines of all inputs.
pub(super) fn invalid_lines(reader: &Reader) -> Result<u64, Error> {
    let sources = reader.sources()?;
    Ok(sources.iter().map(|source| source.rejected).sum())
}
