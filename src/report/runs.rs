//! The list of runs for people, in eighty columns.

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

use super::style::folded;
use crate::{
    format::{counted, date, duration, time_of_day},
    job::{ListedRun, RunList},
};

const WIDTH: usize = 75;

pub(crate) fn render(list: &RunList) -> String {
    if list.runs.is_empty() {
        return "Nothing has been run yet.\n".to_owned();
    }
    let mut text = String::new();
    for run in &list.runs {
        let (day, time) = (date(run.started_at), time_of_day(run.started_at));
        let until = if run.running {
            list.now
        } else {
            run.ended_at.unwrap_or(run.seen_at)
        };
        let took = duration(until.since(run.started_at));
        let calls = counted(run.calls, "call");
        let end = end(run);
        let _ = writeln!(
            text,
            "{:>3}  {day} {time}  {}  {took}, {calls}, {end}",
            run.number, run.command
        );
        let said = run.ended.as_ref().and_then(|ended| ended["text"].as_str());
        for line in said.into_iter().chain(waits(run).as_deref()) {
            for line in folded(line, WIDTH) {
                let _ = writeln!(text, "     {line}");
            }
        }
    }
    text
}

fn end(run: &ListedRun) -> String {
    match run.exit_code {
        _ if run.running => "at work".to_owned(),
        Some(code) => format!("exit {code}"),
        None => "broke off".to_owned(),
    }
}

/// `waited: window 3 h 2 min, paused 12 min`
fn waits(run: &ListedRun) -> Option<String> {
    let waits = run.ended.as_ref()?["waits"].as_object()?;
    let each = waits.iter().map(|(reason, seconds)| {
        let seconds = Value::as_f64(seconds).unwrap_or_default();
        let span = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        format!("{reason} {}", duration(span))
    });
    let each: Vec<_> = each.collect();
    (!each.is_empty()).then(|| format!("waited: {}", each.join(", ")))
}
