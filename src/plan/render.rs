//! The plan as text.

use std::{fmt::Write, time::Duration};

use super::{
    Forecast, PendingIdPlan, Plan,
    chart::{Series, chart},
};
use crate::{
    clock::Timestamp,
    format::{count, duration},
    model::QuotaWindow,
};

const WIDTH: usize = 72;

/// Returns the plan for a terminal, at most 72 columns wide except for long file names; `now` is
/// the wall-clock time when it was computed.
pub(crate) fn render(plan: &Plan, now: Timestamp) -> String {
    let mut text = format!("Plan of {now}\n\n");
    counts(&mut text, plan);
    if plan.subjects.calls > 0 {
        without_ticket(&mut text, plan);
        with_ticket(&mut text, plan);
        drawn(&mut text, plan);
    }
    text.extend(plan.pending_ids.as_ref().map(PendingIdPlan::render));
    text.push('\n');
    for line in wrapped(&plan.advice) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "\n  {}", plan.command);
    text
}

fn counts(text: &mut String, plan: &Plan) {
    let subjects = &plan.subjects;
    let counts = [
        ("lines", subjects.lines),
        ("rejected", subjects.rejected),
        ("subjects", subjects.subjects),
        ("answered", subjects.answered),
        ("calls", subjects.calls),
    ];
    for (name, number) in counts {
        let _ = writeln!(text, "  {name:<10}{:>14}", count(number));
    }
}

fn without_ticket(text: &mut String, plan: &Plan) {
    let scenario = &plan.without_ticket;
    finish(text, "Without a ticket", scenario.seconds, &scenario.finish);
    bound(text, &scenario.forecast);
    let _ = match &scenario.month_wall {
        Some(at) => writeln!(text, "  month wall      {at}"),
        None => writeln!(text, "  month wall      not reached"),
    };
}

fn with_ticket(text: &mut String, plan: &Plan) {
    let Some(scenario) = &plan.with_ticket else {
        return;
    };
    finish(text, "With a ticket", scenario.seconds, &scenario.finish);
    bound(text, &scenario.forecast);
    let usable = scenario
        .usable_seconds
        .map_or("its life".to_owned(), lasting);
    let _ = if scenario.fits {
        writeln!(text, "  ticket          {usable} usable: enough")
    } else {
        let left = count(scenario.left_over);
        writeln!(
            text,
            "  ticket          {usable} usable: {left} subjects left at its end"
        )
    };
}

fn finish(text: &mut String, name: &str, seconds: u64, finish: &Option<String>) {
    let finish = finish.as_deref().unwrap_or("beyond the calendar");
    let lasting = lasting(seconds);
    let _ = writeln!(text, "\n{name:<18}{lasting:<14}{finish}");
}

/// Writes the windows that held calls, how long and on which days. The minute window is left out
/// where others did: it holds for moments all the time.
fn bound(text: &mut String, forecast: &Forecast) {
    for (window, days) in &forecast.bound_days {
        if *window == QuotaWindow::BasicMinute && forecast.binding != Some(QuotaWindow::BasicMinute)
        {
            continue;
        }
        let held = lasting(forecast.held[*window as usize].as_secs().max(1));
        let on = ranges(days);
        let _ = writeln!(text, "  {:<16}holds {held} in all, on {on}", window.name());
    }
}

/// Draws both scenarios in one chart, the slow one in front.
fn drawn(text: &mut String, plan: &Plan) {
    let series = |name: &str, glyph, forecast: &Forecast| {
        let from = forecast
            .done_by
            .first()
            .map_or(Timestamp::MAX, |(at, _)| *at);
        let point =
            |(at, calls): &(Timestamp, u64)| (at.since(from).as_secs_f64() / 86_400.0, *calls);
        // A scenario that never ends is drawn as far as it gets.
        let ending = forecast
            .done_by
            .iter()
            .filter(|(at, _)| *at < Timestamp::MAX);
        let (name, points) = (name.to_owned(), ending.map(point).collect());
        Series {
            name,
            glyph,
            points,
        }
    };
    let with = plan.with_ticket.as_ref();
    let with = with.map(|with| series("with a ticket", '░', &with.forecast));
    let without = series("no ticket", '█', &plan.without_ticket.forecast);
    let drawn: Vec<_> = with.into_iter().chain([without]).collect();
    let drawn = chart(&drawn);
    if !drawn.is_empty() {
        let _ = write!(text, "\ncalls\n{drawn}");
    }
}

/// Formats days as `day 1` or `days 1-3, 7`: counted from 1, at most four ranges.
fn ranges(days: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for day in days.iter().map(|day| day.saturating_add(1)) {
        match ranges.last_mut() {
            Some((_, last)) if last.saturating_add(1) == day => *last = day,
            _ => ranges.push((day, day)),
        }
    }
    let shown = ranges.iter().take(4).map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    let shown: Vec<String> = shown.collect();
    let word = if days.len() == 1 { "day" } else { "days" };
    let more = if ranges.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!("{word} {}{more}", shown.join(", "))
}

pub(super) fn lasting(seconds: u64) -> String {
    duration(Duration::from_secs(seconds))
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
