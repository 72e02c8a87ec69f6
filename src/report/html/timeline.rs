//! What the runs did, drawn over time.

use std::{collections::BTreeMap, time::Duration};

use super::{markup::Markup, svg::TimeChart, words};
use crate::{
    clock::Timestamp,
    job::{Details, Sample},
};

/// A chart has no more columns.
const MOST: u64 = 400;
/// The lengths of columns, in minutes.
const STEPS: [u64; 8] = [1, 5, 15, 60, 180, 360, 720, 1440];

/// How far back the recent past goes.
const RECENT: Duration = Duration::from_secs(3 * 3600);

/// Draws what the runs did since a moment: `None` for all along.
pub(super) fn draw(details: &Details, is_recent: bool, html: &mut Markup) {
    let samples = &details.samples;
    let since = match is_recent {
        true => end_of(details).minus(RECENT),
        false => Timestamp::default(),
    };
    let first = samples.partition_point(|sample| sample.at < since);
    if let Some(columns) = ChartColumns::of(details, &samples[first..]) {
        columns.draw(details, html);
    }
}

/// Whether there is more to draw than the recent past.
pub(super) fn goes_back(details: &Details) -> bool {
    let since = end_of(details).minus(RECENT);
    details
        .samples
        .first()
        .is_some_and(|sample| sample.at < since)
}

/// Now, or when the last run ended.
fn end_of(details: &Details) -> Timestamp {
    let last = details.samples.last().map(|sample| sample.at);
    match last {
        Some(last) if !details.status.running => last.plus(Duration::from_secs(60)),
        _ => details.status.now,
    }
}

impl ChartColumns {
    /// Draws them wide and narrow; which one is seen is up to the style sheet.
    fn draw(&self, details: &Details, html: &mut Markup) {
        let chart = TimeChart {
            span: self.span,
            step: self.step,
            columns: &self.calls,
            limits: &limits(details),
            waits: &self.waits,
        };
        html.raw("<div class=\"wide\">");
        chart.draw(840.0, html);
        html.raw("</div><div class=\"narrow\">");
        chart.draw(360.0, html);
        html.raw("</div>");
        legend(self, html);
    }
}

/// What the ribbon and the lines mean.
fn legend(columns: &ChartColumns, html: &mut Markup) {
    let waits = [
        ("quota", &words::WAITED_FOR_QUOTA),
        ("trouble", &words::WAITED_FOR_API),
        ("wish", &words::PAUSED),
    ];
    let seen = waits
        .into_iter()
        .filter(|(class, _)| columns.waits.iter().any(|(.., seen)| seen == class));
    let always = [("area", &words::CALLS_A_MINUTE), ("limit", &words::LIMIT)];
    html.raw("<p class=\"legend\">");
    for (class, name) in always.into_iter().chain(seen) {
        html.raw("<span><i class=\"key ").raw(class);
        html.raw("\"></i>").say(name).raw("</span>");
    }
    html.raw("</p>");
}

/// The limits as calls a minute, if they were used evenly.
fn limits(details: &Details) -> Vec<(&'static str, f64)> {
    let windows = details.status.windows.iter();
    #[expect(clippy::cast_precision_loss, reason = "only looked at")]
    let mut limits: Vec<_> = windows
        .map(|window| {
            let minutes = window.window.span().as_secs_f64() / 60.0;
            (window.window.name(), window.limit as f64 / minutes)
        })
        .collect();
    limits.sort_by(|a, b| a.1.total_cmp(&b.1));
    limits
}

/// Samples put together in columns of one length.
struct ChartColumns {
    span: (Timestamp, Timestamp),
    step: Duration,
    calls: Vec<(Timestamp, f64)>,
    waits: Vec<(Timestamp, Timestamp, &'static str)>,
}

#[derive(Default)]
struct ChartColumn {
    calls: u64,
    waited: BTreeMap<&'static str, u64>,
}

impl ChartColumns {
    fn of(details: &Details, samples: &[Sample]) -> Option<Self> {
        let (first, end) = (samples.first()?.at, end_of(details));
        // A chart of a minute says nothing.
        let start = first.min(end.minus(Duration::from_secs(20 * 60)));
        let minutes = end.since(start).as_secs().div_ceil(60);
        let step = STEPS.into_iter().find(|step| minutes / step < MOST);
        let step = Duration::from_secs(60 * step.unwrap_or(minutes / MOST));
        let mut columns: BTreeMap<Timestamp, ChartColumn> = BTreeMap::new();
        for sample in samples {
            add(&mut columns, sample, step);
        }
        let rate =
            |(at, column): (&Timestamp, &ChartColumn)| (*at, per_minute(column, *at, step, end));
        Some(Self {
            span: (start, end),
            step,
            calls: columns.iter().map(rate).collect(),
            waits: waits(&columns, step),
        })
    }
}

fn add(columns: &mut BTreeMap<Timestamp, ChartColumn>, sample: &Sample, step: Duration) {
    let length = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    // ChartColumns of hours and days begin with those of +08:00.
    let east = 8 * 3_600_000;
    let start = (sample.at.as_millis() + east).div_euclid(length) * length - east;
    let column = columns.entry(Timestamp::from_millis(start)).or_default();
    column.calls += sample.calls;
    if let Some(class) = words::wait_class(&sample.hold) {
        *column.waited.entry(class).or_default() += sample.millis;
    }
}

/// The mean of a column; of the last one, which is not yet complete, so far.
#[expect(clippy::cast_precision_loss, reason = "only looked at")]
fn per_minute(column: &ChartColumn, at: Timestamp, step: Duration, end: Timestamp) -> f64 {
    let passed = end.since(at).min(step).as_secs_f64();
    column.calls as f64 * 60.0 / passed.max(60.0)
}

/// The columns of which at least a third was a wait, neighbours joined.
fn waits(
    columns: &BTreeMap<Timestamp, ChartColumn>,
    step: Duration,
) -> Vec<(Timestamp, Timestamp, &'static str)> {
    let mut waits: Vec<(Timestamp, Timestamp, &'static str)> = Vec::new();
    for (at, column) in columns {
        let longest = column.waited.iter().max_by_key(|(_, millis)| **millis);
        let Some((class, millis)) = longest else {
            continue;
        };
        if u128::from(*millis) * 3 < step.as_millis() {
            continue;
        }
        let end = at.plus(step);
        match waits.last_mut() {
            Some((_, last, same)) if same == class && *last == *at => *last = end,
            _ => waits.push((*at, end, class)),
        }
    }
    waits
}
