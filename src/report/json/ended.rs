//! The summary for programs: the last event of a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{SubjectCounts, WindowJson, pending_ids::PendingIdsJson};
use crate::{
    clock::Timestamp,
    job::{DrawnReport, Error, Exit, stop_code},
    model::CorpChanges,
    report::{Summary, phrases::StopWords, ticket},
    runner::event::{RunReport, StopReason},
};

/// All that the summary says as one JSON object, without a line break.
///
/// | field | |
/// | --- | --- |
/// | `event`, `at` | `ended`, and when |
/// | `ending` | `finished`, `quota`, `budget`, `time`, `unreachable`, `interrupted`, `asked`, `refused`, `tokens_refused`, `not_the_api`, `breaker`, `job_file_moved`; `error` of a run that could not do its work, which has of the other fields `at`, `exit_code`, `text`, `next` and `command` |
/// | `exit_code` | what the process exits with |
/// | `text` | the headline |
/// | `subjects`, `calls`, `seconds`, `windows` | as in `progress`; how long it took |
/// | `waits` | seconds waited, by reason as in `progress` |
/// | `ticket_until` | until when the ticket works, or null |
/// | `results`, `rejects` | `path` and `lines`, or null if there are none |
/// | `left` | subjects still to be asked, those of passes included |
/// | `kept` | answers that stand although their subjects were asked again: that was refused, or failed |
/// | `changes` | of a resync `corpid`, `gained`, `lost`, `changed` of each downstream corp, else null |
/// | `drawn` | of a pilot or a sample `of`, `subjects`, `asked` and what they tell, else null |
/// | `refusals` | `state`, `errcode` or null, `subjects`, `text`, `next_step` of each code |
/// | `come_back_at` | when there is quota again, if work is left; null for now |
/// | `next` | what to do next, line by line; empty if nothing |
/// | `command` | the command that resumes |
/// | `used_elsewhere` | calls were refused (45009) while the ledger was far below every limit |
pub(crate) fn ended(summary: &Summary) -> String {
    serde_json::to_string(&Ended::of(summary)).unwrap_or_default()
}

/// The end, at `at`, of a run that could not do its work and that `command` resumes, as such an object
/// of fewer fields.
pub(crate) fn failed(error: &Error, at: Timestamp, command: &str) -> String {
    // The same command would meet the same usage error: the text says what is wrong with it.
    let next = Some(command).filter(|_| error.exit != Exit::Usage);
    let failed = serde_json::json!({
        "event": "ended",
        "ending": "error",
        "exit_code": error.exit.code(),
        "text": error.message,
        "next": next.into_iter().collect::<Vec<_>>(),
        "command": command,
        "at": at.rfc3339(),
    });
    failed.to_string()
}

// fields: those of the documented object.
#[derive(Serialize)]
struct Ended<'a> {
    event: &'static str,
    ending: &'static str,
    exit_code: u8,
    text: String,
    subjects: SubjectCounts,
    left: u64,
    kept: u64,
    calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_ids: Option<PendingIdsJson>,
    seconds: f64,
    waits: BTreeMap<&'static str, f64>,
    windows: Vec<WindowJson>,
    ticket_until: Option<String>,
    results: Option<FileJson<'a>>,
    rejects: Option<FileJson<'a>>,
    changes: Option<&'a [CorpChanges]>,
    drawn: Option<&'a DrawnReport>,
    refusals: Vec<RefusalJson>,
    come_back_at: Option<String>,
    next: Vec<String>,
    command: &'a str,
    used_elsewhere: bool,
    at: String,
}

#[derive(Serialize)]
struct FileJson<'a> {
    path: &'a str,
    lines: u64,
}

#[derive(Serialize)]
struct RefusalJson {
    state: &'static str,
    errcode: Option<i64>,
    subjects: u64,
    text: String,
    next_step: &'static str,
}

impl<'a> Ended<'a> {
    fn of(summary: &'a Summary) -> Self {
        let RunReport {
            reason,
            tally,
            left,
            kept,
            calls,
            pending_ids,
            took,
            used_elsewhere,
            waits,
        } = &summary.report;
        let written = |(path, lines)| FileJson { path, lines };
        let results = summary.results.as_ref();
        let StopWords { headline, next } = summary.stop_words();
        let next = summary.advice(next).into_iter();
        Self {
            event: "ended",
            ending: stop_code(reason).0,
            exit_code: summary.exit.code(),
            text: headline,
            subjects: SubjectCounts::of(*tally),
            left: *left,
            kept: *kept,
            calls: *calls,
            pending_ids: pending_ids.as_ref().map(PendingIdsJson::of),
            seconds: took.as_secs_f64(),
            waits: waits
                .iter()
                .map(|(reason, span)| (*reason, span.as_secs_f64()))
                .collect(),
            windows: summary.windows.iter().map(WindowJson::of).collect(),
            ticket_until: ticket_until(summary),
            results: results.map(|(path, lines)| written((path, *lines))),
            rejects: summary.bad_lines().map(written),
            changes: summary.changes.as_deref(),
            drawn: summary.drawn.as_ref(),
            refusals: refusals(summary),
            come_back_at: match reason {
                StopReason::Quota(wait) => wait.until,
                _ => summary.obstacles.room_at,
            }
            .map(Timestamp::rfc3339),
            next: next.map(|line| line.trim().to_owned()).collect(),
            command: &summary.command,
            used_elsewhere: *used_elsewhere,
            at: summary.ended_at.rfc3339(),
        }
    }
}

/// Until when the ticket works, if it does.
fn ticket_until(summary: &Summary) -> Option<String> {
    let until = summary.ticket.and_then(ticket::works_until);
    until.map(Timestamp::rfc3339)
}

fn refusals(summary: &Summary) -> Vec<RefusalJson> {
    let refusals = summary.refusals.iter();
    let refusals = refusals.map(|refusal| {
        let (state, errcode, subjects) = *refusal;
        let (text, next_step) = summary.meaning(errcode);
        RefusalJson {
            state: state.as_str(),
            errcode,
            subjects,
            text,
            next_step,
        }
    });
    refusals.collect()
}
