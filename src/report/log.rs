//! Log lines: of this crate alone, never through a progress bar.
//!
//! Other crates' lines are left out on purpose: an HTTP client's debug lines hold URLs, and the
//! URLs of this API hold tokens.

use std::io::Write;

use tracing::{debug, info, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::{RunEvent, phrases};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Logs what happens in a run; no line names a secret or a person.
pub(crate) fn event(event: &RunEvent) {
    match event {
        RunEvent::Progress(at) => debug!(
            answered = at.tally.answered(),
            calls = at.calls,
            in_flight = at.in_flight,
            width = at.concurrency,
            "progress"
        ),
        RunEvent::ForecastInput(input) => debug!(per_second = input.per_second, "forecast"),
        event => info!("{}", phrases::sentence(event, None).unwrap_or_default()),
    }
}

/// Starts logging to what `writer` makes, at the level of so many `-v`.
pub(crate) fn start<W, M>(verbose: u8, format: LogFormat, writer: M)
where
    W: Write + 'static,
    M: Fn() -> W + Send + Sync + 'static,
{
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = filter_fn(|meta| meta.target().starts_with("idferry"));
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => Box::new(lines.with_ansi(false)),
        LogFormat::Json => Box::new(lines.json()),
    };
    // A second start, as in tests of this process, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(level).with_filter(ours))
        .try_init();
}
