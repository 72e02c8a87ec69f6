//! The first stage of a run: inputs become subjects, invalid lines are kept beside them.

use super::{contract::Contract, error::Error, exit::Exit};
use crate::{
    clock::Clock,
    intake::{
        Input, InputLine, IntakeError, ReadAhead, ReadOptions, RowError, RowReader, UnusualIds,
        digest,
    },
    runner::Stop,
    store::{Import, Reject, SourceStatus, Store},
};

/// An input that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedInput {
    /// Its name, as it was given.
    pub name: String,
    /// What was found in it; `None` if the job file held the same bytes already.
    pub lines: Option<ImportedLines>,
}

/// What was found in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedLines {
    /// Lines read, the header and empty ones not counted.
    pub read: u64,
    /// Subjects seen for the first time.
    pub new: u64,
    /// Lines with a subject that an earlier line of the job has too.
    pub repeated: u64,
    /// Lines that cannot be subjects.
    pub invalid: u64,
    /// Ids of a length not known so far, which are looked up all the same.
    pub unusual: UnusualIds,
}

/// How inputs are imported.
pub(super) struct ImportRules<'r> {
    /// How they are read.
    pub(super) options: &'r ReadOptions,
    /// What each must look like.
    pub(super) contract: &'r Contract,
    /// Ends the import between two lines.
    pub(super) stop: &'r Stop,
}

/// Imports every input that the store does not hold yet, and tells `each` of it.
///
/// What was read is kept whatever follows it; the first input that cannot be read to its end is
/// the error returned.
pub(super) fn import(
    store: &mut Store,
    inputs: &[Input],
    how: &ImportRules<'_>,
    each: &mut dyn FnMut(&ImportedInput),
) -> Result<(), Error> {
    inputs
        .iter()
        .try_for_each(|input| import_one(store, input, how, each))
}

fn import_one(
    store: &mut Store,
    input: &Input,
    how: &ImportRules<'_>,
    each: &mut dyn FnMut(&ImportedInput),
) -> Result<(), Error> {
    let (name, options, contract) = (input.name(), how.options, how.contract);
    let digest = digest_of(input, options)?;
    if let Some(digest) = &digest
        && store.knows_source(digest)?
    {
        each(&ImportedInput { name, lines: None });
        return Ok(());
    }
    let last = store.reader().last_alike(&name)?;
    let mut lines = ReadAhead::of(RowReader::open(input, options)?)?;
    let mut import = store.import(&name, digest.as_ref().map(<[u8; 16]>::as_slice))?;
    let (invalid, broken) = read_all(&mut lines, &mut import, how.stop)?;
    if how.stop.is_requested() {
        return Err(interrupted(&name));
    }
    let rows = lines.finish();
    for (source, lines) in rows.origins() {
        import.supersede(source, lines);
    }
    if let Some(why) = broken.as_ref().filter(|_| !contract.is_empty()) {
        return Err(not_kept(&name, &why.to_string()));
    }
    if broken.is_none() {
        rows.ensure_any_row()?;
        let input = SourceStatus {
            name: name.clone(),
            lines: rows.lines(),
            rejected: invalid,
            subjects: import.count()?.new,
        };
        let checked = contract.check(&input, last.as_ref());
        checked.map_err(|why| not_kept(&name, &why))?;
    } else {
        // Whole, it has more to say: its digest must not make it a known source.
        import.forget_digest()?;
    }
    let stats = import.finish(rows.lines(), invalid, Clock::system().now())?;
    each(&ImportedInput {
        name,
        lines: Some(ImportedLines {
            read: rows.lines(),
            new: stats.new,
            repeated: stats.duplicates,
            invalid,
            unusual: rows.unusual_ids(),
        }),
    });
    broken.map_or(Ok(()), |error| Err(error.into()))
}

/// An input that does not meet the contract: no call is made, and it is as if it had not been given.
fn not_kept(name: &str, why: &str) -> Error {
    Error::usage(format!(
        "{name} does not meet the contract: {why}. Nothing of it was kept and nothing was sent; \
         correct the file, or run without --contract"
    ))
}

fn interrupted(name: &str) -> Error {
    Error {
        exit: Exit::Interrupted,
        message: format!(
            "interrupted while {name} was imported: nothing of it is kept; re-run the same command to \
             resume"
        ),
    }
}

/// The digest of a file; a stream has none.
pub(super) fn digest_of(input: &Input, options: &ReadOptions) -> Result<Option<[u8; 16]>, Error> {
    Ok(match input {
        Input::Path(path) if !input.is_stream() => Some(digest(path, options)?),
        _ => None,
    })
}

/// Imports line by line, up to the last one or until it is to stop; returns how many are invalid, and
/// why reading broke off, if it did.
fn read_all(
    lines: &mut ReadAhead,
    import: &mut Import<'_>,
    stop: &Stop,
) -> Result<(u64, Option<IntakeError>), Error> {
    let mut invalid = 0;
    while !stop.is_requested() {
        match lines.next() {
            Ok(InputLine::Row(row)) => import.add(&row)?,
            Ok(InputLine::Invalid(error)) => {
                invalid += 1;
                import.reject(&reject(error))?;
            }
            Ok(InputLine::End) => return Ok((invalid, None)),
            Err(error) => return Ok((invalid, Some(error))),
        }
    }
    Ok((invalid, None))
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
