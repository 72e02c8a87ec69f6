//! The last lines of a run: counts, where the results are, what to do next.

use std::fmt;

use super::{
    Entry, TicketState, WindowUse, drawn, pending_ids,
    phrases::{ELSEWHERE, StopContext, StopWords, errcode, stop_words},
    style::{Paint, folded},
    ticket,
};
use crate::{
    clock::Timestamp,
    format::{count, counted, duration, rate, share},
    job::{DrawnReport, Exit},
    model::{CorpChanges, Period, State},
    runner::event::{RunReport, StopReason},
};

/// Refusals that are spelled out.
const MOST: usize = 5;

/// Columns to which it is folded: the width of the reader's terminal is not known.
const WIDTH: usize = 80;

/// What is said at the end of a run. Its `Display` ends with a line break.
// fields: one for each fact that it says.
pub(crate) struct Summary {
    /// Why the run ended, and its counts.
    pub(crate) report: RunReport,
    /// When it ended, by the wall clock.
    pub(crate) ended_at: Timestamp,
    /// The results file and its lines; `None` if nothing was written.
    pub(crate) results: Option<(String, u64)>,
    /// The rejects file and its lines, of which there may be none.
    pub(crate) rejects: Option<(String, u64)>,
    /// What a resync has changed, by downstream corp; `None` for another run.
    pub(crate) changes: Option<Vec<CorpChanges>>,
    /// What those drawn at random tell; `None` for a run that asks all.
    pub(crate) drawn: Option<DrawnReport>,
    /// How often each errcode led to a state that is not an answer.
    pub(crate) refusals: Vec<(State, Option<i64>, u64)>,
    pub(crate) lookup: fn(i64) -> &'static Entry,
    /// Use of the windows at the end.
    pub(crate) windows: Vec<WindowUse>,
    /// What the next run would wait for.
    pub(crate) obstacles: Obstacles,
    /// How it stands with the ticket, if there ever was one.
    pub(crate) ticket: Option<TicketState>,
    pub(crate) address: String,
    /// The command that resumes.
    pub(crate) command: String,
    /// The command that lets the next run ask the parked subjects again.
    pub(crate) retry_command: String,
    pub(crate) exit: Exit,
    pub(crate) paint: Paint,
}

/// What a run that follows one with work left would wait for.
#[derive(Default)]
pub(crate) struct Obstacles {
    /// When the quota has room again; `None` for now.
    pub(crate) room_at: Option<Timestamp>,
    /// The command that lets it send, if the job is paused.
    pub(crate) resume_command: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StopWords { headline, next } = self.stop_words();
        self.headline(&headline, f)?;
        self.states(f)?;
        self.facts(f)?;
        self.changes(f)?;
        self.refusals(f)?;
        let advice = self.advice(next);
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
    pub(super) fn stop_words(&self) -> StopWords {
        stop_words(&StopContext {
            room_at: self.obstacles.room_at,
            report: &self.report,
            invalid_lines: self.bad_lines().map_or(0, |(_, lines)| lines),
            now: self.ended_at,
            address: &self.address,
            lookup: self.lookup,
        })
    }

    /// What to do next, a sentence a line; commands to type are indented.
    pub(super) fn advice(&self, mut next: Vec<String>) -> Vec<String> {
        let command = format!("  {}", self.command);
        if let Some(resume) = &self.obstacles.resume_command {
            next.push(format!("the job is paused: `{resume}` before"));
        }
        if !matches!(self.report.reason, StopReason::Finished) {
            next.push(command);
        } else if self.report.tally.of(State::Parked) > 0 {
            let retry = &self.retry_command;
            next.push(format!(
                "`{retry}` lets the next run ask the parked subjects again; then"
            ));
            next.push(command);
        }
        if self.report.used_elsewhere {
            next.push(format!("Calls were refused (45009) though {}.", ELSEWHERE));
        }
        if let Some((path, _)) = self.bad_lines() {
            next.push(format!(
                "{path} says what is wrong with each invalid line; correct them in the input and \
                 run it again"
            ));
        }
        next
    }

    /// In one line, however long: people search their logs for it.
    fn headline(&self, headline: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let painted = match self.exit {
            Exit::Done => self.paint.good(headline),
            Exit::Internal | Exit::Halted | Exit::ErrorBudget => self.paint.bad(headline),
            _ => self.paint.warn(headline),
        };
        match self.exit.code() {
            0 => writeln!(f, "{painted}"),
            code => writeln!(f, "{painted} (exit {code})"),
        }
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
        if self.report.kept > 0 {
            let answers = counted(self.report.kept, "answer");
            facts.push((
                "kept",
                format!("{answers}: asking again was refused or failed"),
            ));
        }
        if let Some(progress) = &self.report.pending_ids {
            facts.push(("pending", pending_ids::summary(progress)));
        }
        if let Some(report) = &self.drawn {
            facts.extend(drawn::facts(report, self.lookup));
        }
        let names = std::iter::once("quota").chain(std::iter::repeat(""));
        facts.extend(names.zip(self.windows()));
        if let Some(state) = self.ticket {
            facts.push(("ticket", ticket::state(state, self.ended_at)));
        }
        if let Some((path, lines)) = &self.results {
            facts.push(("results", format!("{path} ({})", counted(*lines, "line"))));
        }
        if let Some((path, lines)) = self.bad_lines() {
            let lines = counted(lines, "invalid line");
            facts.push(("rejects", format!("{path} ({lines})")));
        }
        writeln!(f)?;
        for (name, fact) in facts {
            writeln!(f, "  {name:8}  {fact}")?;
        }
        Ok(())
    }

    /// Links gained and lost, in all and at the corps where most has changed.
    fn changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(changes) = &self.changes else {
            return Ok(());
        };
        let moved = |corp: &CorpChanges| corp.gained + corp.lost + corp.changed;
        let sum = |of: fn(&CorpChanges) -> u64| count(changes.iter().map(of).sum());
        let (gained, lost) = (sum(|corp| corp.gained), sum(|corp| corp.lost));
        let changed = sum(|corp| corp.changed);
        writeln!(
            f,
            "\n  links     {gained} gained, {lost} lost, {changed} changed"
        )?;
        let mut corps: Vec<_> = changes.iter().collect();
        corps.sort_by_key(|corp| (std::cmp::Reverse(moved(corp)), &corp.corpid));
        for corp in corps.iter().take(MOST) {
            let (gained, lost, changed) =
                (count(corp.gained), count(corp.lost), count(corp.changed));
            writeln!(
                f,
                "  {:8}  {}  +{gained} -{lost} ~{changed}",
                "", corp.corpid
            )?;
        }
        match corps.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => writeln!(f, "  {:8}  and {}", "", counted(more as u64, "other corp")),
        }
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

    /// All windows in use except the one-minute window, one a line, in columns.
    fn windows(&self) -> Vec<String> {
        let lasting =
            |window: &&WindowUse| window.used > 0 && window.window.period() != Period::Minute;
        let windows = self.windows.iter().filter(lasting);
        let windows = windows.map(|window| {
            (
                count(window.used),
                count(window.limit),
                window.window.name(),
            )
        });
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

    pub(super) fn meaning(&self, code: Option<i64>) -> (String, &'static str) {
        match code {
            Some(code) => {
                let entry = (self.lookup)(code);
                (errcode(code, entry), entry.next_step)
            }
            None => (
                "no readable reply in any attempt".into(),
                "retry them once the network and the API work again",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
