//! A rehearsal day by day: how many subjects were answered, and what was waited for.

use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Reporter, RunEvent, Snapshot, Waiting, phrases};
use crate::{
    clock::Timestamp,
    format::{count, date, duration},
};

/// A bad month has thousands of events; so many are enough.
const MOST_NOTES: usize = 20;

/// The days of a rehearsal in order, and its notable events.
#[derive(Default)]
pub(crate) struct Timeline {
    days: BTreeMap<String, Day>,
    /// The latest snapshot: when, subjects answered, and why it waited.
    last: Option<(Timestamp, u64, Option<Waiting>)>,
    notes: Vec<String>,
}

#[derive(Default)]
struct Day {
    answered: u64,
    total: u64,
    waited: BTreeMap<String, Duration>,
}

impl Timeline {
    fn note(&mut self, event: &RunEvent) {
        let now = self.last.map(|(at, ..)| at);
        if self.notes.len() < MOST_NOTES
            && let Some(sentence) = phrases::sentence(event, now)
        {
            let at = now.map(Timestamp::rfc3339).unwrap_or_default();
            self.notes.push(format!("{at}  {sentence}"));
        }
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        let day = self.days.entry(date(snapshot.at)).or_default();
        let answered = snapshot.tally.answered();
        if let Some((at, before, hold)) = self.last {
            day.answered += answered.saturating_sub(before);
            if let Some(hold) = hold {
                let waited = day.waited.entry(hold.reason.to_string()).or_default();
                *waited += snapshot.at.since(at);
            }
        }
        day.total = answered;
        self.last = Some((snapshot.at, answered, snapshot.hold));
    }
}

impl Reporter for Timeline {
    fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Progress(snapshot) => self.snapshot(snapshot),
            RunEvent::Started { tally } if self.last.is_none() => {
                self.last = Some((Timestamp::default(), tally.answered(), None));
            }
            RunEvent::LockedOut { .. }
            | RunEvent::LimitLearnt { .. }
            | RunEvent::LockoutEnded
            | RunEvent::Ticket(_)
            | RunEvent::TicketRejected
            | RunEvent::PassStarted { .. }
            | RunEvent::RetryPassStarted
            | RunEvent::Asked(_)
            | RunEvent::Withdrawn(_) => self.note(event),
            _ => {}
        }
    }

    fn finish(&mut self) {}
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (date, day)) in self.days.iter().enumerate() {
            let waited = day.waited.iter();
            let waited = waited.map(|(reason, span)| format!("{} {reason}", duration(*span)));
            let waited: Vec<_> = waited.collect();
            writeln!(
                f,
                "day {:>2}  {date}  {:>11} answered  {:>12} in all  {}",
                number + 1,
                count(day.answered),
                count(day.total),
                waited.join(", ")
            )?;
        }
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        writeln!(f)
    }
}
