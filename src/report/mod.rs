//! What people see of a run: a bar, lines, JSON or nothing while it goes on, a summary at its end.
//!
//! A [`Reporter`] hears events of the job, not drawing commands, and takes every time from them:
//! it has no clock and no thread of its own, so that hours of waiting cost nothing. What it writes
//! is for people (or their machines) and never worth a failed run: when its reader has left, it
//! falls silent.

use std::{fmt, io::Write, time::Duration};

// The words in which events speak; the files below take them from here.
use crate::runner::event::{
    Entry, Failure, ForecastInput, HoldReason, LockoutLevel, NoConnection, QuotaWindow, RunEvent,
    Snapshot, Waiting, WindowUse,
};

mod bar;
pub mod json;
mod lines;
mod next;
mod pulse;
pub mod style;
mod summary;
mod words;

pub use bar::{Bar, BarWriter};
pub use json::Json;
pub use lines::Lines;
pub use summary::Summary;

/// Says how long it takes from an outlook's `now` until so many calls are answered; `None` if
/// that is not in sight.
pub type Eta = Box<dyn Fn(&ForecastInput, u64) -> Option<Duration>>;

/// Tells people how a run goes.
pub trait Reporter {
    /// Something happened.
    fn event(&mut self, event: &RunEvent);

    /// Nothing more will; leaves the terminal as it was.
    fn finish(&mut self);
}

/// Tells nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Reporter for Quiet {
    fn event(&mut self, _event: &RunEvent) {}

    fn finish(&mut self) {}
}

/// Where lines go, until nobody reads them any more.
struct Out(Option<Box<dyn Write>>);

impl Out {
    fn new(out: Box<dyn Write>) -> Self {
        Self(Some(out))
    }

    fn line(&mut self, line: impl fmt::Display) {
        let Some(out) = &mut self.0 else { return };
        // In one piece, so that other writers of the same stream do not come between.
        let line = format!("{line}\n");
        if out.write_all(line.as_bytes()).is_err() || out.flush().is_err() {
            self.0 = None;
        }
    }
}

#[cfg(test)]
mod tests;
