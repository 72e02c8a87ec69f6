//! The last stage of a run: results and rejects become files.

use std::{fs, io, path::Path};

use super::{error::Error, outputs};
use crate::{
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
    let (reader, filter) = (store.reader(), Filter::default());
    let file = recorded(&reader, &[target], || {
        publish_results(&reader, target, Format::of(target), &filter, false)
    })?;
    let lines = file.map(|file| file.lines);
    if let (Some(lines), Some((path, mark))) = (lines, fingerprint(target)) {
        store.journal().record_published(&path, &mark, lines)?;
    }
    Ok(lines)
}

/// Writes the links gained and lost since this was done last, unless there are none and older ones are
/// in the file. What could not be written is written the next time.
pub(super) fn publish_changes(store: &Store, target: &Target) -> Result<(), Error> {
    let since = store.changes_since()?.unwrap_or_default();
    let reader = store.reader();
    if has_content(target) && reader.changes_by_corp(since)?.is_empty() {
        return Ok(());
    }
    let filter = Filter {
        changed_since: Some(since),
        ..Filter::default()
    };
    let file = recorded(&reader, &[target], || {
        publish_results(&reader, target, Format::of(target), &filter, false)
    })?;
    if file.is_some() {
        store.changes_published()?;
    }
    Ok(())
}

/// Writes a report. Returns its length, or `None` if the reader of a pipe has left.
pub(crate) fn publish_report(
    reader: &Reader,
    target: &Target,
    report: &[u8],
) -> Result<Option<u64>, Error> {
    recorded(reader, &[target], || publish_bytes(target, report))
}

fn has_content(target: &Target) -> bool {
    matches!(target, Target::File(path) if fs::metadata(path).is_ok_and(|file| file.len() > 0))
}

/// Writes `targets` by `publish` and records them as files of the job, before and after. Returns `None`
/// if the reader of a pipe has left.
pub(super) fn recorded<T>(
    reader: &Reader,
    targets: &[&Target],
    publish: impl FnOnce() -> Result<T, ExportError>,
) -> Result<Option<T>, Error> {
    record(reader, targets, false);
    match publish() {
        Err(why) if why.is_closed_pipe() => Ok(None),
        written => {
            let written = written?;
            record(reader, targets, true);
            Ok(Some(written))
        }
    }
}

/// Records `targets` as files of the job. That they cannot be recorded is no error.
fn record(reader: &Reader, targets: &[&Target], is_written: bool) {
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
    let input = match first.path {
        Some(path) => Input::Path(path.into()),
        None if first.name == Input::Stdin.name() => Input::Stdin,
        None => Input::Path(first.name.into()),
    };
    Ok(input.stem())
}

/// Invalid lines of all inputs.
pub(super) fn invalid_lines(reader: &Reader) -> Result<u64, Error> {
    let sources = reader.sources()?;
    Ok(sources.iter().map(|source| source.rejected).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Timestamp, store::Settled};

    /// Settles a subject as linked, in a run of its own, at this second after noon.
    fn answer(store: &mut Store, subject: i64, second: u64) {
        let noon = Timestamp::parse("2026-11-22T12:00+08:00").unwrap();
        let at = noon.plus(std::time::Duration::from_secs(second));
        store.settle(&[Settled::first(
            subject,
            State::Linked,
            &[("wpA", "wm1")],
            at,
        )]);
    }

    /// The numbers of the subjects in the file of changes.
    fn changed(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let unionids = text.lines().skip(1).map(|line| line.split(',').next());
        unionids.map(|id| id.unwrap().to_owned()).collect()
    }

    #[test]
    fn changes_of_a_run_that_was_killed_are_written_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("job.db"), Timestamp::default()).unwrap();
        let subjects = ["u1", "u2", "u3", "u4", "u5"].map(|id| (id, "o", None));
        store.add_subjects(&subjects, Timestamp::default());
        answer(&mut store, 1, 0);
        let path = folder.path().join("changes.csv");
        let target = Target::File(path.clone());

        // A night that is killed after half of its answers, and one that ends.
        store.begin_changes().unwrap();
        answer(&mut store, 2, 0);
        store.begin_changes().unwrap();
        answer(&mut store, 3, 60);
        publish_changes(&store, &target).unwrap();
        assert_eq!(changed(&path), ["u2", "u3"]);
        // Again, with nothing new.
        publish_changes(&store, &target).unwrap();
        assert_eq!(changed(&path), ["u2", "u3"]);
        // Answers of the same second, and of a clock that was set back.
        answer(&mut store, 4, 60);
        answer(&mut store, 5, 7);
        publish_changes(&store, &Target::File(folder.path().join("no/x.csv"))).unwrap_err();
        publish_changes(&store, &target).unwrap();
        assert_eq!(changed(&path), ["u4", "u5"]);
    }
}
