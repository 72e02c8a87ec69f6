//! The sentences: one for each event, reason to stop and import.

use super::{
    Asked, Entry, Failure, HoldReason, LockoutLevel, PassOrigin, RunEvent, Snapshot, Waiting,
    WindowUse, Wish, next_steps, style::printable, ticket,
};
use crate::{
    clock::Timestamp,
    format::{count, counted, duration, moment, moment_and_wait, share_of},
    job::ImportedInput,
    model::{Period, State},
    runner::event::{BreakerTrip, ClockDifference, FatalRefusal, RunReport, StopReason},
};

/// What a refusal far below every limit of the ledger means, and what to do.
pub(super) const ELSEWHERE: &str = "the ledger is far below every limit: another program uses this \
     corp's quota (`idferry quota note`, `--reserve`), or the limits are lower than published";

/// What a window's use must reach to be worth showing.
const WORTH_SHOWING: f64 = 0.5;

pub(crate) use super::next_steps::RESUME;

/// The end of a pause.
pub(super) const RESUMES_BY_COMMAND: &str = "`idferry resume` lets it continue";

pub(super) const TOKENS_REFUSED: &str =
    "Halted: the API issues access tokens and then refuses every one of them.";

const TOKENS_CONTESTED: &str = "access tokens end early again and again: another program probably \
    fetches tokens of this app. They are fetched less often and few calls are risked with each; give \
    that program an app of its own";

const TICKET_REJECTED: &str = "the ticket no longer works: business limits apply from here";

/// Whether people are told of an event at once.
pub(super) fn is_notable(event: &RunEvent) -> bool {
    if let RunEvent::OfPendingIds(event) = event {
        return is_notable(event);
    }
    !matches!(
        event,
        RunEvent::Started { .. }
            | RunEvent::Progress(_)
            | RunEvent::ForecastInput(_)
            | RunEvent::TokenFetched
            | RunEvent::ConcurrencyReduced { .. }
    )
}

/// The sentence of an event that is heard at `now`; `None` for those that carry only numbers.
pub(super) fn sentence(event: &RunEvent, now: Option<Timestamp>) -> Option<String> {
    let when = |at: Timestamp| match now {
        Some(now) => moment_and_wait(at, now),
        None => at.to_string(),
    };
    let sentence = match event {
        RunEvent::Progress(_) | RunEvent::ForecastInput(_) => return None,
        RunEvent::Started { tally } => {
            format!("the run starts, {}", counted(tally.total(), "subject"))
        }
        RunEvent::TokenFetched => "access token fetched".into(),
        RunEvent::TokensContested => TOKENS_CONTESTED.into(),
        RunEvent::LockedOut {
            level,
            until,
            elsewhere,
        } => {
            let why = if *elsewhere {
                format!("; {ELSEWHERE}")
            } else {
                String::new()
            };
            format!("{}: one probe at {}{why}", lockout(*level), when(*until))
        }
        RunEvent::LimitLearnt { window, calls } => {
            let calls = counted(*calls, "call");
            format!("the API allows {calls} in {window}, fewer than published: kept from here on")
        }
        RunEvent::CounterShared => next_steps::COUNTER_SHARED.into(),
        RunEvent::LockoutEnded => "the lockout is over: the probe was answered".into(),
        RunEvent::ConcurrencyReduced { calls } => {
            format!("at most {} in flight", counted(u64::from(*calls), "call"))
        }
        RunEvent::Unreachable { trouble, until } => {
            format!("{trouble}, next try at {}", when(*until))
        }
        RunEvent::Reconnected => "the API answers again".into(),
        RunEvent::Ticket(news) => ticket::news(news, when),
        RunEvent::TicketRejected => TICKET_REJECTED.into(),
        RunEvent::ClockDiffers(clock) => clock_differs(clock),
        RunEvent::Draining { in_flight } => draining(*in_flight),
        RunEvent::PassStarted { origin, subjects } => pass_started(*origin, *subjects),
        RunEvent::RetryPassStarted => "retrying the parked subjects".into(),
        RunEvent::Asked(asked) => wish(asked, now),
        RunEvent::Withdrawn(wish) => withdrawn(*wish).into(),
        RunEvent::OfPendingIds(event) => format!("pending ids: {}", sentence(event, now)?),
        RunEvent::PendingIdsEnded(reason) => pending_ids_ended(reason),
    };
    Some(sentence)
}

