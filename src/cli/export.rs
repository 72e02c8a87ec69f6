//! `idferry export`: the results so far, during a run or after it.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{args::StateFile, console::say, outputs, signals::Signals, values::outcome};
use crate::{
    export::{Filter, Format, Target, file_stem},
    format::counted,
    job::{Error, Exit, HandOver, OutputGuard, default_manifest, stem},
    model::State,
    store::Reader,
};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Where the results go; - is standard output, .gz and .zst are compressed [default: the first
    /// input's stem + .links.csv].
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace an existing file that this job did not write; never an input or the job file.
    #[arg(long)]
    overwrite: bool,
    /// The format of the results [default: that of FILE's suffix, else csv].
    #[arg(long, value_parser = format())]
    format: Option<Format>,
    /// Only subjects with this outcome: queued, linked, unlinked, rejected or parked (repeatable).
    #[arg(long = "outcome", value_name = "OUTCOME", value_parser = outcome)]
    outcomes: Vec<State>,
    /// Only the lines of this downstream corp.
    #[arg(long, value_name = "ID")]
    corpid: Option<String>,
    /// A file for each downstream corp, named by its corpid, with its own links and nothing else.
    #[arg(long, value_name = "COLUMN", value_parser = ["corpid"], requires = "dir", conflicts_with = "output")]
    by: Option<String>,
    /// The folder of these files; made if it is not there.
    #[arg(long, value_name = "DIR", requires = "by")]
    dir: Option<PathBuf>,
    /// Where a list of the files goes, as JSON: lines, bytes and SHA-256 of each [default: none,
    /// with --by DIR/manifest.json].
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    state: StateFile,
    /// Use the sandbox's job file, sandbox.db.
    #[arg(long)]
    sandbox: bool,
}

/// Reads a name that [`Format`] lists.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let _signals = Signals::listen()?;
    let file = args.state.file()?;
    let files = args.state.files(&file.run, args.sandbox)?;
    let reader = Reader::open(&files.job)?;
    let guard = outputs::guard(&args.state, &file, &files, args.overwrite)?;
    match &args.dir {
        Some(folder) => args.by_corp(&reader, guard, folder)?,
        None => args.whole(&reader, guard)?,
    }
    Ok(Exit::Done)
}

impl Args {
    fn whole(&self, reader: &Reader<'static>, mut guard: OutputGuard) -> Result<(), Error> {
        let target = match &self.output {
            Some(output) => Target::parse(output),
            None => Target::File(self.default_output(reader)?),
        };
        guard.admit_results(&target)?;
        let manifest = self.manifest.as_deref().map(Target::parse);
        let format = self.format.unwrap_or_else(|| Format::of(&target));
        let hand_over = self.hand_over(reader, &mut guard, format, manifest)?;
        if let Some(lines) = hand_over.to(&target)?
            && target != Target::Stdout
        {
            say(&format!("{target}: {}", counted(lines, "line")));
        }
        Ok(())
    }

    fn by_corp(
        &self,
        reader: &Reader<'static>,
        mut guard: OutputGuard,
        folder: &Path,
    ) -> Result<(), Error> {
        outputs::make_folder(folder)?;
        let manifest = self.manifest.clone();
        let manifest = manifest.unwrap_or_else(|| default_manifest(folder));
        let format = self.format.unwrap_or(Format::ALL[0]);
        let hand_over =
            self.hand_over(reader, &mut guard, format, Some(Target::parse(&manifest)))?;
        let files = hand_over.corp_files(folder)?;
        for file in &files {
            guard.admit_in_folder(&file.target)?;
        }
        let corps = counted(files.len() as u64, "file");
        let links = hand_over.by_corp(files, folder)?;
        say(&format!(
            "{}: {corps}, {}; {} lists them",
            folder.display(),
            counted(links, "link"),
            manifest.display()
        ));
        Ok(())
    }

    fn hand_over<'r>(
        &self,
        reader: &'r Reader<'static>,
        guard: &mut OutputGuard,
        format: Format,
        manifest: Option<Target>,
    ) -> Result<HandOver<'r>, Error> {
        if let Some(manifest) = &manifest {
            guard.admit_manifest(manifest)?;
        }
        Ok(HandOver {
            reader,
            format,
            filter: Filter {
                states: self.outcomes.clone(),
                corpid: self.corpid.clone(),
            },
            manifest,
        })
    }

    /// All results go where a run writes them; a part of them never replaces them.
    fn default_output(&self, reader: &Reader) -> Result<PathBuf, Error> {
        let outcomes = self.outcomes.iter().map(|state| state.as_str().to_owned());
        let corpid = self.corpid.as_deref().map(file_stem);
        let names: Vec<_> = corpid.into_iter().chain(outcomes).collect();
        let part = match &*names {
            [] => "links".to_owned(),
            names => names.join("-"),
        };
        let format = self.format.unwrap_or(Format::ALL[0]);
        let suffix = format!("{part}.{format}");
        Ok(outputs::default_name(&stem(reader)?, self.sandbox, &suffix))
    }
}
