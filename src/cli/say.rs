//! How what a command has to say reaches standard error: as a line, above the bar, or, where
//! standard error is for a program, as an event.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use super::args::Talk;
use crate::report::{BarWriter, Summary, json};

static VOICE: OnceLock<Voice> = OnceLock::new();

enum Voice {
    /// Takes the bar away meanwhile.
    Bar(BarWriter),
    /// A JSON object a line and nothing else.
    Events,
}

/// From here on a bar is drawn.
pub(super) fn above(bar: BarWriter) {
    let _ = VOICE.set(Voice::Bar(bar));
}

/// From here on a program reads.
pub(super) fn as_events() {
    let _ = VOICE.set(Voice::Events);
}

/// A line for people.
pub(super) fn say(line: &str) {
    match VOICE.get() {
        Some(Voice::Events) => write(io::stderr(), &json::message(line)),
        Some(Voice::Bar(bar)) => write(bar.clone(), line),
        None => write(io::stderr(), line),
    }
}

/// The last line of a process that leaves at once: no bar stays behind.
pub(super) fn say_at_last(line: &str) {
    match VOICE.get() {
        Some(Voice::Bar(bar)) => {
            bar.take_away();
            write(io::stderr(), line);
        }
        _ => say(line),
    }
}

/// The last of a run. A program is told however it ended; people, if they want quiet, only what
/// did not end well.
pub(super) fn sum_up(summary: &Summary, talk: &Talk) {
    match VOICE.get() {
        Some(Voice::Events) => write(io::stderr(), &json::ended(summary)),
        _ if talk.quiet && summary.exit_code == 0 => {}
        _ => say(summary.to_string().trim_end()),
    }
}

/// Whoever closed the pipe does not want it.
fn write(mut out: impl Write, line: &str) {
    let _ = out.write_all(format!("{line}\n").as_bytes());
}
