//! The first stage of a run: inputs become subjects, invalid lines are kept beside them.

use super::{contract::Contract, error::Error, exit::Exit};
use crate::{
    clock::Clock,
    intake::{
        Input, InputLine, IntakeError, ReadAhead, ReadOptions, RowError, RowReader, UnusualIds,
        digest,
    },
    runner::Stop,
    store::{Import, ImportStats, Reject, SourceStatus, Store},
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

impl ImportedLines {
    const fn of(rows: &RowReader, stats: ImportStats) -> Self {
        Self {
            read: rows.lines(),
            new: stats.new,
            repeated: stats.duplicates,
            invalid: rows.invalid(),
            unusual: rows.unusual_ids(),
        }
    }
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

impl ImportRules<'_> {
    /// What an input must look like. The lines of a rejects file are those of one that was admitted.
    fn contract_of(&self, rows: &RowReader) -> Contract {
        match rows.is_rejects() {
            true => Contract::default(),
            false => self.contract.clone(),
        }
    }
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
    let (name, options) = (input.name(), how.options);
    let digest = digest_of(input, options)?;
    if let Some(digest) = &digest
        && store.knows_source(digest)?
    {
        each(&ImportedInput { name, lines: None });
        return Ok(());
    }
    let rows = RowReader::open(input, options)?;
    let name = rows.name().to_string();
    let contract = how.contract_of(&rows);
    let last = store.reader().last_alike(&name)?;
    let mut lines = ReadAhead::of(rows)?;
    let mut import = store.import(&name, digest.as_ref().map(<[u8; 16]>::as_slice))?;
    import.is_of(path_of(input).as_deref())?;
    let broken = read_all(&mut lines, &mut import, how.stop)?;
    if how.stop.is_requested() {
        return Err(interrupted(&name));
    }
    let rows = lines.finish();
    import.supersede(rows.origins().clone());
    if let Some(why) = broken.as_ref().filter(|_| !contract.is_empty()) {
        return Err(not_kept(&name, &why.to_string()));
    }
    if broken.is_none() {
        rows.ensure_any_row()?;
        let input = SourceStatus {
            name: name.clone(),
            path: None,
            lines: rows.lines(),
            rejected: rows.invalid(),
            subjects: import.count()?.new,
        };
        let checked = contract.check(&input, last.as_ref());
        checked.map_err(|why| not_kept(&name, &why))?;
    } else {
        // Whole, it has more to say: its digest must not make it a known source.
        import.forget_digest()?;
    }
    let stats = import.finish(rows.lines(), rows.invalid(), Clock::system().now())?;
    let lines = Some(ImportedLines::of(&rows, stats));
    each(&ImportedInput { name, lines });
    broken.map_or(Ok(()), |error| Err(error.into()))
}

/// An input that does not meet the contract: no call is made, and it is as if it had not been given.
fn not_kept(name: &str, why: &str) -> Error {
    Error::usage(format!(
        "{name} does not meet the contract: {why}. Nothing of it was kept and nothing was sent; \
         correct the file, or the rule in --contract or [contract]"
    ))
}

/// The path of a file from the root; a stream has none.
fn path_of(input: &Input) -> Option<String> {
    match input {
        Input::Path(path) if !input.is_stream() => {
            let path = std::path::absolute(path).ok()?;
            Some(path.to_string_lossy().into_owned())
        }
        _ => None,
    }
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

/// Imports line by line, up to the last one or until it is to stop; returns why reading broke off, if it
/// did.
fn read_all(
    lines: &mut ReadAhead,
    import: &mut Import<'_>,
    stop: &Stop,
) -> Result<Option<IntakeError>, Error> {
    while !stop.is_requested() {
        match lines.next() {
            Ok(InputLine::Row(row)) => import.add(&row)?,
            Ok(InputLine::Invalid(error)) => import.reject(&reject(error))?,
            Ok(InputLine::End) => return Ok(None),
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::test_workbook::{text, workbook};

    const UNIONID: &str = "oUnion0000000000000000000001";

    /// A sheet with a subject and a line that cannot be one.
    fn sheet(openid: &str, bad: &str) -> String {
        let row = |at: u32, ids: [&str; 2]| {
            let cells = [
                text(&format!("A{at}"), ids[0]),
                text(&format!("B{at}"), ids[1]),
            ];
            format!(r#"<row r="{at}">{}</row>"#, cells.concat())
        };
        let rows = [["unionid", "openid"], [UNIONID, openid], [bad, openid]];
        (1..).zip(rows).map(|(at, ids)| row(at, ids)).collect()
    }

    #[test]
    fn a_sheet_replaces_itself_and_no_other_sheet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crm.xlsx");
        let (one, two) = (
            sheet("oOpenid-one-00000000", "bad"),
            sheet("oOpenid-two-00000000", "worse"),
        );
        std::fs::write(&path, workbook(&[("One", &one), ("Two", &two)])).unwrap();
        let mut store = Store::open(&folder.path().join("job.db"), Clock::system().now()).unwrap();
        let input = [Input::Path(path.clone())];
        let mut take = |sheet: &str| {
            let options = ReadOptions {
                sheet: Some(sheet.to_owned()),
                ..ReadOptions::default()
            };
            import(
                &mut store,
                &input,
                &ImportRules {
                    options: &options,
                    contract: &Contract::default(),
                    stop: &Stop::default(),
                },
                &mut |_| (),
            )
            .unwrap();
            let sources = store.reader().sources().unwrap();
            let name = |source: SourceStatus| {
                (
                    source.name.replace(folder.path().to_str().unwrap(), ""),
                    source.rejected,
                )
            };
            sources.into_iter().map(name).collect::<Vec<_>>()
        };
        let of = |sheet: &str| (format!("/crm.xlsx [{sheet}]"), 1);
        assert_eq!(take("One"), [of("One")]);
        assert_eq!(take("Two"), [of("One"), of("Two")]);
        std::fs::write(&path, workbook(&[("Two", &two), ("One", &one)])).unwrap();
        assert_eq!(take("One"), [of("One"), of("Two")]);
    }
}
