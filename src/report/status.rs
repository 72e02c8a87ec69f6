//! The status of a job for people, in eighty columns. Times are at +08:00.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Wish, phrases, style::folded};
use crate::{
    clock::Timestamp,
    format::{about, count, counted, date, duration, moment, moment_and_wait, share, time_of_day},
    job::{
        Exit, QUESTION,
        status::{LockoutStatus, RunState, RunSummary, Status, WishStatus},
    },
    model::State,
};

const WIDTH: usize = 80;

pub(crate) fn render(status: &Status) -> String {
    let corp = status.corp_id.as_deref().unwrap_or("no corp yet");
    let (file, now) = (status.state_file.display(), status.now);
    let (date, time) = (date(now), time_of_day(now));
    let mut text = format!("{file} · {corp} · {date} {time} (UTC+8)\n");
    for line in folded(&activity(status), WIDTH) {
        let _ = writeln!(text, "{line}");
    }
    for wish in &status.wishes {
        for line in folded(&asked(wish, status.now), WIDTH) {
            let _ = writeln!(text, "{line}");
        }
    }
    states(&mut text, status);
    quota(&mut text, status);
    files(&mut text, status);
    if let Some(left) = left(status) {
        let _ = writeln!(text, "\n{left}");
    }
    next(&mut text, status);
    text
}

/// The inputs, and where the results are.
fn files(text: &mut String, status: &Status) {
    const MOST: usize = 3;
    for (place, input) in status.inputs.iter().take(MOST).enumerate() {
        let gap = if place == 0 { "\n" } else { "" };
        let lines = counted(input.lines, "line");
        let _ = writeln!(text, "{gap}  {:15} {} ({lines})", "input", input.name);
    }
    if let Some(more) = status.inputs.len().checked_sub(MOST + 1) {
        let more = counted(more as u64 + 1, "other input");
        let _ = writeln!(text, "  {:15} and {more}", "");
    }
    let said = status.run.as_ref().and_then(|run| run.ended.as_ref());
    for name in ["results", "rejects"] {
        if let Some(path) = said.and_then(|said| said[name]["path"].as_str()) {
            let _ = writeln!(text, "  {name:15} {path}");
        }
    }
}

