//! Progress as a bar on a terminal.
//!
//! ```text
//! 31.2 %  ███░░░░░░░  31,204 / 100,000 · 166/s · done about 13:20 (in 1 h 15 min)
//! business.hour   ███████░░░  71,204 / 98,000
//! waiting: business.hour is used up · resumes at 12:41:02 (in 30 min 31 s)
//! ```
//!
//! Made for eighty columns; a wider terminal gets more of it, a narrower one the front. It is redrawn when something happens and at no other time: nothing ticks.

use std::{
    io::{self, Write},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Eta, HoldReason, Reporter, RunEvent, Snapshot, Waiting, WindowUse, pending_ids, phrases,
    progress_state::ProgressState,
    style::{Paint, columns},
};
use crate::{
    clock::Timestamp,
    format::{about, count, duration, rate, share, share_of},
};

/// Redrawn for progress no more often than this.
const EVERY: Duration = Duration::from_millis(200);

/// Lines at [`EVERY`] come to less than this; more is cut off by indicatif, as in rehearsals.
const DRAWS_A_SECOND: u8 = 60;

/// What a terminal is taken to have if it does not say.
const USUAL_WIDTH: usize = 80;

pub(crate) struct Bar {
    screen: MultiProgress,
    /// Columns, asked each time: windows are resized.
    width: fn() -> usize,
    lines: Vec<ProgressBar>,
    state: ProgressState,
    paint: Paint,
    draining: Option<String>,
    drawn: Option<(Timestamp, Option<HoldReason>)>,
}

impl Bar {
    /// Draws on standard error, which must be a terminal that
    /// [can be drawn on](super::style::can_draw), else nothing appears.
    pub(crate) fn new(paint: Paint, eta: Eta) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND);
        Self::on(target, width_of_stderr, paint, eta)
    }

    fn on(target: ProgressDrawTarget, width: fn() -> usize, paint: Paint, eta: Eta) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            width,
            lines: Vec::new(),
            state: ProgressState::new(eta),
            paint,
            draining: None,
            drawn: None,
        }
    }

    /// A writer to standard error for log lines, which removes the bar while it writes.
    pub(crate) fn writer(&self) -> BarWriter {
        BarWriter {
            screen: self.screen.clone(),
        }
    }

    fn is_due(&self, snapshot: &Snapshot) -> bool {
        self.drawn.is_none_or(|(at, reason)| {
            let changed = reason != snapshot.hold.map(|hold| hold.reason);
            changed || snapshot.at < at || snapshot.at.since(at) >= EVERY
        })
    }

    fn draw(&mut self) {
        let texts = self.texts();
        while self.lines.len() > texts.len() {
            if let Some(line) = self.lines.pop() {
                self.screen.remove(&line);
            }
        }
        for (place, text) in texts.into_iter().enumerate() {
            if let Some(line) = self.lines.get(place) {
                if line.message() != text {
                    line.set_message(text);
                }
                continue;
            }
            let line = self.screen.add(ProgressBar::new_spinner());
            line.set_style(cut_to_width());
            line.set_message(text);
            self.lines.push(line);
        }
    }

    fn texts(&self) -> Vec<String> {
        let width = (self.width)();
        let mut texts = vec![self.headline(width)];
        let Some(snapshot) = self.state.latest() else {
            return texts;
        };
        texts.extend(phrases::worth_showing(snapshot).map(|window| self.window(window)));
        if let Some(wait) = self.state.wait() {
            let lines = waiting(&wait, snapshot.at, width);
            texts.extend(lines.lines().map(|line| self.paint.warn(line)));
        }
        if let Some(progress) = &snapshot.pending_ids {
            texts.push(
                self.paint
                    .dim(&pending_ids::standing(progress, snapshot.at)),
            );
        }
        if let Some(draining) = &self.draining {
            texts.push(self.paint.warn(draining));
        }
        texts
    }

    /// How far always; how fast and until when if there is room.
    fn headline(&self, width: usize) -> String {
        let (done, all) = self.state.work();
        let blocks = blocks(done, all, blocks_in(width));
        let share = share(done, all);
        let in_pass = self
            .state
            .latest()
            .is_some_and(|latest| latest.pass.is_some());
        let what = if in_pass { " again" } else { "" };
        let counts = format!("{} / {}{what}", count(done), count(all));
        let front = columns(&format!("{share:>6}  {blocks}  {counts}"));
        let tails = self.tails().into_iter();
        let tail = tails
            .filter(|tail| front + columns(tail) <= width)
            .max_by_key(|tail| columns(tail));
        let tail = tail.unwrap_or_default();
        format!("{share:>6}  {}  {counts}{tail}", self.paint.good(&blocks))
    }

    /// How fast and until when, in several lengths.
    fn tails(&self) -> Vec<String> {
        let rates = match (self.state.wait(), self.state.per_second()) {
            (None, Some(calls)) if calls > 0.0 => {
                let calls = rate(calls);
                vec![format!(" · {calls} calls/s"), format!(" · {calls}/s")]
            }
            _ => vec![String::new()],
        };
        let (Some(finish), Some(now)) = (self.state.finish(), self.state.now()) else {
            return rates;
        };
        let away = Duration::from_secs(finish.since(now).as_secs().max(1));
        let done = format!(" · done about {}", about(finish, now));
        let away = format!("{done} (in {})", duration(away));
        let mut tails = vec![done.clone()];
        for rate in rates {
            tails.extend([format!("{rate}{done}"), format!("{rate}{away}")]);
        }
        tails
    }

    fn window(&self, window: &WindowUse) -> String {
        let blocks = blocks(window.used, window.limit, 10);
        let (used, limit) = (count(window.used), count(window.limit));
        let name = window.window.name();
        self.paint
            .dim(&format!("{name:14}  {blocks}  {used} / {limit}"))
    }
}

