//! When will it be done, and is the ticket worth it? Plays the quota windows forward, sends
//! nothing.

mod advice;
mod chart;
mod forecast;
mod ideal;
mod render;
mod simulation;

use std::time::Duration;

use serde::Serialize;

pub use chart::{Series, chart};
pub use forecast::forecast;
pub use ideal::ideal_seconds;
pub use render::render;
pub use simulation::Forecast;

use crate::{
    clock::Timestamp,
    quota::{CallKind, ForecastInput},
};

/// A ticket lives seven days (D96250) and is laid down an hour early.
pub const TICKET_USABLE: Duration = Duration::from_secs(7 * 86_400 - 3600);

/// What the inputs and the state file hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlannedSubjects {
    /// Lines read, headers not counted.
    pub lines: u64,
    /// Lines that cannot be a subject.
    pub rejected: u64,
    /// Distinct subjects in the other ones.
    pub subjects: u64,
    /// Subjects that have an outcome already.
    pub answered: u64,
    /// Calls needed for the others.
    pub calls: u64,
}

/// Both roads from here, and which one to take. Serialises to what `plan --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Lines read.
    pub lines: u64,
    /// Lines that cannot be a subject.
    pub rejected: u64,
    /// Distinct subjects.
    pub subjects: u64,
    /// Those that have an outcome already.
    pub answered: u64,
    /// Calls needed.
    pub calls: u64,
    /// All calls metered.
    pub without_ticket: Scenario,
    /// Calls with the stored ticket or else with one applied for now, metered after its end.
    pub with_ticket: TicketScenario,
    /// What to do, and why.
    pub advice: String,
    /// The command that does it.
    #[serde(skip)]
    pub command: String,
}

/// The way without a ticket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scenario {
    /// From now to the last call.
    pub seconds: u64,
    /// When the last call leaves, RFC 3339 at +08:00 on the wall; `None` if no calendar holds it.
    pub finish: Option<String>,
    /// The window that holds longest.
    pub binding: Option<&'static str>,
    /// When the month window holds first, as `finish`; `None` if it does not.
    pub month_wall: Option<String>,
    /// The simulation it was read from, in ledger time.
    #[serde(skip)]
    pub forecast: Forecast,
}

/// The way with one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketScenario {
    /// From now to the last call.
    pub seconds: u64,
    /// When the last call leaves, as in [`Scenario`].
    pub finish: Option<String>,
    /// Whether all is done before the ticket is laid down.
    pub fits: bool,
    /// Calls left when it is.
    pub left_over: u64,
    /// From now till the ticket is laid down; `None` for one whose end is not known.
    #[serde(skip)]
    pub usable_seconds: Option<u64>,
    /// The simulation it was read from, in ledger time.
    #[serde(skip)]
    pub forecast: Forecast,
}

impl Plan {
    /// Plays both roads. `wall` is what people's clocks show at `outlook.now`; `inputs` are the
    /// arguments that name the inputs, as they are typed after `idferry run`.
    ///
    /// An outlook of calls with a ticket means that a valid ticket is stored.
    #[must_use]
    pub fn draw(
        tally: PlannedSubjects,
        outlook: &ForecastInput,
        wall: Timestamp,
        inputs: &str,
    ) -> Self {
        let stored = outlook.kind == CallKind::WithTicket;
        let without_ticket = Scenario::without_ticket(outlook, wall, tally.calls);
        let with_ticket = TicketScenario::with_ticket(outlook, wall, tally.calls);
        let advice = advice::advise(tally.calls, &without_ticket, &with_ticket, stored);
        Self {
            lines: tally.lines,
            rejected: tally.rejected,
            subjects: tally.subjects,
            answered: tally.answered,
            calls: tally.calls,
            without_ticket,
            with_ticket,
            advice: advice.sentences,
            command: advice.step.command(inputs),
        }
    }
}

impl Scenario {
    fn without_ticket(outlook: &ForecastInput, wall: Timestamp, calls: u64) -> Self {
        let mut outlook = outlook.clone();
        outlook.kind = CallKind::Standard;
        outlook.ticket_until = None;
        let forecast = forecast(&outlook, calls);
        let month_wall = forecast.month_wall;
        Self {
            seconds: forecast.seconds,
            finish: to_wall_time(forecast.finish, outlook.now, wall),
            binding: forecast.binding.map(crate::model::QuotaWindow::name),
            month_wall: month_wall.and_then(|at| to_wall_time(at, outlook.now, wall)),
            forecast,
        }
    }
}

impl TicketScenario {
    fn with_ticket(outlook: &ForecastInput, wall: Timestamp, calls: u64) -> Self {
        let mut outlook = outlook.clone();
        if outlook.kind == CallKind::Standard {
            outlook.ticket_until = Some(outlook.now.plus(TICKET_USABLE));
        }
        outlook.kind = CallKind::WithTicket;
        let forecast = forecast(&outlook, calls);
        let until = outlook.ticket_until;
        let left_over = forecast.left_at_ticket_end.unwrap_or(0);
        Self {
            seconds: forecast.seconds,
            finish: to_wall_time(forecast.finish, outlook.now, wall),
            fits: left_over == 0 && forecast.finish < Timestamp::MAX,
            left_over,
            usable_seconds: until.map(|until| until.since(outlook.now).as_secs()),
            forecast,
        }
    }
}

/// The books' `at` on the wall, if a calendar of four-digit years holds it.
fn to_wall_time(at: Timestamp, now: Timestamp, wall: Timestamp) -> Option<String> {
    const YEAR_9999: i64 = 253_370_000_000_000;
    let millis = at.as_millis().saturating_sub(now.as_millis());
    let at = wall.as_millis().saturating_add(millis);
    (at < YEAR_9999).then(|| Timestamp::from_millis(at).rfc3339())
}
