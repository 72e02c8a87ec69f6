//! The status as people read it, in eighty columns. Times are at +08:00.

use std::fmt::Write as _;

use super::{Doing, RunJson, Status};
use crate::{
    clock::Timestamp,
    gate::LockoutLevel,
    model::State,
    report::style::{
        about, count, counted, date, duration, folded, moment, moment_and_wait, share, time_of_day,
    },
};

const WIDTH: usize = 80;

impl Status {
    pub(super) fn text(&self) -> String {
        let corp = self.corp_id.as_deref().unwrap_or("no corp yet");
        let (file, now) = (self.state_file.display(), self.now);
        let (date, time) = (date(now), time_of_day(now));
        let mut text = format!("{file} · {corp} · {date} {time} (UTC+8)\n");
        for line in folded(&self.doing(), WIDTH) {
            let _ = writeln!(text, "{line}");
        }
        self.states(&mut text);
        self.quota(&mut text);
        if let Some(left) = self.left() {
            let _ = writeln!(text, "\n{left}");
        }
        text
    }

    /// What goes on, in plain words: at work, waiting, ended or broken off.
    fn doing(&self) -> String {
        let Some(run) = &self.run else {
            return "Nothing has been run yet.".to_owned();
        };
        let began = moment(run.began, self.now);
        let calls = counted(run.calls, "call");
        match self.state {
            Doing::Working => format!("At work: {}.", self.process(run)),
            Doing::Waiting => format!("Waiting: {}. {}.", self.waits(), self.process(run)),
            Doing::Ended => {
                let ended = moment(run.ended.unwrap_or_default(), self.now);
                let code = run.exit_code.unwrap_or_default();
                let meaning = meaning(code);
                format!("Ended at {ended} with exit {code}: {meaning}. Begun at {began}, {calls}.")
            }
            Doing::BrokeOff | Doing::None => format!(
                "Broke off: the run of {began} did not say how it ended, and its process (pid {}) \
                 is gone; last heard of at {}, {calls}. Everything committed is saved: the same \
                 command goes on.",
                run.pid,
                moment(run.seen, self.now)
            ),
        }
    }

    fn process(&self, run: &RunJson) -> String {
        let began = moment(run.began, self.now);
        let lasting = duration(self.now.since(run.began));
        let calls = counted(run.calls, "call");
        format!("pid {}, since {began} ({lasting}), {calls}", run.pid)
    }

    fn waits(&self) -> String {
        let Some(wait) = &self.waiting else {
            return String::new();
        };
        let until = wait.at.map_or_else(
            || "goes on when a call lands".to_owned(),
            |at| format!("goes on at {}", self.when(at)),
        );
        format!("{}, {until}", wait.reason)
    }

    fn when(&self, at: Timestamp) -> String {
        if at > self.now {
            moment_and_wait(at, self.now)
        } else {
            "once".to_owned()
        }
    }

    fn states(&self, text: &mut String) {
        text.push('\n');
        for state in State::ALL {
            let subjects = self.tally.of(state);
            if subjects > 0 {
                let share = share(subjects, self.tally.total());
                let (state, subjects) = (state.as_str(), count(subjects));
                let _ = writeln!(text, "  {state:9} {subjects:>12}  {share}");
            }
        }
    }

    fn quota(&self, text: &mut String) {
        text.push('\n');
        for window in &self.windows {
            let (used, limit, left) = (window.used, window.limit, count(window.left));
            let (used, limit) = (count(used), count(limit));
            let window = window.window;
            let _ = writeln!(text, "  {window:15} {used:>9} of {limit:>9}, {left} left");
        }
        if let Some(block) = &self.block {
            let penalty = format!(
                "blocked by the API (45009 接口调用超过限制), taken for the {}: {}",
                limit(block.penalty.rung),
                self.shut(block.penalty.until)
            );
            for (place, line) in folded(&penalty, WIDTH - 18).iter().enumerate() {
                let name = if place == 0 { "penalty" } else { "" };
                let _ = writeln!(text, "  {name:15} {line}");
            }
        }
        if let Some(expires) = self.ticket {
            let expires = moment_and_wait(expires, self.now);
            let _ = writeln!(text, "  {:15} expires {expires}", "ticket");
        }
    }

    /// What stands between now and the end of a penalty; a run heeds it, whichever met it.
    fn shut(&self, until: Timestamp) -> String {
        match until > self.now {
            true => format!("one probe at {}", moment_and_wait(until, self.now)),
            false => "the next call is one probe".to_owned(),
        }
    }

    fn left(&self) -> Option<String> {
        let queued = Some(self.tally.of(State::Queued)).filter(|queued| *queued > 0)?;
        let Some(finish) = self.finish else {
            return Some("No end is in sight: a window allows no call.".to_owned());
        };
        let (at, span) = (about(finish, self.now), duration(finish.since(self.now)));
        Some(match self.running {
            true => format!("All answered about {at} (in {span})."),
            false => {
                let subjects = counted(queued, "subject");
                format!("{subjects} left: they would take {span} from now.")
            }
        })
    }
}

/// What an exit code says of a run that is over.
const fn meaning(code: i64) -> &'static str {
    match code {
        0 => "everything was answered",
        2 => "nothing was sent",
        3 => "done, but for what was rejected or parked",
        4 => "halted, as the API refuses",
        5 => "halted, too many errors",
        75 => "work is left, the same command goes on",
        130 => "interrupted, the same command goes on",
        _ => "an error, the same command goes on",
    }
}

const fn limit(rung: LockoutLevel) -> &'static str {
    match rung {
        LockoutLevel::Clear | LockoutLevel::Minute => "minute limit",
        LockoutLevel::Hour => "hour limit",
        LockoutLevel::Day => "day limit",
        LockoutLevel::Month => "30-day limit",
    }
}