/// Why no more pending_ids are asked for while the lookups continue.
fn pending_ids_ended(reason: &StopReason) -> String {
    let why = match reason {
        StopReason::Refused(refusal) => refused(refusal, None),
        StopReason::NotTheApi(failure) => unreachable(failure),
        StopReason::Breaker(trip) => {
            let BreakerTrip {
                errors, answers, ..
            } = trip;
            format!("{errors} of the last {answers} answers were errors")
        }
        _ => "they are stopped".to_owned(),
    };
    format!("pending ids: no more are asked for, {why}; the lookups continue")
}

fn pass_started(origin: PassOrigin, subjects: u64) -> String {
    let subjects = counted(subjects, "subject");
    match origin {
        PassOrigin::Retry => format!("asking {subjects} again, as `idferry retry` wanted"),
        origin if origin.is_drawn() => format!("asking {subjects} drawn at random"),
        origin => format!("asking {subjects} again that were {}", origin.as_str()),
    }
}

/// What a wall clock that differs from the API's means.
pub(super) fn clock_differs(clock: &ClockDifference) -> String {
    let by = duration(clock.by);
    let side = if clock.is_ahead { "ahead of" } else { "behind" };
    format!(
        "this machine's clock is {by} {side} the API's: times shown here are wrong by that, and the \
         quota is counted by the API's clock; set it by NTP"
    )
}

/// `alice@host (pid 7) asked at 12:03:10: pause, nothing is sent until idferry resume`
pub(super) fn wish(asked: &Asked, now: Option<Timestamp>) -> String {
    let at = now.map_or_else(|| asked.at.to_string(), |now| moment(asked.at, now));
    let asker = asker(&asked.by, asked.pid);
    format!("{asker} asked at {at}: {}", wish_meaning(asked.wish))
}

/// `alice@host (pid 7)`
pub(super) fn asker(by: &str, pid: u32) -> String {
    format!("{by} (pid {pid})")
}

pub(super) fn wish_meaning(wish: Wish) -> String {
    match wish {
        Wish::Pause => "pause, nothing is sent until `idferry resume`".into(),
        Wish::Rate(calls) => format!("at most {} a minute", counted(calls, "call")),
        Wish::Concurrency(calls) => {
            format!("at most {} in flight", counted(u64::from(calls), "call"))
        }
        Wish::Stop => "stop".into(),
    }
}

const fn withdrawn(wish: Wish) -> &'static str {
    match wish {
        Wish::Pause => "the pause is over",
        Wish::Rate(_) => "the rate is no longer throttled",
        Wish::Concurrency(_) => "the number of calls in flight is no longer throttled",
        Wish::Stop => "the stop is withdrawn",
    }
}

/// The sentence of a stop: no new calls, those in flight are awaited.
pub(super) fn draining(in_flight: usize) -> String {
    let calls = counted(in_flight as u64, "call");
    format!("stopping: no new calls, waiting for {calls} in flight")
}

/// `blocked by the API (45009 接口调用超过限制), taken for the hour limit`
pub(super) fn lockout(level: LockoutLevel) -> String {
    let limit = level.name();
    format!("{}, taken for the {limit} limit", HoldReason::Lockout)
}

/// `waiting: business.hour is used up, resumes at 12:41:02 (in 30 min 31 s)`, with `between`
/// instead of the comma.
pub(crate) fn waiting(wait: &Waiting, now: Timestamp, between: &str) -> String {
    let end = match wait.reason {
        HoldReason::Paused(_) => RESUMES_BY_COMMAND.to_owned(),
        _ => wait_end(wait.until.map(|until| moment_and_wait(until, now))),
    };
    format!("waiting: {}{between}{end}", wait.reason)
}