impl Reporter for Bar {
    fn event(&mut self, event: &RunEvent) {
        self.state.observe(event);
        let now = self.state.now();
        match event {
            RunEvent::Progress(snapshot) if !self.is_due(snapshot) => return,
            RunEvent::Progress(snapshot) => {
                self.drawn = Some((snapshot.at, snapshot.hold.map(|hold| hold.reason)));
            }
            RunEvent::Draining { in_flight } => {
                self.draining = Some(phrases::draining(*in_flight));
            }
            _ if is_kept(event) => {
                let sentence = phrases::sentence(event, now).unwrap_or_default();
                // A terminal that is gone is no reason to end a run.
                let _ = self.screen.println(self.paint.warn(&sentence));
            }
            _ => {}
        }
        self.draw();
    }

    fn finish(&mut self) {
        while let Some(line) = self.lines.pop() {
            self.screen.remove(&line);
        }
        let _ = self.screen.clear();
    }
}

/// Whether the sentence of an event stays on the screen: the line that says why a run waits goes away.
fn is_kept(event: &RunEvent) -> bool {
    match event {
        RunEvent::Ticket(_)
        | RunEvent::TicketRejected
        | RunEvent::TokensContested
        | RunEvent::PendingIdsEnded(_)
        | RunEvent::CounterShared
        | RunEvent::LockedOut { .. } => true,
        RunEvent::OfPendingIds(event) => is_kept(event),
        _ => false,
    }
}

/// Writes to standard error without tearing the bar, in whole writes.
#[derive(Debug, Clone)]
pub(crate) struct BarWriter {
    screen: MultiProgress,
}

impl BarWriter {
    /// Removes the bar until it is drawn again.
    pub(crate) fn take_away(&self) {
        // A terminal that is gone shows none.
        let _ = self.screen.clear();
    }
}

impl Write for BarWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.screen.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A line that wraps could not be taken back, so it is cut.
fn cut_to_width() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// As [`phrases::waiting`], in two lines if one would not hold it.
fn waiting(wait: &Waiting, now: Timestamp, width: usize) -> String {
    let line = phrases::waiting(wait, now, " · ");
    if columns(&line) <= width {
        line
    } else {
        phrases::waiting(wait, now, "\n  ")
    }
}

/// How long the bar itself is on a terminal of this width.
const fn blocks_in(width: usize) -> u8 {
    match width {
        120.. => 30,
        100.. => 20,
        _ => 10,
    }
}

fn width_of_stderr() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let width = size.map_or(0, |size| usize::from(size.ws_col));
    if width == 0 { USUAL_WIDTH } else { width }
}

/// `██████░░░░`
fn blocks(part: u64, whole: u64, columns: u8) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a few columns"
    )]
    let full = (share_of(part, whole) * f64::from(columns)).floor() as usize;
    let empty = usize::from(columns).saturating_sub(full);
    "█".repeat(full) + &"░".repeat(empty)
}

#[cfg(test)]
mod tests;
