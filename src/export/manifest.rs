//! The manifest of an export: what was written, and what tells that it arrived whole.

use std::{
    collections::HashMap,
    io::Write,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    error::ExportError,
    filter::Filter,
    part::folder_of,
    publish::{Target, WrittenBytes},
};
use crate::{
    intake::Input,
    model::{State, Tally},
    store::Reader,
};

/// A file that an export wrote.
pub(crate) struct ExportedFile {
    pub(crate) target: Target,
    /// The downstream corp whose links it has, if it has those of one only.
    pub(crate) corpid: Option<String>,
    /// Its lines, a header not counted.
    pub(crate) lines: u64,
    pub(crate) written: WrittenBytes,
}

/// Without a time, so that exporting twice gives the same bytes.
#[derive(Serialize)]
struct Manifest<'a> {
    /// The version of idferry.
    idferry: &'static str,
    /// The subjects of the job by outcome, those among them that are not in the files.
    subjects: Subjects,
    /// The outcomes that were exported; empty for all.
    outcomes: Vec<&'static str>,
    /// The only downstream corp whose lines were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    corpid: Option<&'a str>,
    /// Since when the links were gained or lost that were exported.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_since: Option<String>,
    /// The input whose rows were exported, with the results behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    joined: Option<String>,
    /// Lines of all files.
    lines: u64,
    files: Vec<ManifestFile<'a>>,
}

#[derive(Serialize)]
struct Subjects {
    queued: u64,
    linked: u64,
    unlinked: u64,
    rejected: u64,
    parked: u64,
}

#[derive(Serialize)]
struct ManifestFile<'a> {
    /// Its path, from the folder of the manifest if it is in there.
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    corpid: Option<&'a str>,
    /// The corp's name, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    lines: u64,
    bytes: u64,
    sha256: &'a str,
}

/// Writes the manifest of `files` to `target`.
pub(crate) fn publish_manifest(
    reader: &Reader,
    target: &Target,
    (filter, joined): (&Filter, Option<&Input>),
    files: &[ExportedFile],
) -> Result<(), ExportError> {
    let (tally, names) = (reader.tally()?, reader.corp_names()?);
    let manifest = Manifest {
        idferry: env!("CARGO_PKG_VERSION"),
        subjects: subjects(&tally),
        outcomes: filter.states.iter().map(|state| state.as_str()).collect(),
        corpid: filter.corpid.as_deref(),
        changed_since: filter.changed_since.map(|since| since.to_string()),
        joined: joined.map(Input::name),
        lines: files.iter().map(|file| file.lines).sum(),
        files: files
            .iter()
            .map(|file| entry(file, target, &names))
            .collect(),
    };
    let mut publication = target.open(false)?;
    serde_json::to_writer_pretty(&mut publication, &manifest).map_err(std::io::Error::from)?;
    publication.write_all(b"\n")?;
    publication.publish()?;
    Ok(())
}

fn subjects(tally: &Tally) -> Subjects {
    Subjects {
        queued: tally.of(State::Queued),
        linked: tally.of(State::Linked),
        unlinked: tally.of(State::Unlinked),
        rejected: tally.of(State::Rejected),
        parked: tally.of(State::Parked),
    }
}

fn entry<'a>(
    file: &'a ExportedFile,
    manifest: &Target,
    names: &'a HashMap<String, String>,
) -> ManifestFile<'a> {
    let name = file.corpid.as_ref().and_then(|corpid| names.get(corpid));
    ManifestFile {
        file: named_from(&file.target, manifest),
        corpid: file.corpid.as_deref(),
        name: name.map(String::as_str),
        lines: file.lines,
        bytes: file.written.bytes,
        sha256: file.written.sha256.as_deref().unwrap_or_default(),
    }
}

/// The name by which a reader of the manifest finds a file.
fn named_from(target: &Target, manifest: &Target) -> PathBuf {
    let Target::File(path) = target else {
        return PathBuf::from("-");
    };
    match (path.file_name(), manifest) {
        (Some(name), Target::File(manifest)) if folder_of(manifest) == folder_of(path) => {
            Path::new(name).to_owned()
        }
        _ => path.clone(),
    }
}
