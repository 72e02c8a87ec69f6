//! The first stage of a run: inputs become subjects, bad lines are kept beside them.

use super::{Failure, say};
use crate::{
    clock::Clock,
    intake::{Input, InputLine, IntakeError, ReadAhead, ReadOptions, RowError, RowReader, digest},
    report::style::{count, counted},
    store::{Reject, Store},
};

/// Takes in every input that the store does not know yet.
///
/// What was read well is kept whatever comes after it, its rejects too; the first input that cannot
/// be read ends the command before anything is sent.
pub(super) fn enrol(
    store: &mut Store,
    inputs: &[Input],
    options: &ReadOptions,
    quiet: bool,
) -> Result<(), Failure> {
    inputs
        .iter()
        .try_for_each(|input| enrol_one(store, input, options, quiet))
}

fn enrol_one(
    store: &mut Store,
    input: &Input,
    options: &ReadOptions,
    quiet: bool,
) -> Result<(), Failure> {
    let name = input.name();
    let digest = match input {
        Input::Path(path) if !input.is_stream() => Some(digest(path, options)?),
        _ => None,
    };
    if let Some(digest) = &digest
        && store.knows_source(digest)?
    {
        if !quiet {
            say(&format!("{name}: already imported"));
        }
        return Ok(());
    }
    let mut lines = ReadAhead::of(RowReader::open(input, options)?)?;
    let mut broken = None;
    // A source that breaks off is no source that is known: its digest is not kept.
    let mut import = store.import(&name, digest.as_ref().map(<[u8; 16]>::as_slice))?;
    let mut rejected = 0;
    loop {
        match lines.next() {
            Ok(InputLine::Row(row)) => import.add(&row)?,
            Ok(InputLine::Invalid(error)) => {
                rejected += 1;
                import.reject(&reject(error))?;
            }
            Ok(InputLine::End) => break,
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    let rows = lines.finish();
    if broken.is_none() {
        rows.ensure_any_row()?;
    } else {
        import.forget_digest()?;
    }
    let enrolled = import.finish(rows.lines(), rejected, Clock::system().now())?;
    if !quiet {
        say(&taken_in(
            &rows,
            enrolled.new,
            enrolled.duplicates,
            rejected,
        ));
        warn_of_unusual(&rows);
    }
    match broken {
        Some(error) => Err(IntakeError::into(error)),
        None => Ok(()),
    }
}

fn reject(error: RowError) -> Reject {
    Reject {
        source: error.source.to_string(),
        line: error.line,
        column: error.column,
        reason: error.reason.to_string(),
        fields: error.fields,
    }
}

fn taken_in(rows: &RowReader, new: u64, duplicates: u64, rejected: u64) -> String {
    let mut line = format!(
        "{}: {}, {}",
        rows.name(),
        counted(rows.lines(), "line"),
        counted(new, "new subject")
    );
    if duplicates > 0 {
        line += &format!(", {} known already", count(duplicates));
    }
    if rejected > 0 {
        line += &format!(", {} rejected", count(rejected));
    }
    line
}

fn warn_of_unusual(rows: &RowReader) {
    let unusual = rows.unusual_ids();
    if let Some(first) = unusual.first_line {
        say(&format!(
            "{}: {} with ids of unusual length (28 or 29 characters are usual), the first in line \
             {first}; they are asked all the same",
            rows.name(),
            counted(unusual.rows, "row")
        ));
    }
}
