//! The last stage of a run: results and rejects become files.

use std::{fs, io, path::Path};

use super::{error::Error, outputs};
use crate::{
    clock::Timestamp,
    export::{
        ExportError, Filter, Format, Target, file_mark, publish_bytes, publish_rejects,
        publish_results,
    },
    intake::Input,
    model::State,
    store::{Reader, Store},
};

/// Writes the results, unless this job wrote the same ones there before, or has no answer yet and
/// older results are there. Returns how many lines they have, or `None` if they were not written or
/// the reader of a pipe has left.
pub(super) fn publish(store: &Store, target: &Target) -> Result<Option<u64>, Error> {
    if let Some((path, mark)) = fingerprint(target)
        && let Some(lines) = store.journal().published(&path, &mark)?
    {
        return Ok(Some(lines));
    }
    let tally = store.tally();
    if tally.of(State::Queued) == tally.total() && has_content(target) {
        return Ok(None);
    }
    let filter = Filter::default();
    let reader = store.reader();
    record(&reader, &[target], false);
    let lines = match publish_results(&reader, target, Format::of(target), &filter, false) {
        Err(why) if why.is_closed_pipe() => None,
        written => {
            let lines = written?.lines;
            record(&reader, &[target], true);
            Some(lines)
        }
    };
    if let (Some(lines), Some((path, mark))) = (lines, fingerprint(target)) {
        store.journal().record_published(&path, &mark, lines)?;
    }
    Ok(lines)
}

/// Writes the links gained and lost since a moment.
pub(super) fn publish_changes(
    reader: &Reader,
    target: &Target,
    since: Timestamp,
) -> Result<(), Error> {
    let filter = Filter {
        changed_since: Some(since),
        ..Filter::default()
    };
    record(reader, &[target], false);
    match publish_results(reader, target, Format::of(target), &filter, false) {
        Err(why) if why.is_closed_pipe() => return Ok(()),
        written => written?,
    };
    record(reader, &[target], true);
    Ok(())
}

/// Writes a report. Returns its length, or `None` if the reader of a pipe has left.
pub(crate) fn publish_report(
    reader: &Reader,
    target: &Target,
    report: &[u8],
) -> Result<Option<u64>, Error> {
    record(reader, &[target], false);
    let bytes = match publish_bytes(target, report) {
        Err(why) if why.is_closed_pipe() => return Ok(None),
        written => written?,
    };
    record(reader, &[target], true);
    Ok(Some(bytes))
}

fn has_content(target: &Target) -> bool {
    matches!(target, Target::File(path) if fs::metadata(path).is_ok_and(|file| file.len() > 0))
}

/// Records `targets` as files of the job. That they cannot be recorded is no error.
pub(super) fn record(reader: &Reader, targets: &[&Target], is_written: bool) {
    let paths = targets.iter().filter_map(|target| match target {
        Target::File(path) => Some(path.as_path()),
        Target::Stdout => None,
    });
    if let Err(why) = outputs::record(reader, paths, is_written)
        && is_written
    {
        tracing::warn!(%why, "not recorded as a file of this job");
    }
}

/// The path of an existing results file, and what tells it from any other and from itself once
/// changed; another version of idferry may write other results.
fn fingerprint(target: &Target) -> Option<(String, String)> {
    let Target::File(path) = target else {
        return None;
    };
    let mark = format!("{} {}", file_mark(path)?, env!("CARGO_PKG_VERSION"));
    Some((outputs::recorded_path(path)?, mark))
}

/// Writes the invalid lines of every input of the job, if there are any. The job file keeps them,
/// so that the same bytes are written each time.
pub(super) fn publish_invalid_lines(reader: &Reader, path: &Path) -> Result<(), Error> {
    let target = Target::File(path.to_owned());
    let has_any = invalid_lines(reader)? > 0;
    if has_any {
        record(reader, &[&target], false);
    }
    let reason = match publish_rejects(reader, &target) {
        Ok(_) => {
            if has_any {
                record(reader, &[&target], true);
            }
            return Ok(());
        }
        Err(why @ (ExportError::Store(_) | ExportError::Input(_))) => return Err(why.into()),
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
