//! The results of each downstream corp in a file of its own, for its eyes only.

use std::{collections::HashMap, path::Path};

use super::{
    error::ExportError,
    filter::Filter,
    format::{Format, FormattedLines},
    manifest::ExportedFile,
    partition::{Part, Partition},
    publish::Target,
};
use crate::store::Reader;

/// Bytes of lines that are in memory, over all corps.
const IN_MEMORY: usize = 32 << 20;
/// Most and fewest bytes of them that one corp has.
const MOST: usize = 128 << 10;
const FEWEST: usize = 2 << 10;

/// Writes the links of each corp to its file. A file without links has a header only. Files appear
/// one after the other: after an error some have the new content and the others are unchanged.
///
/// Links of a corp that is not among `files` are left out.
pub(crate) fn publish_by_corp(
    reader: &Reader,
    files: Vec<CorpFile>,
    folder: &Path,
    format: Format,
    filter: &Filter,
) -> Result<Vec<ExportedFile>, ExportError> {
    let partition = Partition::new(folder)?;
    let buffer = (IN_MEMORY / files.len().max(1)).clamp(FEWEST, MOST);
    let mut parts = HashMap::new();
    for file in &files {
        let lines = format.lines(partition.part(), buffer)?;
        parts.insert(file.corpid.clone(), CorpLines { lines, count: 0 });
    }
    filter.for_each_line(reader, |line| match parts.get_mut(line.corpid) {
        Some(part) if !line.external_userid.is_empty() => {
            part.count += 1;
            part.lines.line(line)
        }
        _ => Ok(()),
    })?;
    let mut exported = Vec::new();
    for file in files {
        if let Some(part) = parts.remove(&file.corpid) {
            exported.push(publish(file, part)?);
        }
    }
    Ok(exported)
}

/// A downstream corp, and where its links go.
pub(crate) struct CorpFile {
    pub(crate) corpid: String,
    pub(crate) target: Target,
}

struct CorpLines {
    lines: FormattedLines<Part>,
    count: u64,
}

fn publish(file: CorpFile, part: CorpLines) -> Result<ExportedFile, ExportError> {
    let mut publication = file.target.open(true)?;
    part.lines.finish()?.copy_to(&mut publication)?;
    Ok(ExportedFile {
        corpid: Some(file.corpid),
        lines: part.count,
        written: publication.publish()?,
        target: file.target,
    })
}
