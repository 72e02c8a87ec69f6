//! What people and programs see of a job: progress while it runs, a summary at its end, its
//! status at any time. Words only: every fact comes from events and from [`job`](crate::job).
//!
//! A [`Reporter`] receives events of the job, not drawing commands, and takes every time from
//! them: it has no clock and no thread, so that hours of waiting cost nothing. Output is never
//! worth a failed run: when its reader has left, a reporter writes nothing more.
//!
//! | file | |
//! | --- | --- |
//! | `bar`, [`Lines`], [`Json`] | progress, each in its form |
//! | `progress_state` | what the three know of a run |
//! | `phrases`, `next_steps` | the sentences: one for each event and reason, and what to do next |
//! | `summary`, `drawn` | the last lines of a run; what a pilot or a sample has found |
//! | `status`, `rehearsal`, `timeline` | what `status` and `rehearse` print |
//! | `html` | the report of a job, and the page of a run |
//! | [`listen`] | the page of a run, served |
//! | `log` | log lines |
//! | `style` | columns and colours |

use std::{fmt, io::Write, time::Duration};

// What events are made of; the files below take it from here.
use crate::runner::event::{
    Asked, Entry, Failure, ForecastInput, HoldReason, LockoutLevel, NoConnection, PassOrigin,
    PassProgress, QuotaWindow, RunEvent, Snapshot, TicketNews, TicketState, Waiting, WindowUse,
    Wish,
};

mod bar;
pub(crate) mod doctor;
mod drawn;
pub(crate) mod html;
pub(crate) mod json;
mod lines;
pub mod listen;
pub(crate) mod log;
pub(crate) mod matching;
mod next_steps;
mod pending_ids;
pub(crate) mod phrases;
mod progress_state;
pub(crate) mod quota;
pub(crate) mod rehearsal;
pub(crate) mod runs;
pub(crate) mod status;
pub mod style;
mod summary;
pub(crate) mod ticket;
mod timeline;

pub(crate) use bar::{Bar, BarWriter};
pub use json::Json;
pub use lines::Lines;
pub(crate) use summary::{Obstacles, Summary};
pub(crate) use timeline::Timeline;

/// Returns how long it takes from the input's `now` until so many calls are completed; `None` if
/// that is not foreseeable.
pub type Eta = Box<dyn Fn(&ForecastInput, u64) -> Option<Duration>>;

/// Reports the progress of a run to people or programs.
pub trait Reporter {
    /// Something happened.
    fn event(&mut self, event: &RunEvent);

    /// Nothing more will happen; leaves the terminal as it was.
    fn finish(&mut self);
}

/// Reports nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _event: &RunEvent) {}

    fn finish(&mut self) {}
}

/// Writes whole lines until the reader has left.
struct LineWriter(Option<Box<dyn Write>>);

impl LineWriter {
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
