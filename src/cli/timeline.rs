//! What a rehearsal tells of itself: a line a day.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc, time::Duration};

use crate::{
    clock::Timestamp,
    rehearsal::Stage,
    report::style::{count, date, duration},
    runner::event::{RunEvent, Snapshot, Waiting},
    sim::Remote,
};

/// Days in order, and what each was spent on.
#[derive(Default)]
pub(super) struct Timeline {
    days: BTreeMap<String, Day>,
    /// The latest snapshot: when, subjects answered, calls, and why it waited.
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
    fn note(&mut self, text: &str) {
        let at = self.last.map(|(at, ..)| at.rfc3339()).unwrap_or_default();
        // A rehearsal of a bad month has thousands of them; the first tell the story.
        if self.notes.len() < 20 {
            self.notes.push(format!("{at}  {text}"));
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

impl Stage for Timeline {
    fn event(&mut self, event: &RunEvent, _remote: &Rc<RefCell<Remote>>) {
        match event {
            RunEvent::Progress(snapshot) => self.snapshot(snapshot),
            RunEvent::Started { tally } if self.last.is_none() => {
                let answered = tally.answered();
                self.last = Some((Timestamp::default(), answered, None));
            }
            RunEvent::LockedOut { rung, until } => {
                self.note(&format!(
                    "blocked by the API (45009), taken for {rung:?}, until {until}"
                ));
            }
            RunEvent::LockoutEnded => self.note("the probe was answered: the block is over"),
            RunEvent::TicketRejected => self.note("the ticket does not work any more"),
            RunEvent::RetryPassStarted => self.note("parked subjects are asked once more"),
            _ => {}
        }
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (date, day)) in self.days.iter().enumerate() {
            let waited = day.waited.iter().map(|(reason, span)| {
                let waited = duration(*span);
                format!("{waited} {reason}")
            });
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
