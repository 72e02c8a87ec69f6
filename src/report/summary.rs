//! The last lines of a run: what it came to, where the results are, what to do next.

use std::fmt;

use super::{
    Entry, Failure, QuotaWindow, WindowUse,
    style::{Paint, count, counted, duration, folded, moment_and_wait, rate, share},
};
use crate::{
    clock::Timestamp,
    model::State,
    runner::event::{BreakerTrip, RunReport, StopReason},
};

/// Refusals that are spelled out.
const MOST: usize = 5;

/// It is folded for a terminal of so many columns; nobody says how wide the reader's is.
const WIDTH: usize = 80;

/// What is said at the end of a run. Its `Display` ends with a line break.
pub struct Summary {
    /// What the run came to.
    pub report: RunReport,
    /// When it ended, by the wall.
    pub ended_at: Timestamp,
    /// Where the results are, and how many lines.
    pub results: Option<(String, u64)>,
    /// Where the rejected lines of the inputs are, and how many.
    pub rejects: Option<(String, u64)>,
    /// How often each errcode stands beside a state that is not an answer.
    pub refusals: Vec<(State, Option<i64>, u64)>,
    /// What an errcode means.
    pub lookup: fn(i64) -> &'static Entry,
    /// Use of the windows at the end.
    pub windows: Vec<WindowUse>,
    /// Until when the ticket in custody works, if there is one.
    pub ticket_until: Option<Timestamp>,
    /// The address that was to be asked.
    pub address: String,
    /// What to type to go on.
    pub command: String,
    /// The flags in it that name the state file, each after a space; other commands need them too.
    pub state_flags: String,
    /// What the process exits with.
    pub exit_code: u8,
    /// Whether to colour.
    pub paint: Paint,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        self.states(f)?;
        self.facts(f)?;
        self.refusals(f)?;
        let advice = self.advice();
        if !advice.is_empty() {
            writeln!(f, "\n{}", self.paint.bold("Next:"))?;
        }
        for line in advice {
            // Commands and the server's own words are there to be copied.
            let whole = line.starts_with(' ') || line.ends_with('"');
            let lines = if whole {
                vec![line]
            } else {
                folded(&line, WIDTH - 2)
            };
            for line in lines {
                writeln!(f, "  {line}")?;
            }
        }
        Ok(())
    }
}

