//! What came of matching contacts of downstream corps with subjects.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::{
    Entry,
    phrases::{StopContext, stop_words},
};
use crate::{
    clock::Timestamp,
    format::{count, counted},
    job::{Exit, stop_code},
    model::Tally,
    runner::event::{ContactCounts, MatchingReport, RunReport, StopReason},
};

/// What `idferry pending match --json` prints.
#[derive(Serialize)]
pub(crate) struct MatchingJson<'a> {
    ending: &'static str,
    exit_code: u8,
    contacts: u64,
    matched: u64,
    strangers: u64,
    unmatched: u64,
    refused: u64,
    unasked: u64,
    new_links: u64,
    calls: u64,
    /// Downstream corps that could not be asked, and why.
    skipped: BTreeMap<&'a str, &'a str>,
}

/// For programs.
pub(crate) fn to_json<'a>(
    report: &'a MatchingReport,
    links: u64,
    counts: &ContactCounts,
    exit: Exit,
) -> MatchingJson<'a> {
    let skipped = report.skipped.iter();
    MatchingJson {
        ending: stop_code(&report.reason).0,
        exit_code: exit.code(),
        contacts: counts.contacts,
        matched: counts.matched,
        strangers: counts.strangers,
        unmatched: counts.unmatched,
        refused: counts.refused,
        unasked: counts.unasked,
        new_links: links,
        calls: report.calls,
        skipped: skipped.map(|(corp, why)| (&**corp, &**why)).collect(),
    }
}

/// For a terminal.
pub(crate) fn render(
    report: &MatchingReport,
    links: u64,
    counts: &ContactCounts,
    (now, lookup): (Timestamp, fn(i64) -> &'static Entry),
) -> String {
    let (headline, next) = words(report, counts, now, lookup);
    let mut text = format!("{headline}\n\n");
    for (name, number, what) in [
        (
            "matched",
            counts.matched,
            "known by the pending_id of a subject",
        ),
        (
            "strangers",
            counts.strangers,
            "known by a pending_id that is no subject's here",
        ),
        (
            "unmatched",
            counts.unmatched,
            "not known yet: asked again after a while",
        ),
        ("refused", counts.refused, ""),
        (
            "unasked",
            counts.unasked,
            "the same command asks about them",
        ),
    ] {
        if number > 0 {
            let line = format!("  {name:<10}{:>12}  {what}", count(number));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let (links, calls) = (counted(links, "new link"), counted(report.calls, "call"));
    let _ = writeln!(text, "\n  {links}, {calls}");
    for (corpid, why) in &report.skipped {
        let corp = if corpid.is_empty() {
            "no corpid"
        } else {
            corpid
        };
        let _ = writeln!(text, "  skipped {corp}: {why}");
    }
    for step in next {
        let _ = writeln!(text, "  {step}");
    }
    text
}

/// Why it ended, and what to do next.
fn words(
    report: &MatchingReport,
    counts: &ContactCounts,
    now: Timestamp,
    lookup: fn(i64) -> &'static Entry,
) -> (String, Vec<String>) {
    if matches!(report.reason, StopReason::Finished) {
        let contacts = counted(counts.contacts, "external_userid");
        let asked = match report.skipped.is_empty() {
            true => format!("Finished: {contacts}."),
            false => format!(
                "Finished, but {} could not be asked: {contacts}.",
                counted(report.skipped.len() as u64, "downstream corp")
            ),
        };
        return (asked, Vec::new());
    }
    let run = RunReport {
        reason: report.reason.clone(),
        tally: Tally::default(),
        left: counts.unasked,
        kept: 0,
        pending_ids: None,
        calls: report.calls,
        took: std::time::Duration::ZERO,
        used_elsewhere: false,
        waits: Vec::new(),
    };
    let words = stop_words(&StopContext {
        room_at: None,
        report: &run,
        invalid_lines: 0,
        now,
        address: "the API",
        lookup,
    });
    let headline = words.headline.replace(" subject", " external_userid");
    (headline, words.next)
}
