//! Progress as a bar on a terminal.
//!
//! ```text
//! 31.2 %  ██████░░░░░░░░░░░░░░  31,204 / 100,000 · 166 calls/s · done about 13:20 (in 1 h 15 min)
//! business.hour   ███████░░░  71,204 / 98,000
//! waiting: business.hour is used up · goes on at 12:41:02 (in 30 min 31 s)
//! ```
//!
//! It is redrawn when something happens and at no other time: nothing ticks.

use std::{
    io::{self, Write},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Eta, Reason, Reporter, RunEvent, Snapshot, Waiting, WindowUse,
    pulse::Pulse,
    style::{Paint, about, count, duration, rate, share, share_of},
    words,
};
use crate::clock::Timestamp;

/// Redrawn for progress no more often than this.
const EVERY: Duration = Duration::from_millis(200);

/// Lines at [`EVERY`] come to less than this; more is cut off by indicatif, as in rehearsals.
const DRAWS_A_SECOND: u8 = 60;

/// Draws a bar.
pub struct Bar {
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    pulse: Pulse,
    paint: Paint,
    draining: Option<String>,
    drawn: Option<(Timestamp, Option<Reason>)>,
}

impl Bar {
    /// Draws on standard error, which must be a terminal that
    /// [can be drawn on](super::style::can_draw), else nothing is seen.
    #[must_use]
    pub fn new(paint: Paint, eta: Eta) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND);
        Self::on(target, paint, eta)
    }

    fn on(target: ProgressDrawTarget, paint: Paint, eta: Eta) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(target),
            lines: Vec::new(),
            pulse: Pulse::new(eta),
            paint,
            draining: None,
            drawn: None,
        }
    }

    /// A writer to standard error for log lines, which takes the bar away while it writes.
    #[must_use]
    pub fn writer(&self) -> BarWriter {
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
        let mut texts = vec![self.headline()];
        let Some(snapshot) = self.pulse.latest() else {
            return texts;
        };
        texts.extend(words::worth_showing(snapshot).map(|window| self.window(window)));
        if let Some(wait) = self.pulse.wait() {
            texts.push(self.paint.warn(&waiting(&wait, snapshot.at)));
        }
        if let Some(draining) = &self.draining {
            texts.push(self.paint.warn(draining));
        }
        texts
    }

    fn headline(&self) -> String {
        let (answered, all) = (self.pulse.tally().answered(), self.pulse.tally().total());
        let mut line = format!(
            "{}  {}  {} / {}",
            share(answered, all),
            self.paint.good(&blocks(answered, all, 20)),
            count(answered),
            count(all)
        );
        if self.pulse.wait().is_none()
            && let Some(per_second) = self.pulse.per_second()
        {
            line += &format!(" · {} calls/s", rate(per_second));
        }
        if let (Some(finish), Some(now)) = (self.pulse.finish(), self.pulse.now()) {
            let (about, away) = (about(finish, now), duration(finish.since(now)));
            line += &format!(" · done about {about} (in {away})");
        }
        line
    }

    fn window(&self, window: &WindowUse) -> String {
        let WindowUse { span, used, limit } = window;
        let blocks = blocks(*used, *limit, 10);
        let (used, limit) = (count(*used), count(*limit));
        self.paint
            .dim(&format!("{:14}  {blocks}  {used} / {limit}", span.name()))
    }
}

impl Reporter for Bar {
    fn event(&mut self, event: &RunEvent) {
        self.pulse.see(event);
        let now = self.pulse.now();
        match event {
            RunEvent::Progress(snapshot) if !self.is_due(snapshot) => return,
            RunEvent::Progress(snapshot) => {
                self.drawn = Some((snapshot.at, snapshot.hold.map(|hold| hold.reason)));
            }
            RunEvent::Draining { in_flight } => {
                self.draining = Some(words::draining(*in_flight));
            }
            // The line that says why it waits would not outlive these two.
            RunEvent::TicketDead | RunEvent::Blocked { .. } => {
                let sentence = words::notable(event, now).unwrap_or_default();
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

/// Writes to standard error without tearing the bar, in whole writes.
#[derive(Debug, Clone)]
pub struct BarWriter {
    screen: MultiProgress,
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

/// As [`words::waiting`], but for a terminal: the width of a line is reckoned by characters, and
/// a Chinese one takes two columns.
fn waiting(wait: &Waiting, now: Timestamp) -> String {
    let sentence = words::waiting(wait, now, " · ");
    match wait.reason {
        Reason::Block => sentence.replace(" 接口调用超过限制", ""),
        _ => sentence,
    }
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
