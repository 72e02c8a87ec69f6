//! Log lines: ours alone, to standard error, never through a progress bar.
//!
//! Other crates' lines are left out on purpose: an HTTP client's debug lines hold URLs, and ours
//! hold tokens.

use std::io::Write;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::args::{LogFormat, Talk};

/// Starts logging; `writer` makes what lines are written to.
pub(super) fn start<W, M>(talk: &Talk, writer: M)
where
    W: Write + 'static,
    M: Fn() -> W + Send + Sync + 'static,
{
    let level = match talk.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let ours = filter_fn(|meta| meta.target().starts_with("idferry"));
    let lines = fmt::layer().with_writer(writer).with_target(false);
    let lines: Box<dyn Layer<_> + Send + Sync> = match talk.log_format {
        LogFormat::Text => Box::new(lines.with_ansi(false)),
        LogFormat::Json => Box::new(lines.json()),
    };
    // A second start, as in tests of this process, changes nothing.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(level).with_filter(ours))
        .try_init();
}