/// `resumes at 12:41:02`, for a wait whose end is known or not.
pub(super) fn wait_end(until: Option<String>) -> String {
    until.map_or_else(
        || "resumes when a call completes".to_owned(),
        |until| format!("resumes at {until}"),
    )
}

/// The windows worth showing: the one that holds, and those at least half full.
pub(super) fn worth_showing(snapshot: &Snapshot) -> impl Iterator<Item = &WindowUse> {
    let holding = snapshot.hold.and_then(|hold| hold.reason.window());
    snapshot.windows.iter().filter(move |window| {
        holding == Some(window.window) || share_of(window.used, window.limit) >= WORTH_SHOWING
    })
}

/// The one of them to name if there is room for one: the fullest, and of equals the longest. The
/// minute's fills and empties all the time, so it is named only if no other is.
pub(super) fn tightest(snapshot: &Snapshot) -> Option<&WindowUse> {
    worth_showing(snapshot).max_by(|one, other| {
        let rank = |window: &WindowUse| {
            let lasting = window.window.period() != Period::Minute;
            (lasting, share_of(window.used, window.limit))
        };
        let ((lasting, share), (others_lasting, others)) = (rank(one), rank(other));
        lasting
            .cmp(&others_lasting)
            .then(share.total_cmp(&others))
            .then(one.window.cmp(&other.window))
    })
}

/// `98,000 of 98,000 business.hour`
pub(super) fn window(window: &WindowUse) -> String {
    let (used, limit) = (count(window.used), count(window.limit));
    format!("{used} of {limit} {}", window.window)
}

/// `errcode 60020 不安全的访问IP (not allowed to access from your IP)`
pub(super) fn errcode(code: i64, entry: &Entry) -> String {
    let Entry {
        chinese, meaning, ..
    } = entry;
    let space = if chinese.is_empty() { "" } else { " " };
    format!("errcode {code}{space}{chinese} ({meaning})")
}

/// What is known of a run that stopped.
pub(super) struct StopContext<'a> {
    pub(super) report: &'a RunReport,
    /// Lines of the inputs that cannot be subjects.
    pub(super) invalid_lines: u64,
    pub(super) now: Timestamp,
    /// When the quota has room again; `None` for now.
    pub(super) room_at: Option<Timestamp>,
    pub(super) address: &'a str,
    pub(super) lookup: fn(i64) -> &'static Entry,
}

/// What is said of a run that stopped.
pub(super) struct StopWords {
    pub(super) headline: String,
    /// What to do next, a sentence each.
    pub(super) next: Vec<String>,
}

/// The words for the reason why a run stopped.
pub(super) fn stop_words(context: &StopContext<'_>) -> StopWords {
    let left = format!("{} left", counted(context.report.left, "subject"));
    let words = |headline, next| StopWords { headline, next };
    let stopped = |why: String, next: String| words(format!("Stopped: {why}, {left}."), vec![next]);
    let come_back =
        |until: Option<Timestamp>| next_steps::come_back(until.or(context.room_at), context.now);
    match &context.report.reason {
        StopReason::Finished => words(finished(context), Vec::new()),
        StopReason::Quota(wait) => stopped(wait.reason.to_string(), come_back(wait.until)),
        StopReason::Budget => stopped("the budget of calls is used up".into(), come_back(None)),
        StopReason::Time => stopped("the time is up".into(), come_back(None)),
        StopReason::Asked(by) => stopped(
            format!("{} asked for it", asker(&by.by, by.pid)),
            come_back(None),
        ),
        StopReason::Interrupted => words(
            format!("Interrupted: every answer is saved, {left}."),
            vec![RESUME.into()],
        ),
        reason @ (StopReason::Unreachable(failure) | StopReason::NotTheApi(failure)) => {
            let passes = matches!(reason, StopReason::Unreachable(_));
            let verb = if passes { "Stopped" } else { "Halted" };
            let next = next_steps::unreachable(failure, context.address);
            let headline = format!("{verb}: {}, {left}.", unreachable(failure));
            let when = if passes { next_steps::IN_A_WHILE } else { "" };
            words(headline, vec![next, format!("then{when} {RESUME}")])
        }
        StopReason::Refused(refusal) => words(
            format!("Halted: {}.", refused(refusal, Some(context.now))),
            then_resume(next_steps::after_refusal(refusal)),
        ),
        StopReason::TokensRefused => StopWords {
            headline: TOKENS_REFUSED.into(),
            next: then_resume(vec![next_steps::CHECK_SECRET.into()]),
        },
        StopReason::JobFileMoved(path) => words(
            format!(
                "Halted: the job file {} was deleted, moved or replaced under the run, {left}.",
                path.display()
            ),
            vec![next_steps::PUT_BACK.into()],
        ),
        StopReason::Breaker(trip) => words(
            format!("Halted: {}, {left}.", tripped(trip, context.lookup)),
            vec![
                next_steps::CHECK_INPUT.into(),
                format!("with the input corrected, {RESUME}"),
            ],
        ),
    }
}

