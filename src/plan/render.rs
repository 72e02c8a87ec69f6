//! The plan as people read it.

use std::{fmt::Write, time::Duration};

use super::{Forecast, Plan, Series, chart};
use crate::{
    clock::Timestamp,
    format::{count, duration},
    model::QuotaWindow,
};

const WIDTH: usize = 72;

/// The plan for a terminal, at most 72 columns wide but for long file names; `now` is what the
/// wall clock showed when it was drawn.
#[must_use]
pub fn render(plan: &Plan, now: Timestamp) -> String {
    let mut text = format!("Plan of {now}\n\n");
    counts(&mut text, plan);
    if plan.calls > 0 {
        without_ticket(&mut text, plan);
        with_ticket(&mut text, plan);
        drawn(&mut text, plan);
    }
    text.push('\n');
    for line in wrapped(&plan.advice) {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "\n  {}", plan.command);
    text
}

fn counts(text: &mut String, plan: &Plan) {
    let counts = [
        ("lines", plan.lines),
        ("rejected", plan.rejected),
        ("subjects", plan.subjects),
        ("answered", plan.answered),
        ("calls", plan.calls),
    ];
    for (name, number) in counts {
        let _ = writeln!(text, "  {name:<10}{:>14}", count(number));
    }
}

fn without_ticket(text: &mut String, plan: &Plan) {
    let road = &plan.without_ticket;
    finish(
        text,
        "Without a ticket",
        road.seconds,
        road.finish.as_deref(),
    );
    bound(text, &road.forecast);
    let _ = match &road.month_wall {
        Some(at) => writeln!(text, "  month wall      {at}"),
        None => writeln!(text, "  month wall      not reached"),
    };
}

fn with_ticket(text: &mut String, plan: &Plan) {
    let road = &plan.with_ticket;
    finish(text, "With a ticket", road.seconds, road.finish.as_deref());
    bound(text, &road.forecast);
    let usable = road.usable_seconds.map_or("its life".to_owned(), lasting);
    let _ = if road.fits {
        writeln!(text, "  ticket          {usable} usable: enough")
    } else {
        let left = count(road.left_over);
        writeln!(
            text,
            "  ticket          {usable} usable: {left} subjects left at its end"
        )
    };
}

fn finish(text: &mut String, road: &str, seconds: u64, finish: Option<&str>) {
    let (lasting, finish) = (lasting(seconds), finish.unwrap_or("beyond the calendar"));
    let _ = writeln!(text, "\n{road:<18}{lasting:<14}{finish}");
}

/// The windows that held, how long and on which days. The minute window is left out where others
/// held: it does so for moments all the time.
fn bound(text: &mut String, forecast: &Forecast) {
    for (span, days) in &forecast.bound_days {
        if *span == QuotaWindow::BasicMinute && forecast.binding != Some(QuotaWindow::BasicMinute) {
            continue;
        }
        let held = lasting(forecast.held[*span as usize].as_secs().max(1));
        let on = ranges(days);
        let _ = writeln!(text, "  {:<16}holds {held} in all, on {on}", span.name());
    }
}

/// Both roads in one chart, the slow one in front.
fn drawn(text: &mut String, plan: &Plan) {
    let series = |name: &str, glyph, forecast: &Forecast| {
        let from = forecast
            .done_by
            .first()
            .map_or(Timestamp::MAX, |(at, _)| *at);
        let point =
            |(at, calls): &(Timestamp, u64)| (at.since(from).as_secs_f64() / 86_400.0, *calls);
        // What never ends is drawn as far as it gets.
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
    let with = series("with a ticket", '░', &plan.with_ticket.forecast);
    let without = series("no ticket", '█', &plan.without_ticket.forecast);
    let drawn = chart(&[with, without]);
    if !drawn.is_empty() {
        let _ = write!(text, "\ncalls\n{drawn}");
    }
}

/// `day 1`, `days 1-3, 7`: counted from 1, at most four stretches.
fn ranges(days: &[u32]) -> String {
    let mut stretches: Vec<(u32, u32)> = Vec::new();
    for day in days.iter().map(|day| day.saturating_add(1)) {
        match stretches.last_mut() {
            Some((_, last)) if last.saturating_add(1) == day => *last = day,
            _ => stretches.push((day, day)),
        }
    }
    let shown = stretches.iter().take(4).map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    let shown: Vec<String> = shown.collect();
    let word = if days.len() == 1 { "day" } else { "days" };
    let more = if stretches.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!("{word} {}{more}", shown.join(", "))
}

/// A duration of so many seconds.
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
