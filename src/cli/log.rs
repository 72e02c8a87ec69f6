//! Log lines: ours alone, to standard error, never through a progress bar.
//!
//! Other crates' lines are left out on purpose: an HTTP client's debug lines hold URLs, and ours
//! hold tokens.

use std::io::Write;

use tracing::{debug, info, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use super::args::LogFormat;
use crate::runner::event::RunEvent;

/// What happens in a run, for `-v`. Nothing of it names a secret or a person.
pub(super) fn event(event: &RunEvent) {
    match event {
        RunEvent::Started { tally } => info!(subjects = tally.total(), "the run begins to ask"),
        RunEvent::TokenFetched => info!("access token fetched"),
        RunEvent::LockedOut { rung, until } => {
            info!(?rung, %until, "the API answered 45009 and is left alone");
        }
        RunEvent::LockoutEnded => info!("the probe was answered: the block is over"),
        RunEvent::ConcurrencyReduced { calls } => info!(calls, "fewer calls at once"),
        RunEvent::Unreachable { failure, until } => {
            info!(%failure, %until, "the API cannot be reached");
        }
        RunEvent::Reconnected => info!("the API can be reached again"),
        RunEvent::TicketRejected => info!("the ticket does not work any more"),
        RunEvent::Draining { in_flight } => info!(in_flight, "no new calls"),
        RunEvent::RetryPassStarted => info!("parked subjects are asked once more"),
        RunEvent::Progress(at) => debug!(
            answered = at.tally.answered(),
            calls = at.calls,
            in_flight = at.in_flight,
            width = at.width,
            "progress"
        ),
        RunEvent::ForecastInput(outlook) => debug!(per_second = outlook.per_second, "outlook"),
    }
}

/// Starts logging; `writer` makes what lines are written to.
pub(super) fn start<W, M>(verbose: u8, format: LogFormat, writer: M)
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