fn then_resume(mut steps: Vec<String>) -> Vec<String> {
    steps.push(format!("then {RESUME}"));
    steps
}

pub(super) fn refused(refusal: &FatalRefusal, now: Option<Timestamp>) -> String {
    let code = errcode(refusal.errcode, refusal.entry);
    let mut text = format!("the API refused {} with {code}", refusal.call);
    if let Some((at, until)) = refusal.remembered {
        let shown = |at| now.map_or_else(|| Timestamp::to_string(&at), |now| moment(at, now));
        let (at, until) = (shown(at), shown(until));
        text += &format!(
            " at {at}; the same secret is not tried again before {until}, as repeating a wrong one \
             gets the address banned for an hour (D90313)"
        );
    }
    text
}

fn unreachable(failure: &Failure) -> String {
    format!("{} ({failure})", failure.headline())
}

fn finished(context: &StopContext<'_>) -> String {
    let tally = &context.report.tally;
    let mut exceptions = Vec::new();
    for state in [State::Rejected, State::Parked] {
        match tally.of(state) {
            0 => {}
            subjects => exceptions.push(format!("{} {state}", counted(subjects, "subject"))),
        }
    }
    if context.invalid_lines > 0 {
        let lines = counted(context.invalid_lines, "input line");
        exceptions.push(format!("{lines} invalid"));
    }
    if tally.of(State::Queued) > 0 {
        "Finished: those drawn are asked, the others are not yet.".into()
    } else if tally.total() == 0 {
        "Finished: there was nothing to look up.".into()
    } else if exceptions.is_empty() {
        "Finished: every subject is answered.".into()
    } else {
        format!("Finished, but {}.", exceptions.join(", "))
    }
}

fn tripped(trip: &BreakerTrip, lookup: fn(i64) -> &'static Entry) -> String {
    let (mostly, times) = trip.mostly;
    let mostly = match mostly {
        Some(code) => errcode(code, lookup(code)),
        None => "no readable reply".into(),
    };
    format!(
        "{} of the last {} answers were errors, {times} of them {mostly}",
        trip.errors, trip.answers
    )
}

/// What is said of an input that was imported, a line each.
pub(crate) fn imported(input: &ImportedInput) -> Vec<String> {
    let name = &*printable(&input.name);
    let Some(lines) = &input.lines else {
        return vec![format!("{name}: already imported")];
    };
    let mut counts = vec![
        counted(lines.read, "line"),
        counted(lines.new, "new subject"),
    ];
    for (number, what) in [(lines.repeated, "repeated"), (lines.invalid, "invalid")] {
        if number > 0 {
            counts.push(format!("{} {what}", count(number)));
        }
    }
    let mut said = vec![format!("{name}: {}", counts.join(", "))];
    if let Some(first) = lines.unusual.first_line {
        let rows = counted(lines.unusual.rows, "row");
        said.push(format!(
            "{name}: {rows} with ids of unusual length (28 or 29 characters are usual), the first \
             in line {first}; they are looked up all the same"
        ));
    }
    said
}
