//! What a rehearsal found out, for people.

use std::{fmt::Write as _, time::Duration};

use super::{
    Entry, Timeline,
    phrases::{StopContext, stop_words},
};
use crate::{
    format::{count, counted, duration},
    job::{RehearsalFindings, Rehearsed},
    model::QuotaWindow,
};

/// The findings of a rehearsal, below its days.
pub(crate) fn render(
    findings: &RehearsalFindings,
    rehearsed: &Rehearsed,
    timeline: &Timeline,
    lookup: fn(i64) -> &'static Entry,
) -> String {
    let words = stop_words(&StopContext {
        room_at: None,
        report: &rehearsed.report,
        invalid_lines: 0,
        now: rehearsed.ended,
        address: "the simulator",
        lookup,
    });
    let mut text = timeline.to_string();
    let _ = writeln!(text, "{}\n", words.headline);
    counts(&mut text, findings);
    times(&mut text, findings);
    let next = &findings.next;
    let _ = writeln!(
        text,
        "\nNext: nothing was sent yet; this sends it\n  {next}"
    );
    text
}

fn counts(text: &mut String, findings: &RehearsalFindings) {
    for name in QuotaWindow::ALL.map(QuotaWindow::name) {
        let peak = findings.peaks.get(name).unwrap_or(&0);
        let limit = findings.limits.get(name).copied().flatten();
        let limit = limit.map_or_else(|| "no limit".to_owned(), count);
        let _ = writeln!(text, "  peak {name:15} {:>10} of {limit:>10}", count(*peak));
    }
    for (errcode, times) in findings.refused.iter().filter(|(_, times)| **times > 0) {
        let _ = writeln!(text, "  refused {errcode:12} {:>10}", count(*times));
    }
    let states = findings.states.iter();
    for (state, subjects) in states.filter(|(_, subjects)| **subjects > 0) {
        let _ = writeln!(text, "  {state:20} {:>10}", count(*subjects));
    }
}

fn times(text: &mut String, findings: &RehearsalFindings) {
    let (calls, subjects) = (count(findings.calls), count(findings.subjects));
    let _ = writeln!(text, "\n{calls} calls for {subjects} subjects");
    if let Some(calls) = findings.pending_id_calls {
        let calls = counted(calls, "call");
        let _ = writeln!(text, "{calls} for pending ids at the same time");
    }
    let took = lasting(findings.virtual_seconds);
    let ideal = findings.ideal_seconds.map_or_else(String::new, |ideal| {
        format!(" (earliest possible: {})", lasting(ideal))
    });
    let _ = writeln!(text, "{took} of virtual time{ideal}");
    let _ = writeln!(text, "{} of real time", lasting(findings.real_seconds));
    if findings.kills > 0 {
        let _ = writeln!(text, "the process died {} times", count(findings.kills));
    }
    let _ = writeln!(text, "repeat it with --seed {}", findings.seed);
}

fn lasting(seconds: f64) -> String {
    duration(Duration::from_secs_f64(seconds))
}