impl Summary {
    fn left(&self) -> u64 {
        self.report.tally.of(State::Queued)
    }

    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // In one line, however long: people search their logs for it.
        let sentence = self.sentence();
        let sentence = match self.report.ending {
            StopReason::Finished if self.exit_code == 0 => self.paint.good(&sentence),
            StopReason::Refused(_) | StopReason::TokensRefused | StopReason::Breaker(_) => {
                self.paint.bad(&sentence)
            }
            _ => self.paint.warn(&sentence),
        };
        match self.exit_code {
            0 => writeln!(f, "{sentence}"),
            code => writeln!(f, "{sentence} (exit {code})"),
        }
    }

    pub(super) fn sentence(&self) -> String {
        let left = format!("{} left", counted(self.left(), "subject"));
        match &self.report.ending {
            StopReason::Finished => self.finished(),
            StopReason::Quota(wait) => format!("Stopped: {}, {left}.", wait.reason),
            StopReason::Budget => format!("Stopped: the budget of calls is used up, {left}."),
            StopReason::Time => format!("Stopped: the time is up, {left}."),
            StopReason::Unreachable(failure @ (Failure::Status(..500) | Failure::Body)) => {
                format!("Stopped: what answers is not the WeCom API ({failure}), {left}.")
            }
            StopReason::Unreachable(failure @ (Failure::Status(_) | Failure::Busy)) => {
                format!("Stopped: the API is out of order ({failure}), {left}.")
            }
            StopReason::Unreachable(failure) => {
                format!("Stopped: the API cannot be reached ({failure}), {left}.")
            }
            StopReason::Interrupted => format!("Interrupted: every answer is saved, {left}."),
            StopReason::Refused(halt) => {
                let refusal = refusal(halt.errcode, halt.entry);
                format!("Halted: the API refused {} with {refusal}.", halt.call)
            }
            StopReason::TokensRefused => {
                "Halted: the API hands out access tokens and then refuses every one of them.".into()
            }
            StopReason::Breaker(trip) => format!("Halted: {}, {left}.", self.trip(trip)),
        }
    }

    fn finished(&self) -> String {
        let tally = &self.report.tally;
        let mut without = Vec::new();
        for state in [State::Rejected, State::Parked] {
            match tally.of(state) {
                0 => {}
                subjects => without.push(format!("{} {state}", counted(subjects, "subject"))),
            }
        }
        if let Some((_, lines)) = self.bad_lines() {
            without.push(format!("{} not taken in", counted(lines, "input line")));
        }
        match without.join(", ") {
            _ if tally.total() == 0 => "Finished: there was nothing to ask.".into(),
            none if none.is_empty() => "Finished: every subject is answered.".into(),
            some => format!("Finished, but {some}."),
        }
    }

    fn trip(&self, trip: &BreakerTrip) -> String {
        let (mostly, times) = trip.mostly;
        let mostly = match mostly {
            Some(errcode) => refusal(errcode, (self.lookup)(errcode)),
            None => "no readable reply".into(),
        };
        format!(
            "{} of the last {} answers were errors, {times} of them {mostly}",
            trip.errors, trip.answers
        )
    }

    fn states(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &self.report.tally;
        let all = tally.total();
        let width = count(all).len();
        let present = State::ALL.into_iter().filter(|state| tally.of(*state) > 0);
        for (place, state) in present.enumerate() {
            let subjects = tally.of(state);
            let (number, share) = (count(subjects), share(subjects, all));
            let gap = if place == 0 { "\n" } else { "" };
            writeln!(
                f,
                "{gap}  {:8}  {number:>width$}  {share:>7}",
                state.as_str()
            )?;
        }
        Ok(())
    }

    fn facts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = vec![("calls", self.calls())];
        let names = std::iter::once("quota").chain(std::iter::repeat(""));
        facts.extend(names.zip(self.windows()));
        if let Some(until) = self.ticket_until {
            let until = moment_and_wait(until, self.ended_at);
            facts.push(("ticket", format!("works until {until}")));
        }
        if let Some((path, lines)) = &self.results {
            facts.push(("results", format!("{path} ({})", counted(*lines, "line"))));
        }
        if let Some((path, lines)) = self.bad_lines() {
            let lines = counted(lines, "line");
            facts.push(("rejects", format!("{path} ({lines} of the input)")));
        }
        writeln!(f)?;
        for (name, fact) in facts {
            writeln!(f, "  {name:8}  {fact}")?;
        }
        Ok(())
    }

    pub(super) fn bad_lines(&self) -> Option<(&str, u64)> {
        let (path, lines) = self.rejects.as_ref()?;
        (*lines > 0).then_some((path.as_str(), *lines))
    }

    fn calls(&self) -> String {
        let RunReport { calls, took, .. } = self.report;
        let sent = format!("{} in {}", count(calls), duration(took));
        if calls == 0 || took.as_millis() == 0 {
            return sent;
        }
        #[expect(clippy::cast_precision_loss, reason = "only looked at")]
        let mean = calls as f64 / took.as_secs_f64();
        format!("{sent} ({} a second)", rate(mean))
    }

    /// The windows that somebody who comes back later meets again, so not the minute's; one a
    /// line, in columns.
    fn windows(&self) -> Vec<String> {
        let lasting =
            |window: &&WindowUse| window.used > 0 && window.span != QuotaWindow::BasicMinute;
        let windows = self.windows.iter().filter(lasting);
        let windows =
            windows.map(|window| (count(window.used), count(window.limit), window.span.name()));
        let windows: Vec<_> = windows.collect();
        let widest = |width: usize, number: &String| width.max(number.len());
        let used = windows.iter().map(|(used, ..)| used).fold(0, widest);
        let limit = windows.iter().map(|(_, limit, _)| limit).fold(0, widest);
        let line = |(of, most, name): &(String, String, &str)| {
            format!("{of:>used$} of {most:>limit$} {name}")
        };
        windows.iter().map(line).collect()
    }

    fn refusals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut refusals = self.refusals.clone();
        refusals.sort_by_key(|(.., subjects)| std::cmp::Reverse(*subjects));
        let width = refusals.first().map_or(0, |most| count(most.2).len());
        for (place, (state, errcode, subjects)) in refusals.iter().take(MOST).enumerate() {
            let (means, next_step) = self.meaning(*errcode);
            let gap = if place == 0 { "\n" } else { "" };
            let (state, subjects) = (state.as_str(), count(*subjects));
            writeln!(f, "{gap}  {state:8}  {subjects:>width$}  {means}")?;
            for (place, line) in folded(next_step, WIDTH - 17 - width).iter().enumerate() {
                let (arrow, line) = (if place == 0 { "->" } else { "" }, self.paint.dim(line));
                writeln!(f, "  {:8}  {:>width$}  {arrow:2} {line}", "", "")?;
            }
        }
        match refusals.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => writeln!(f, "  and {}", counted(more as u64, "other code")),
        }
    }

    pub(super) fn meaning(&self, errcode: Option<i64>) -> (String, &'static str) {
        match errcode {
            Some(errcode) => {
                let entry = (self.lookup)(errcode);
                (refusal(errcode, entry), entry.next_step)
            }
            None => (
                "no readable reply, however often".into(),
                "retry them once the network or the API is well",
            ),
        }
    }
}

/// `errcode 60020 不安全的访问IP (not allowed to access from your IP)`
fn refusal(errcode: i64, entry: &Entry) -> String {
    let Entry {
        chinese, meaning, ..
    } = entry;
    let space = if chinese.is_empty() { "" } else { " " };
    format!("errcode {errcode}{space}{chinese} ({meaning})")
}

#[cfg(test)]
mod tests;
