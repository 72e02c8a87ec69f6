//! Handing results over: to a file, or to a file for each downstream corp, with a manifest.

use std::path::{Path, PathBuf};

use super::{error::Error, results::recorded};
use crate::{
    export::{
        CorpFile, ExportError, ExportedFile, Filter, Format, JoinStats, JoinedInput, Target,
        file_stem, publish_by_corp, publish_joined, publish_manifest, publish_results,
    },
    intake::Input,
    store::Reader,
};

/// What is handed over, and how.
pub(crate) struct HandOver<'r> {
    pub(crate) reader: &'r Reader<'static>,
    pub(crate) format: Format,
    pub(crate) filter: Filter,
    /// Where the manifest goes; `None` for no manifest.
    pub(crate) manifest: Option<Target>,
}

impl HandOver<'_> {
    /// Writes all lines to `target`. Returns how many, or `None` if the reader of a pipe has left.
    ///
    /// # Errors
    ///
    /// If they cannot be written. That they cannot be recorded as files of the job is no error: a
    /// job file that may only be read can be exported too.
    pub(crate) fn to(&self, target: &Target) -> Result<Option<u64>, Error> {
        let hashed = self.manifest.is_some();
        self.listed(vec![target], None, || {
            let file = publish_results(self.reader, target, self.format, &self.filter, hashed)?;
            Ok((file.lines, vec![file]))
        })
    }

    /// The files that [`by_corp`](Self::by_corp) writes in `folder`: one for every downstream corp
    /// that the job has met, those without links now among them, so that no older file is taken
    /// for a new one.
    pub(crate) fn corp_files(&self, folder: &Path) -> Result<Vec<CorpFile>, Error> {
        let mut corpids = self.reader.corpids()?;
        if let Some(only) = &self.filter.corpid {
            corpids.retain(|corpid| corpid == only);
        }
        let file = |corpid: String| {
            let name = format!("{}.{}", file_stem(&corpid), self.format);
            let target = Target::File(folder.join(name));
            CorpFile { corpid, target }
        };
        Ok(corpids.into_iter().map(file).collect())
    }

    /// Writes the links of each downstream corp to its file in `folder`. Returns how many links.
    ///
    /// # Errors
    ///
    /// As of [`to`](Self::to).
    pub(crate) fn by_corp(&self, files: Vec<CorpFile>, folder: &Path) -> Result<u64, Error> {
        let targets: Vec<_> = files.iter().map(|file| file.target.clone()).collect();
        let links = self.listed(targets.iter().collect(), None, || {
            let files = publish_by_corp(self.reader, files, folder, self.format, &self.filter)?;
            Ok((files.iter().map(|file| file.lines).sum(), files))
        })?;
        Ok(links.unwrap_or_default())
    }

    /// Writes every line of an input with the results of its row. Returns `None` if the reader of a
    /// pipe has left.
    ///
    /// # Errors
    ///
    /// As of [`to`](Self::to), and if the input cannot be read.
    pub(crate) fn join(
        &self,
        input: &JoinedInput<'_>,
        target: &Target,
    ) -> Result<Option<JoinStats>, Error> {
        let folder = target.folder_beside();
        let hashed = self.manifest.is_some();
        self.listed(vec![target], Some(input.input), || {
            let (file, stats) = publish_joined(self.reader, input, &folder, target, hashed)?;
            Ok((stats, vec![file]))
        })
    }

    /// Writes `targets` by `publish`, and then the manifest of them if there is to be one; all as of one
    /// moment.
    fn listed<'a, T>(
        &'a self,
        mut targets: Vec<&'a Target>,
        joined: Option<&Input>,
        publish: impl FnOnce() -> Result<(T, Vec<ExportedFile>), ExportError>,
    ) -> Result<Option<T>, Error> {
        targets.extend(&self.manifest);
        recorded(self.reader, &targets, || {
            let _moment = self.reader.snapshot()?;
            let (written, files) = publish()?;
            if let Some(manifest) = &self.manifest {
                publish_manifest(self.reader, manifest, (&self.filter, joined), &files)?;
            }
            Ok(written)
        })
    }
}

/// Where the manifest of files in `folder` goes, if nobody says.
pub(crate) fn default_manifest(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}
