//! Which reporter listens to a run.

use std::io::{self, IsTerminal};

use clap::ValueEnum;

use super::{
    args::{LogFormat, Talk},
    environment, log, say,
};
use crate::{
    plan,
    report::{Bar, Eta, Json, Lines, Quiet, Reporter, style},
};

/// `--progress`
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Default)]
pub(super) enum Progress {
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

impl std::str::FromStr for Progress {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(word, false)
    }
}

/// Makes the reporter, and starts the log so that the two do not tear each other. Quiet silences
/// what people read, not the events that a program asked for.
pub(super) fn start(progress: Progress, talk: &Talk) -> Box<dyn Reporter> {
    let is_terminal = io::stderr().is_terminal();
    let bar = match progress {
        Progress::Auto => style::can_draw(is_terminal, environment),
        _ => progress == Progress::Bar,
    };
    if bar && !talk.quiet {
        let bar = Bar::new(paint(), eta());
        let writer = bar.writer();
        say::above(bar.writer());
        log::start(talk.verbose, talk.log_format, move || writer.clone());
        return Box::new(bar);
    }
    let out = Box::new(io::stderr());
    if progress == Progress::Json {
        say::as_events();
        log::start(talk.verbose, LogFormat::Json, io::stderr);
        return Box::new(Json::new(out, eta()));
    }
    log::start(talk.verbose, talk.log_format, io::stderr);
    match progress {
        _ if talk.quiet => Box::new(Quiet),
        Progress::None => Box::new(Quiet),
        _ => Box::new(Lines::new(out, eta())),
    }
}

/// Colours, where they are wanted.
pub(super) fn paint() -> style::Paint {
    style::Paint::new(style::colors(io::stderr().is_terminal(), environment))
}

fn eta() -> Eta {
    Box::new(|outlook, calls| {
        let forecast = plan::forecast(outlook, calls);
        let never = forecast.finish == crate::clock::Timestamp::MAX;
        (!never).then(|| forecast.finish.since(outlook.now))
    })
}
