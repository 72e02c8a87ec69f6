//! When the job will be done, and whether the ticket is worth applying for. Simulates the quota
//! windows forward and sends nothing.

mod advice;
mod chart;
mod forecast;
mod ideal;
mod pending_ids;
mod render;
mod resync;
mod simulation;

use std::time::Duration;

use serde::Serialize;

pub use forecast::forecast;
pub use ideal::ideal_seconds;
pub(crate) use pending_ids::PendingIdPlan;
pub(crate) use render::render;
pub(crate) use resync::{ResyncPlan, ResyncWork};
pub use simulation::Forecast;

use crate::{
    clock::Timestamp,
    quota::{CallKind, ForecastInput},
};

/// How long a ticket is used: seven days (D96250) less the last hour.
const TICKET_USABLE: Duration = Duration::from_secs(7 * 86_400 - 3600);

/// The subjects of the inputs and the job file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct PlannedSubjects {
    /// Lines read, headers not counted.
    pub lines: u64,
    /// Lines that cannot be a subject.
    pub rejected: u64,
    /// Distinct subjects in the other lines.
    pub subjects: u64,
    /// Subjects that have an outcome already.
    pub answered: u64,
    /// Calls needed for the other subjects.
    pub calls: u64,
}

/// Both scenarios, and which one to choose. Serializes to what `plan --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Plan {
    #[serde(flatten)]
    pub subjects: PlannedSubjects,
    /// All calls without a ticket.
    pub without_ticket: Scenario,
    /// Calls with the stored ticket, or else with one applied for now; after its end without one.
    /// `None` if the only one was applied for already, and there is none.
    pub with_ticket: Option<TicketScenario>,
    /// The calls for pending_ids, if they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_ids: Option<PendingIdPlan>,
    /// What to do, and why.
    pub advice: String,
    /// The command that does it.
    #[serde(skip)]
    pub command: String,
}

/// The rest of the job without a ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scenario {
    /// From now to the last call.
    pub seconds: u64,
    /// When the last call is sent, by the wall clock, RFC 3339 at +08:00; `None` beyond the year
    /// 9999.
    pub finish: Option<String>,
    /// The window that holds calls for the longest time in total.
    pub binding: Option<&'static str>,
    /// When the month window first holds calls, in the form of `finish`; `None` if it never does.
    pub month_wall: Option<String>,
    /// The simulation it was read from, in ledger time.
    #[serde(skip)]
    pub forecast: Forecast,
}

/// The rest of the job with a ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TicketScenario {
    /// From now to the last call.
    pub seconds: u64,
    /// When the last call is sent, as in [`Scenario`].
    pub finish: Option<String>,
    /// Whether all calls are sent before the ticket expires.
    pub fits: bool,
    /// Calls left when it expires.
    pub left_over: u64,
    /// From now until the ticket expires; `None` if that is not known.
    #[serde(skip)]
    pub usable_seconds: Option<u64>,
    /// The simulation it was read from, in ledger time.
    #[serde(skip)]
    pub forecast: Forecast,
}

impl Plan {
    /// Simulates both scenarios. `wall` is the wall-clock time of `input.now`; `inputs` are the
    /// arguments that name the inputs, as they are typed after `idferry run`.
    ///
    /// An input of calls with a ticket means that a valid ticket is stored; `is_spent`, that no other
    /// can be had.
    pub(crate) fn compute(
        subjects: PlannedSubjects,
        input: &ForecastInput,
        is_spent: bool,
        wall: Timestamp,
        inputs: &str,
    ) -> Self {
        let stored = input.kind == CallKind::WithTicket;
        let without_ticket = Scenario::without_ticket(input, wall, subjects.calls);
        let with_ticket =
            (stored || !is_spent).then(|| TicketScenario::with_ticket(input, wall, subjects.calls));
        let advice = advice::advise(
            subjects.calls,
            &without_ticket,
            with_ticket.as_ref(),
            stored,
        );
        Self {
            subjects,
            without_ticket,
            with_ticket,
            pending_ids: None,
            advice: advice.sentences,
            command: advice.step.command(inputs),
        }
    }
}

impl Plan {
    /// The same with calls for pending_ids.
    pub(crate) fn with_pending_ids(mut self, pending_ids: Option<PendingIdPlan>) -> Self {
        self.pending_ids = pending_ids;
        self
    }
}

impl Scenario {
    fn without_ticket(input: &ForecastInput, wall: Timestamp, calls: u64) -> Self {
        let mut input = input.clone();
        input.kind = CallKind::Standard;
        input.ticket_until = None;
        let forecast = forecast(&input, calls);
        let month_wall = forecast.month_wall;
        Self {
            seconds: forecast.seconds,
            finish: to_wall_time(forecast.finish, input.now, wall),
            binding: forecast.binding.map(crate::model::QuotaWindow::name),
            month_wall: month_wall.and_then(|at| to_wall_time(at, input.now, wall)),
            forecast,
        }
    }
}

impl TicketScenario {
    fn with_ticket(input: &ForecastInput, wall: Timestamp, calls: u64) -> Self {
        let mut input = input.clone();
        if input.kind == CallKind::Standard {
            input.ticket_until = Some(input.now.plus(TICKET_USABLE));
        }
        input.kind = CallKind::WithTicket;
        let forecast = forecast(&input, calls);
        let until = input.ticket_until;
        let left_over = forecast.left_at_ticket_end.unwrap_or(0);
        Self {
            seconds: forecast.seconds,
            finish: to_wall_time(forecast.finish, input.now, wall),
            fits: left_over == 0 && forecast.finish < Timestamp::MAX,
            left_over,
            usable_seconds: until.map(|until| until.since(input.now).as_secs()),
            forecast,
        }
    }
}

/// Returns the wall-clock time of `at`, which is ledger time as `now` is; `None` beyond the year
/// 9999.
fn to_wall_time(at: Timestamp, now: Timestamp, wall: Timestamp) -> Option<String> {
    const YEAR_9999: i64 = 253_370_000_000_000;
    let millis = at.as_millis().saturating_sub(now.as_millis());
    let at = wall.as_millis().saturating_add(millis);
    (at < YEAR_9999).then(|| Timestamp::from_millis(at).rfc3339())
}
