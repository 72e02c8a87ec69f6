//! Which reporter shows the progress of a run.

use std::io::{self, IsTerminal};

use clap::ValueEnum;

use super::{args::OutputFlags, console, log_file::LogFile, values::environment};
use crate::{
    clock::Timestamp,
    job::Error,
    plan,
    report::{
        Bar, Eta, Json, Lines, Reporter, Silent,
        log::{self, LogFormat},
        style::{self, Paint},
    },
};

/// `--progress`
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Default)]
pub(super) enum ProgressMode {
    /// A bar on a terminal, else lines.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// A line every 30 seconds.
    Lines,
    /// A JSON object a line.
    Json,
    /// Nothing.
    None,
}

impl std::str::FromStr for ProgressMode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(word, false)
    }
}

/// Starts the log in the file of `--log-file`, if it is given.
///
/// # Errors
///
/// A usage error if the file cannot be written.
pub(super) fn start_log_file(output: &OutputFlags) -> Result<(), Error> {
    if let Some(path) = &output.log_file {
        // A file is not there to stay empty.
        let (verbose, file) = (output.verbose.max(1), LogFile::open(path)?);
        log::start(verbose, output.log_format(), move || file.clone());
    }
    Ok(())
}

/// Makes the reporter, and without a log file starts the log so that the two do not tear each other.
/// `--quiet` silences what people read, not the events that a program asked for.
pub(super) fn start(mode: ProgressMode, output: &OutputFlags) -> Box<dyn Reporter> {
    let is_terminal = io::stderr().is_terminal();
    let is_bar = match mode {
        ProgressMode::Auto => style::can_draw(is_terminal, environment),
        _ => mode == ProgressMode::Bar,
    };
    if is_bar && !output.quiet {
        let bar = Bar::new(paint(), eta());
        let writer = bar.writer();
        console::attach_bar(bar.writer());
        start_log(output, output.log_format(), move || writer.clone());
        return Box::new(bar);
    }
    let out = Box::new(io::stderr());
    if mode == ProgressMode::Json {
        console::send_events();
        start_log(output, LogFormat::Json, io::stderr);
        return Box::new(Json::new(out, eta()));
    }
    start_log(output, output.log_format(), io::stderr);
    match mode {
        _ if output.quiet => Box::new(Silent),
        ProgressMode::None => Box::new(Silent),
        _ => Box::new(Lines::new(out, eta())),
    }
}

/// Starts the log to what `writer` makes, unless it goes to a file.
fn start_log<W, M>(output: &OutputFlags, format: LogFormat, writer: M)
where
    W: io::Write + 'static,
    M: Fn() -> W + Send + Sync + 'static,
{
    if output.log_file.is_none() {
        log::start(output.verbose, format, writer);
    }
}

/// Colours, if they are wanted.
pub(super) fn paint() -> Paint {
    Paint::new(style::colors(io::stderr().is_terminal(), environment))
}

fn eta() -> Eta {
    Box::new(|input, calls| {
        let finish = plan::forecast(input, calls).finish;
        (finish != Timestamp::MAX).then(|| finish.since(input.now))
    })
}
