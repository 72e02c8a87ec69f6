//! What a pilot or a sample has found, for the summary.

use super::Entry;
use crate::{
    format::{count, counted, duration},
    job::{DrawnReport, DrawnShare, PilotReport, StaleAnswers, StalenessReport},
};

/// Names and facts, in columns.
pub(super) fn facts(
    report: &DrawnReport,
    lookup: fn(i64) -> &'static Entry,
) -> Vec<(&'static str, String)> {
    match report {
        DrawnReport::Pilot(pilot) => pilot_facts(pilot, lookup),
        DrawnReport::Sample(sample) => sample_facts(sample),
    }
}

fn asked(asked: u64, subjects: u64) -> String {
    format!(
        "{} of {} drawn at random were asked",
        count(asked),
        count(subjects)
    )
}

fn pilot_facts(
    pilot: &PilotReport,
    lookup: fn(i64) -> &'static Entry,
) -> Vec<(&'static str, String)> {
    let mut facts = vec![("pilot", asked(pilot.asked, pilot.subjects))];
    let Some(rate) = pilot.hit_rate else {
        return facts;
    };
    let linked = count(pilot.linked);
    facts.push((
        "hit rate",
        format!("{linked} are linked: {}", interval(rate)),
    ));
    facts.push((
        "",
        format!("{} of them, {}", counted(pilot.links, "link"), each(pilot)),
    ));
    for (state, errcode, subjects) in &pilot.refusals {
        let why = match errcode {
            Some(code) => format!("errcode {code} {}", lookup(*code).meaning),
            None => "no reply that could be read".to_owned(),
        };
        facts.push(("errors", format!("{} {state}: {why}", count(*subjects))));
    }
    let others = &pilot.projection;
    if let (Some(seconds), Some((links, from, to)), 1..) =
        (others.seconds, others.links, others.subjects)
    {
        let calls = counted(others.calls, "call");
        let time = duration(std::time::Duration::from_secs(seconds));
        facts.push((
            "others",
            format!("{}: {calls}, {time}", counted(others.subjects, "subject")),
        ));
        let (from, to) = (count(from), count(to));
        facts.push((
            "",
            format!("about {} ({from} to {to})", counted(links, "link")),
        ));
    }
    facts
}

#[expect(clippy::cast_precision_loss, reason = "only looked at")]
fn each(pilot: &PilotReport) -> String {
    let each = pilot.links as f64 / pilot.linked.max(1) as f64;
    format!("{each:.2} a linked subject")
}

/// `42.4 %, 95 % interval 38.1 % to 46.8 %`
fn interval(share: DrawnShare) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let (share, from, to) = (percent(share.share), percent(share.from), percent(share.to));
    format!("{share}, 95 % interval {from} to {to}")
}

fn sample_facts(sample: &StalenessReport) -> Vec<(&'static str, String)> {
    let mut facts = vec![("sample", asked(sample.asked, sample.subjects))];
    for (name, answers) in [("linked", &sample.linked), ("unlinked", &sample.unlinked)] {
        facts.extend(stale(answers).map(|stale| (name, stale)));
    }
    if let Some((days, from, to)) = sample.linked_after_days {
        let after = span(days);
        facts.push((
            "suggests",
            format!(
                "--linked-after {after}: 5 % of linked answers change in it ({} to {})",
                span(from),
                span(to)
            ),
        ));
    }
    facts
}

fn stale(answers: &StaleAnswers) -> Option<String> {
    let stale = interval(answers.stale?);
    let (changed, all) = (count(answers.changed), count(answers.subjects));
    let age = span(answers.age_days);
    Some(format!(
        "{changed} of {all} had changed: {stale}; {age} old on average"
    ))
}

/// As a duration is typed, rounded down, but never nothing.
fn span(days: f64) -> String {
    match days * 24.0 {
        hours if hours >= 48.0 => format!("{:.0}d", days.floor()),
        hours => format!("{:.0}h", hours.floor().max(1.0)),
    }
}
