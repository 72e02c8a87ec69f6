//! Progress as JSON, one object a line, for programs that watch a run.

use std::{io::Write, time::Duration};

use serde::Serialize;

mod ended;
mod parts;
mod pending_ids;

pub(crate) use ended::{ended, failed};

use self::{
    parts::{PassJson, SubjectCounts, WaitJson, WindowJson},
    pending_ids::PendingIdsJson,
};
use super::{
    Asked, Eta, HoldReason, LineWriter, PassOrigin, Reporter, RunEvent, Snapshot, TicketNews,
    progress_state::ProgressState, ticket,
};
use crate::{clock::Timestamp, job::stop_code, model::Api, runner::event::ClockDifference};

const EVERY: Duration = Duration::from_secs(1);

/// Writes JSON lines.
///
/// Every object has `event`, the name of what happened, and from the first `progress` on `at`,
/// the time (RFC 3339, +08:00; of the latest progress, for events without a time of their own).
///
/// | `event` | Further fields |
/// | --- | --- |
/// | `started` | `subjects`: how many in all, and in each state |
/// | `progress` | `subjects`; `left` to be asked, `pass` or null: `pass`, `asked`, `subjects` of the answers that are asked for again; `calls` completed in this run, `in_flight`, `width` (the most in flight), `calls_per_second` while nothing holds, `finish_at` or null if that is not foreseeable; `windows`: `window`, `used`, `limit` of each; `waiting` or null: `reason` (`pace`, `window`, `block`, `width`, `retry`, `token`, `ticket`, `outage`, `paused`), `window` or null, `text`, `until` or null |
/// | `outlook` | `finish_at` or null |
/// | `token_fetched`, `tokens_contested`, `unblocked`, `reached_again`, `ticket_dead`, `second_try` | |
/// | `ticket` | `what` (`obtained`, `found`, `refused`, `unanswered`, `unreadable`, `spent`, `not_needed`), `until` or null, `errcode` or null |
/// | `blocked` | `limit` (`minute`, `hour`, `day`, `month`), `until`; `elsewhere`: the ledger is far below every limit |
/// | `limit_learnt` | `window`, and the `calls` in it beyond which the API refuses |
/// | `narrowed` | `width` |
/// | `unreachable` | the service is out of order or cannot be reached: `failure`, `since`, `until` |
/// | `pass_started` | answers are asked for again: `pass` (`retry`, `parked`, `unlinked`, `linked`), `subjects` left in it |
/// | `clock_differs` | by how many `seconds` the wall clock differs from the API's, whether it is `ahead`, and the API's: `remote` |
/// | `draining` | `in_flight` |
/// | `asked` | an operator asked something by `idferry pause`, `throttle` or `stop`: `wish` (`pause`, `rate` a minute, `concurrency`, `stop`), `number` or null, `by` (`user@host`), `pid`, `since` |
/// | `withdrawn` | `wish` |
/// | `message` | `text`: a line for people |
/// | `ended` | the last one: all that the summary says, see `report/json/ended.rs` |
///
/// At most one `progress` a second, but always one when the reason for waiting changes, and the
/// last one.
pub struct Json {
    out: LineWriter,
    state: ProgressState,
    /// The time of the last progress written, and why it waited.
    written: Option<(Timestamp, Option<HoldReason>)>,
    unwritten: bool,
}

impl Json {
    /// Writes to `out`.
    #[must_use]
    pub fn new(out: Box<dyn Write>, eta: Eta) -> Self {
        Self {
            out: LineWriter::new(out),
            state: ProgressState::new(eta),
            written: None,
            unwritten: false,
        }
    }

    fn write(&mut self, event: JsonEvent) {
        self.write_of(None, event);
    }

    /// Writes an event of the calls to one API.
    fn write_of(&mut self, api: Option<Api>, event: JsonEvent) {
        let at = self.state.now().map(Timestamp::rfc3339);
        let api = api.map(Api::name);
        if let Ok(line) = serde_json::to_string(&JsonLine { event, api, at }) {
            self.out.line(line);
        }
    }