/// What the run that ended said to do next, and when; after one that broke off, the command.
fn next(text: &mut String, status: &Status) {
    let Some(run) = status.run.as_ref().filter(|_| !status.running) else {
        return;
    };
    let command = run.next_command.as_deref().unwrap_or_default();
    let said = run.ended.as_ref();
    let steps = said.and_then(|said| said["next"].as_array());
    let mut steps: Vec<_> = steps
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let back = said.and_then(|said| Timestamp::parse(said["come_back_at"].as_str()?).ok());
    let back = back.map(|at| match at > status.now {
        true => format!(
            "come back at {} and {}",
            moment_and_wait(at, status.now),
            phrases::RESUME
        ),
        false => format!("the quota is back: {}", phrases::RESUME),
    });
    if let (Some(back), Some(first)) = (&back, steps.first_mut()) {
        *first = back;
    }
    if steps.is_empty() && status.state == RunState::BrokeOff && !command.is_empty() {
        steps.push(command);
    }
    if !steps.is_empty() {
        text.push_str("\nNext:\n");
    }
    for step in steps {
        let is_command = step == command;
        let lines = if is_command {
            vec![format!("  {step}")]
        } else {
            folded(step, WIDTH - 2)
        };
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
}

/// What the latest run does or did, in a sentence or two.
fn activity(status: &Status) -> String {
    let Some(run) = &status.run else {
        return "Nothing has been run yet.".to_owned();
    };
    let began = moment(run.started_at, status.now);
    let calls = counted(run.calls, "call");
    match status.state {
        RunState::Working => {
            let activity = status.activity.iter().map(|what| format!("{what}, "));
            let activity: String = activity.collect();
            format!("Running: {activity}{}.", process(run, status.now))
        }
        RunState::Waiting => {
            format!("Waiting: {}. {}.", wait(status), process(run, status.now))
        }
        RunState::Ended => {
            let ended = moment(run.ended_at.unwrap_or_default(), status.now);
            let code = run.exit_code.unwrap_or_default();
            let said = run.ended.as_ref().and_then(|said| said["text"].as_str());
            let why = said.unwrap_or_else(|| Exit::meaning(code));
            let why = format!("{why}{}", if why.ends_with('.') { "" } else { "." });
            format!("Ended at {ended} with exit {code}: {why} Started at {began}, {calls}.")
        }
        RunState::BrokeOff | RunState::None => format!(
            "Broke off: the run of {began} did not say how it ended, and its process (pid {}) is \
             gone; last heard of at {}, {calls}. Everything committed is saved: {}.",
            run.pid,
            moment(run.seen_at, status.now),
            phrases::RESUME
        ),
    }
}

fn process(run: &RunSummary, now: Timestamp) -> String {
    let began = moment(run.started_at, now);
    let lasting = duration(now.since(run.started_at));
    let calls = counted(run.calls, "call");
    format!("pid {}, since {began} ({lasting}), {calls}", run.pid)
}

fn wait(status: &Status) -> String {
    let mut wishes = status.wishes.iter();
    if let Some(pause) = wishes.find(|wish| wish.wish == Wish::Pause) {
        let (since, by) = (moment(pause.since, status.now), &pause.by);
        let (pid, end) = (pause.pid, phrases::RESUMES_BY_COMMAND);
        return format!("paused at {since} by {by} (pid {pid}), {end}");
    }
    let Some(wait) = &status.waiting else {
        return String::new();
    };
    if wait.reason == QUESTION {
        return format!("{QUESTION}, answer it there");
    }
    let until = wait.until.map(|at| {
        if at > status.now {
            moment_and_wait(at, status.now)
        } else {
            "once".to_owned()
        }
    });
    format!("{}, {}", wait.reason, phrases::wait_end(until))
}

/// What an operator asks, with a full stop.
fn asked(wish: &WishStatus, now: Timestamp) -> String {
    let asker = phrases::asker(&wish.by, wish.pid);
    let (at, what) = (moment(wish.since, now), phrases::wish_meaning(wish.wish));
    format!("{asker} asked at {at}: {what}.")
}

fn states(text: &mut String, status: &Status) {
    text.push('\n');
    for state in State::ALL {
        let subjects = status.subjects.of(state);
        if subjects > 0 {
            let share = share(subjects, status.subjects.total());
            let (state, subjects) = (state.as_str(), count(subjects));
            let _ = writeln!(text, "  {state:9} {subjects:>12}  {share}");
        }
    }
    if status.asked_again > 0 {
        let (answers, run) = (count(status.asked_again), status.run.as_ref());
        let command = run.map_or("run", |run| run.command.as_str());
        let _ = writeln!(text, "  asked again {answers:>10}  by the next {command}");
    }
}

fn quota(text: &mut String, status: &Status) {
    text.push('\n');
    for window in &status.windows {
        let (used, limit, left) = (count(window.used), count(window.limit), count(window.left));
        let name = window.window.name();
        let _ = writeln!(text, "  {name:15} {used:>9} of {limit:>9}, {left} left");
    }
    if let Some(block) = &status.block {
        let sentence = lockout(block, status.now);
        let sentence = match block.elsewhere {
            true => format!("{sentence}; {}", phrases::ELSEWHERE),
            false => sentence,
        };
        for (place, line) in folded(&sentence, WIDTH - 18).iter().enumerate() {
            let name = if place == 0 { "lockout" } else { "" };
            let _ = writeln!(text, "  {name:15} {line}");
        }
    }
    if let Some(expires) = status.ticket_expires_at {
        let expires = moment_and_wait(expires, status.now);
        let _ = writeln!(text, "  {:15} expires {expires}", "ticket");
    }
}

/// The lockout and its end, which every run heeds, whichever met it.
fn lockout(lockout: &LockoutStatus, now: Timestamp) -> String {
    let taken = phrases::lockout(lockout.level);
    if lockout.until > now {
        format!(
            "{taken}: one probe at {}",
            moment_and_wait(lockout.until, now)
        )
    } else {
        format!("{taken}: the next call is one probe")
    }
}

fn left(status: &Status) -> Option<String> {
    let left = status.subjects.of(State::Queued) + status.asked_again;
    if left == 0 {
        return None;
    }
    let Some(finish) = status.eta else {
        return Some("No end is foreseeable: a window allows no call.".to_owned());
    };
    let span = duration(finish.since(status.now));
    Some(if status.running {
        let at = about(finish, status.now);
        format!("All answered about {at} (in {span}).")
    } else {
        let subjects = counted(left, "subject");
        format!("{subjects} left: they would take {span} from now.")
    })
}
