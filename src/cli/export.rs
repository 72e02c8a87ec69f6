//! `idferry export`: the results so far, during a run or after it.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{
    console::say,
    job_flags::JobFlags,
    outputs,
    signals::Signals,
    values::{ReadFlags, outcome},
};
use crate::{
    clock::Timestamp,
    config::RunSection,
    export::{Filter, Format, JoinStats, JoinedInput, Target, file_stem},
    format::{count, counted},
    intake::{Columns, Encoding, Input, parse_delimiter},
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
    /// Only the lines of this downstream corp; with --join as the run had it.
    #[arg(long, value_name = "ID")]
    corpid: Option<String>,
    /// Only links gained or lost since the latest run began, since the run of a number (`idferry runs`),
    /// or since a moment such as 2026-11-20T00:00+08:00; the column change says added or removed.
    #[arg(long, value_name = "last|RUN|TIME")]
    changed_since: Option<Since>,
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
    /// Every row and column of this input, in order, with the results behind them: one line per link
    /// [default output: INPUT's stem + .joined.csv].
    #[arg(long, value_name = "INPUT", conflicts_with_all = ["by", "format", "outcomes", "changed_since"])]
    join: Option<PathBuf>,
    #[command(flatten)]
    joined: JoinFlags,
    #[command(flatten)]
    job: JobFlags,
}

/// Since when links are compared.
#[derive(Clone, Copy)]
enum Since {
    LatestRun,
    Run(i64),
    Moment(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        if word == "last" {
            return Ok(Self::LatestRun);
        }
        let moment = || Timestamp::parse(word).map(Self::Moment);
        let run = word.parse().map(Self::Run);
        run.or_else(|_| moment()).map_err(|_| {
            "last, the number of a run, or a time such as 2026-11-20T00:00+08:00".into()
        })
    }
}

impl Since {
    fn moment(self, reader: &Reader) -> Result<Timestamp, Error> {
        let (number, found) = match self {
            Self::Moment(at) => return Ok(at),
            Self::Run(number) => (number.to_string(), reader.run_began(Some(number))?),
            Self::LatestRun => ("any number".to_owned(), reader.run_began(None)?),
        };
        found.ok_or_else(|| {
            Error::usage(format!(
                "the job file has no run of {number}; `idferry runs` lists them"
            ))
        })
    }
}

/// How the input of `--join` is read, and written again.
#[derive(clap::Args)]
struct JoinFlags {
    /// Header names of INPUT's columns, as for run.
    #[arg(long, value_name = "NAME=HEADER,…", requires = "join")]
    columns: Option<Columns>,
    /// , ; tab or | in INPUT [default: detected].
    #[arg(long, value_parser = parse_delimiter, requires = "join")]
    delimiter: Option<u8>,
    /// The sheet of INPUT, if it is a workbook [default: the first].
    #[arg(long, value_name = "NAME", requires = "join")]
    sheet: Option<String>,
    /// The encoding of what is written: utf-8, gb18030, utf-16le or utf-16be [default: INPUT's].
    #[arg(long, requires = "join")]
    encoding: Option<Encoding>,
    /// The encoding of INPUT [default: detected].
    #[arg(long, value_name = "ENCODING", requires = "join")]
    input_encoding: Option<Encoding>,
}

/// Reads a name that [`Format`] lists.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse::<Format>())
}

pub(super) fn run(args: &Args) -> Result<Exit, Error> {
    let _signals = Signals::listen()?;
    let file = args.job.file()?;
    let files = args.job.files()?;
    let reader = Reader::open(&files.job)?;
    let guard = outputs::guard(&args.job.state, &file, &files, args.overwrite)?;
    match (&args.dir, &args.join) {
        (Some(folder), _) => args.by_corp(&reader, guard, folder)?,
        (None, Some(input)) => args.join(&reader, guard, input, &file.run)?,
        (None, None) => args.whole(&reader, guard)?,
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

    fn join(
        &self,
        reader: &Reader<'static>,
        mut guard: OutputGuard,
        input: &Path,
        file: &RunSection,
    ) -> Result<(), Error> {
        let input = Input::parse(input.as_os_str());
        if input.is_stream() {
            let why = "--join reads its input twice, which a pipe does not allow: name a file";
            return Err(Error::usage(why));
        }
        let flags = ReadFlags {
            columns: self.joined.columns.clone(),
            encoding: self.joined.input_encoding,
            delimiter: self.joined.delimiter,
            corpid: self.corpid.clone(),
            sheet: self.joined.sheet.clone(),
        };
        let options = flags.options(file)?;
        let target = match &self.output {
            Some(output) => Target::parse(output),
            None => Target::File(outputs::default_name(
                &input.stem(),
                self.job.sandbox,
                "joined.csv",
            )),
        };
        guard.protect_inputs(std::slice::from_ref(&input));
        guard.admit_results(&target)?;
        let manifest = self.manifest.as_deref().map(Target::parse);
        let hand_over = self.hand_over(reader, &mut guard, Format::Csv, manifest)?;
        let joined = JoinedInput {
            input: &input,
            options: &options,
            encoding: self.joined.encoding,
        };
        if let Some(stats) = hand_over.join(&joined, &target)? {
            say_joined(&target, &stats);
        }
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
                changed_since: self
                    .changed_since
                    .map(|since| since.moment(reader))
                    .transpose()?,
            },
            manifest,
        })
    }

    /// All results go where a run writes them; a part of them never replaces them.
    fn default_output(&self, reader: &Reader) -> Result<PathBuf, Error> {
        let outcomes = self.outcomes.iter().map(|state| state.as_str().to_owned());
        let corpid = self.corpid.as_deref().map(file_stem);
        let changes = self.changed_since.map(|_| "changes".to_owned());
        let names = corpid.into_iter().chain(outcomes).chain(changes);
        let names: Vec<_> = names.collect();
        let part = match &*names {
            [] => "links".to_owned(),
            names => names.join("-"),
        };
        let format = self.format.unwrap_or(Format::ALL[0]);
        let suffix = format!("{part}.{format}");
        Ok(outputs::default_name(
            &stem(reader)?,
            self.job.sandbox,
            &suffix,
        ))
    }
}

/// Says how many rows are subjects of the job; if none are, what may be the reason.
fn say_joined(target: &Target, stats: &JoinStats) {
    let rows = counted(stats.rows, "row");
    let found = count(stats.found);
    if target != &Target::Stdout {
        say(&format!(
            "{target}: {rows}, {found} of them subjects of this job"
        ));
    }
    if stats.found == 0 {
        say(
            "no row is a subject of this job: was the input imported with --corpid or --columns, or \
             into another --state?",
        );
    }
}