    fn write_progress(&mut self) {
        let Some(snapshot) = self.state.latest() else {
            return;
        };
        let event = JsonEvent::progress(snapshot, &self.state);
        self.written = Some((snapshot.at, reason(snapshot)));
        self.unwritten = false;
        self.write(event);
    }

    fn is_due(&self, snapshot: &Snapshot) -> bool {
        self.written.is_none_or(|(at, why)| {
            snapshot.at < at || snapshot.at.since(at) >= EVERY || why != reason(snapshot)
        })
    }
}

/// A line for people as an event, without its line break.
pub(crate) fn message(text: &str) -> String {
    let message = JsonLine {
        event: JsonEvent::Message {
            text: text.to_owned(),
        },
        api: None,
        at: None,
    };
    serde_json::to_string(&message).unwrap_or_default()
}

impl Reporter for Json {
    fn event(&mut self, event: &RunEvent) {
        self.state.observe(event);
        if let RunEvent::Progress(snapshot) = event {
            self.unwritten = true;
            if self.is_due(snapshot) {
                self.write_progress();
            }
            return;
        }
        let (api, event) = match event {
            RunEvent::OfPendingIds(event) => (Some(Api::PendingId), &**event),
            event => (None, event),
        };
        if let Some(event) = self.json_of(event) {
            self.write_of(api, event);
        }
    }

    fn finish(&mut self) {
        if self.unwritten {
            self.write_progress();
        }
    }
}

impl Json {
    fn json_of(&self, event: &RunEvent) -> Option<JsonEvent> {
        Some(match event {
            RunEvent::Progress(_) | RunEvent::OfPendingIds(_) => return None,
            RunEvent::Started { tally } => JsonEvent::Started {
                subjects: SubjectCounts::of(*tally),
            },
            RunEvent::ForecastInput(_) => JsonEvent::ForecastInput {
                finish_at: self.state.finish().map(Timestamp::rfc3339),
            },
            RunEvent::TokenFetched => JsonEvent::TokenFetched,
            RunEvent::TokensContested => JsonEvent::TokensContested,
            RunEvent::LockedOut {
                level,
                until,
                elsewhere,
            } => JsonEvent::LockedOut {
                limit: level.code(),
                until: until.rfc3339(),
                elsewhere: *elsewhere,
            },
            RunEvent::LimitLearnt { window, calls } => JsonEvent::LimitLearnt {
                window: window.name(),
                calls: *calls,
            },
            RunEvent::CounterShared => JsonEvent::CounterShared,
            RunEvent::LockoutEnded => JsonEvent::LockoutEnded,
            RunEvent::ConcurrencyReduced { calls } => {
                JsonEvent::ConcurrencyReduced { width: *calls }
            }
            RunEvent::Unreachable { trouble, until } => JsonEvent::Unreachable {
                failure: trouble.failure.to_string(),
                since: trouble.since.rfc3339(),
                until: until.rfc3339(),
            },
            RunEvent::Reconnected => JsonEvent::Reconnected,
            RunEvent::Ticket(news) => JsonEvent::ticket(news),
            RunEvent::TicketRejected => JsonEvent::TicketRejected,
            RunEvent::ClockDiffers(clock) => JsonEvent::clock(clock),
            &RunEvent::Draining { in_flight } => JsonEvent::Draining { in_flight },
            RunEvent::PassStarted { origin, subjects } => JsonEvent::pass(*origin, *subjects),
            RunEvent::RetryPassStarted => JsonEvent::RetryPassStarted,
            RunEvent::Asked(asked) => JsonEvent::asked(asked),
            RunEvent::Withdrawn(wish) => JsonEvent::Withdrawn { wish: wish.code() },
            RunEvent::PendingIdsEnded(why) => JsonEvent::PendingIdsEnded {
                ending: stop_code(why).0,
            },
        })
    }
}

