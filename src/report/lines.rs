//! Progress as lines, for files, pipes and journals.
//!
//! A line every 30 s, and at once when something happens that an operator wants to see.
//! A line of its own says which day it is.

use std::{io::Write, time::Duration};

use super::{
    Eta, HoldReason, LineWriter, Reporter, RunEvent, Snapshot, pending_ids, phrases,
    progress_state::{ProgressState, lasts},
};
use crate::{
    clock::Timestamp,
    format::{about, count, date, duration, rate, share, time_of_day},
};

const EVERY: Duration = Duration::from_secs(30);

/// Waits from here on have their beginning and end told.
const LONG: Duration = Duration::from_secs(60);

/// Writes lines.
pub struct Lines {
    out: LineWriter,
    state: ProgressState,
    day: Option<String>,
    said: Option<Timestamp>,
    wait: Option<LongWait>,
    out_of_reach: bool,
    pending_ids_out_of_reach: bool,
    /// What ended a wait. It comes before the first snapshot after the wait and has no time of
    /// its own; the last one heard may be a minute old.
    undated: Option<String>,
}

/// A wait whose beginning was told.
struct LongWait {
    reason: HoldReason,
    since: Timestamp,
}

impl Lines {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, eta: Eta) -> Self {
        Self {
            out: LineWriter::new(out),
            state: ProgressState::new(eta),
            day: None,
            said: None,
            wait: None,
            out_of_reach: false,
            pending_ids_out_of_reach: false,
            undated: None,
        }
    }

    fn say(&mut self, sentence: &str) {
        let Some(at) = self.state.now() else {
            self.out.line(format_args!("          {sentence}"));
            return;
        };
        let today = date(at);
        if self.day.as_ref() != Some(&today) {
            self.out.line(format_args!("{today} (UTC+8)"));
            self.day = Some(today);
        }
        self.out
            .line(format_args!("{}  {sentence}", time_of_day(at)));
        self.said = Some(at);
    }

    fn progress(&mut self, snapshot: &Snapshot) {
        self.say_undated();
        if self.said.is_none() {
            let (left, all) = (count(snapshot.left), count(snapshot.tally.total()));
            self.say(&format!("to be asked: {left} of {all} subjects"));
        }
        self.wait_began_or_ended(snapshot);
        // The date may have been set back: then a line is due, too. By a millisecond it goes back
        // by itself, as wall clock and ledger clock are read a moment apart.
        let due = self.said.is_none_or(|said| {
            said.since(snapshot.at) >= EVERY || snapshot.at.since(said) >= EVERY
        });
        if due {
            self.say(&self.standing(snapshot));
            if let Some(progress) = &snapshot.pending_ids {
                self.say(&pending_ids::standing(progress, snapshot.at));
            }
        }
    }

    fn say_undated(&mut self) {
        if let Some(sentence) = self.undated.take() {
            self.say(&sentence);
        }
    }

    fn wait_began_or_ended(&mut self, snapshot: &Snapshot) {
        let told = self.wait.as_ref().map(|wait| wait.reason);
        let reason = snapshot.hold.map(|hold| hold.reason);
        // Nothing holds and nothing is in flight: the wait was broken off, it is not over.
        let broken_off = reason.is_none() && snapshot.in_flight == 0;
        if told.is_some() && (continues(told, reason) || broken_off) {
            return;
        }
        let began = snapshot.hold.filter(|hold| lasts(hold, snapshot.at, LONG));
        if let Some(hold) = began {
            self.begin_wait(hold.reason, snapshot.at);
            self.say(&phrases::waiting(&hold, snapshot.at, ", "));
        } else if let Some(wait) = self.wait.take()
            && !has_its_own_end(wait.reason)
        {
            let waited = duration(snapshot.at.since(wait.since));
            self.say(&format!("resumed after {waited}"));
        }
    }

    fn begin_wait(&mut self, reason: HoldReason, since: Timestamp) {
        self.wait = Some(LongWait { reason, since });
    }

    fn standing(&self, snapshot: &Snapshot) -> String {
        match snapshot.hold {
            Some(hold) if self.wait.is_some() => phrases::waiting(&hold, snapshot.at, ", "),
            _ => self.answered(snapshot),
        }
    }

    /// `answered 31,204 of 100,000 (31.2 %) · 166 calls/s · 98,000 of 98,000 business.hour · done
    /// about 13:20`
    fn answered(&self, snapshot: &Snapshot) -> String {
        let (done, all) = self.state.work();
        let of = share(done, all);
        let what = snapshot.pass.map_or("answered", |_| "asked again");
        let mut parts = vec![format!("{what} {} of {} ({of})", count(done), count(all))];
        if let Some(per_second) = self.state.per_second().filter(|calls| *calls > 0.0) {
            parts.push(format!("{} calls/s", rate(per_second)));
        }
        parts.extend(phrases::tightest(snapshot).map(phrases::window));
        if let Some(wait) = self.state.wait() {
            parts.push(format!("waiting: {}", wait.reason));
        }
        if let Some(finish) = self.state.finish() {
            parts.push(format!("done about {}", about(finish, snapshot.at)));
        }
        parts.join(" · ")
    }

    /// Whether an event of the calls for pending_ids was told before.
    fn is_told_of_pending_ids(&mut self, event: &RunEvent) -> bool {
        let out_of_reach = &mut self.pending_ids_out_of_reach;
        match event {
            RunEvent::Unreachable { .. } => std::mem::replace(out_of_reach, true),
            RunEvent::Reconnected => !std::mem::take(out_of_reach),
            _ => false,
        }
    }

    fn notable(&mut self, event: &RunEvent) {
        let told_before = match event {
            // Every failed try is an event; one line for the whole outage is enough.
            RunEvent::Unreachable { .. } => std::mem::replace(&mut self.out_of_reach, true),
            RunEvent::Reconnected => !std::mem::take(&mut self.out_of_reach),
            RunEvent::OfPendingIds(event) => self.is_told_of_pending_ids(event),
            _ => false,
        };
        let now = self.state.now();
        if phrases::is_notable(event)
            && !told_before
            && let Some(sentence) = phrases::sentence(event, now)
        {
            match event {
                RunEvent::LockoutEnded | RunEvent::Reconnected => self.undated = Some(sentence),
                _ => self.say(&sentence),
            }
        }
        // These sentences say until when, so the wait that follows needs no other.
        if let Some(now) = now {
            match event {
                RunEvent::LockedOut { .. } => self.begin_wait(HoldReason::Lockout, now),
                RunEvent::Unreachable { trouble, .. } => {
                    self.begin_wait(HoldReason::Outage(*trouble), now);
                }
                _ => {}
            }
        }
    }
}

/// Whether it is still the same wait: the same trouble may show itself in several ways.
fn continues(told: Option<HoldReason>, reason: Option<HoldReason>) -> bool {
    let is_outage = |reason| matches!(reason, Some(HoldReason::Outage(_)));
    told == reason || (is_outage(told) && is_outage(reason))
}

/// Whether an event tells the end of such a wait.
fn has_its_own_end(reason: HoldReason) -> bool {
    matches!(reason, HoldReason::Lockout | HoldReason::Outage(_))
}

impl Reporter for Lines {
    fn event(&mut self, event: &RunEvent) {
        self.state.observe(event);
        match event {
            RunEvent::Progress(snapshot) => self.progress(snapshot),
            _ => self.notable(event),
        }
    }

    fn finish(&mut self) {
        self.say_undated();
    }
}