fn reason(snapshot: &Snapshot) -> Option<HoldReason> {
    snapshot.hold.map(|hold| hold.reason)
}

#[derive(Serialize)]
struct JsonLine {
    #[serde(flatten)]
    event: JsonEvent,
    /// Left out for the lookups.
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum JsonEvent {
    Started {
        subjects: SubjectCounts,
    },
    Progress {
        subjects: SubjectCounts,
        left: u64,
        pass: Option<PassJson>,
        calls: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        pending_ids: Option<Box<PendingIdsJson>>,
        in_flight: usize,
        width: u16,
        calls_per_second: Option<f64>,
        finish_at: Option<String>,
        windows: Vec<WindowJson>,
        waiting: Option<WaitJson>,
    },
    #[serde(rename = "outlook")]
    ForecastInput {
        finish_at: Option<String>,
    },
    TokenFetched,
    TokensContested,
    #[serde(rename = "blocked")]
    LockedOut {
        limit: &'static str,
        until: String,
        elsewhere: bool,
    },
    LimitLearnt {
        window: &'static str,
        calls: u64,
    },
    CounterShared,
    #[serde(rename = "unblocked")]
    LockoutEnded,
    #[serde(rename = "narrowed")]
    ConcurrencyReduced {
        width: u16,
    },
    Unreachable {
        failure: String,
        since: String,
        until: String,
    },
    #[serde(rename = "reached_again")]
    Reconnected,
    Ticket {
        what: &'static str,
        until: Option<String>,
        errcode: Option<i64>,
    },
    #[serde(rename = "ticket_dead")]
    TicketRejected,
    ClockDiffers {
        seconds: u64,
        ahead: bool,
        remote: String,
    },
    Draining {
        in_flight: usize,
    },
    PassStarted {
        pass: &'static str,
        subjects: u64,
    },
    #[serde(rename = "second_try")]
    RetryPassStarted,
    Asked {
        wish: &'static str,
        number: Option<u64>,
        by: String,
        pid: u32,
        since: String,
    },
    Withdrawn {
        wish: &'static str,
    },
    PendingIdsEnded {
        ending: &'static str,
    },
    Message {
        text: String,
    },
}

impl JsonEvent {
    fn ticket(news: &TicketNews) -> Self {
        let (what, until, errcode) = ticket::code(news);
        Self::Ticket {
            what,
            until: until.map(Timestamp::rfc3339),
            errcode,
        }
    }

    const fn pass(origin: PassOrigin, subjects: u64) -> Self {
        Self::PassStarted {
            pass: origin.as_str(),
            subjects,
        }
    }

    fn clock(clock: &ClockDifference) -> Self {
        Self::ClockDiffers {
            seconds: clock.by.as_secs(),
            ahead: clock.is_ahead,
            remote: clock.remote.rfc3339(),
        }
    }

    fn progress(snapshot: &Snapshot, state: &ProgressState) -> Self {
        let per_second = state.per_second();
        let pending_ids = snapshot.pending_ids.as_ref();
        Self::Progress {
            subjects: SubjectCounts::of(snapshot.tally),
            left: snapshot.left,
            pass: snapshot.pass.map(PassJson::of),
            calls: snapshot.calls,
            pending_ids: pending_ids.map(PendingIdsJson::of).map(Box::new),
            in_flight: snapshot.in_flight,
            width: snapshot.concurrency,
            calls_per_second: per_second.map(|calls| (calls * 100.0).round() / 100.0),
            finish_at: state.finish().map(Timestamp::rfc3339),
            windows: snapshot.windows.iter().map(WindowJson::of).collect(),
            waiting: snapshot.hold.as_ref().map(WaitJson::of),
        }
    }

    fn asked(asked: &Asked) -> Self {
        Self::Asked {
            wish: asked.wish.code(),
            number: asked.wish.number(),
            by: asked.by.clone(),
            pid: asked.pid,
            since: asked.at.rfc3339(),
        }
    }
}
