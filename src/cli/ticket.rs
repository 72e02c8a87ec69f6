//! Whether to use, or to apply for, a ticket: a decision for the operator, since it can be
//! obtained only once (D96250).

use std::io::{self, BufRead, IsTerminal, Write};

use clap::ValueEnum;

use super::{Failure, say, signals::Signals};
use crate::{
    clock::{Clock, Timestamp},
    gate::Ledger,
    model::QuotaWindow,
    report::style,
    runner::{event::FatalRefusal, ticket},
    store::Store,
    wecom::{Client, Ticket, Token, transport::Failure as CallFailure},
};

/// `--ticket`
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq, Default)]
pub(super) enum Policy {
    /// A stored one; apply only if today's quota cannot finish the job and the operator agrees.
    #[default]
    Auto,
    /// A stored one, else apply: consent is given.
    Apply,
    /// A stored one; never apply.
    Stored,
    /// Never send one.
    None,
}

impl std::str::FromStr for Policy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(word, false)
    }
}

/// How the operator agrees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    /// `--yes`, or a sandbox.
    Given,
    /// Asked at the terminal.
    Ask,
}

/// What the ticket stage came to.
pub(super) enum Stage {
    /// Go on, with a ticket or without.
    GoOn(Option<Ticket>, Option<Token>),
    /// The API refuses.
    Halted(Box<FatalRefusal>),
    /// The API cannot be reached.
    Unreachable(CallFailure),
}

/// The job as the decision sees it.
pub(super) struct Job<'a> {
    pub(super) store: &'a Store,
    pub(super) ledger: &'a Ledger,
    /// The time of the books.
    pub(super) now: Timestamp,
    pub(super) client: &'a Client,
    pub(super) signals: &'a Signals,
    pub(super) clock: Clock,
    pub(super) queued: u64,
}

/// The ticket to run with.
pub(super) async fn choose(
    policy: Policy,
    consent: Consent,
    job: Job<'_>,
) -> Result<Stage, Failure> {
    if policy == Policy::None {
        return Ok(Stage::GoOn(None, None));
    }
    if let Some(ticket) = ticket::stored(job.store, job.clock)? {
        return Ok(Stage::GoOn(Some(ticket), None));
    }
    let apply = match policy {
        Policy::Apply => true,
        Policy::Auto => is_wanted(&job)? && agrees(consent),
        Policy::Stored | Policy::None => false,
    };
    if !apply {
        return Ok(Stage::GoOn(None, None));
    }
    // From here an answer is awaited that comes only once.
    job.signals.drain();
    let applied = ticket::apply(job.store, job.client, job.clock).await?;
    Ok(match applied {
        ticket::Applied::Ticket(ticket, token) => {
            let until = style::moment(ticket.usable_until(), job.clock.now());
            say(&format!(
                "mass_call_ticket (大批量调用凭据) obtained and stored; used until {until}"
            ));
            Stage::GoOn(Some(ticket), Some(token))
        }
        ticket::Applied::Refused(halt) => Stage::Halted(halt),
        ticket::Applied::Unreachable(failure) => Stage::Unreachable(failure),
        ticket::Applied::Unanswered(failure) => {
            say(&format!(
                "the application for a mass_call_ticket (大批量调用凭据) was not answered ({failure}); \
                 the one chance may be used up, so it is not repeated. Going on without; \
                 --ticket apply tries once more"
            ));
            Stage::GoOn(None, None)
        }
    })
}

/// `auto` applies at most once, and only for a job that today's quota cannot finish.
fn is_wanted(job: &Job<'_>) -> Result<bool, Failure> {
    if job.store.tickets().latest_application()?.is_some() {
        return Ok(false);
    }
    Ok(job.queued > room_today(job.ledger, job.now))
}

/// How many calls today's quota still bears without a ticket: what is left of the day and of the
/// month. The hour is no measure; it comes again today.
fn room_today(ledger: &Ledger, now: Timestamp) -> u64 {
    let mut ledger = ledger.clone();
    let limits = ledger.limits();
    let rooms = [QuotaWindow::BusinessDay, QuotaWindow::BusinessMonth].map(|span| {
        let used = ledger.used(now, span);
        limits
            .of(span)
            .map_or(u64::MAX, |limit| limit.saturating_sub(used))
    });
    rooms.into_iter().min().unwrap_or(u64::MAX)
}

fn agrees(consent: Consent) -> bool {
    const QUESTION: &str = "Today's quota cannot finish this job. A mass_call_ticket \
        (大批量调用凭据) lifts the hour, day and month limits for seven days; a corp gets one once, \
        within three months of authorisation (D96250).";
    if consent == Consent::Given {
        return true;
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        say(&format!(
            "{QUESTION} Not applied for: --ticket apply or --yes gives consent."
        ));
        return false;
    }
    say(QUESTION);
    let _ = write!(io::stderr(), "Apply for it now? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "是")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::CallKind;
    use crate::model::{Limits, WindowKind};

    #[test]
    fn a_short_job_before_midnight_is_no_reason_to_spend_the_ticket() {
        let now = Timestamp::parse("2026-11-22T23:50:00+08:00").unwrap();
        let mut ledger = Ledger::new(Limits::published(), WindowKind::Sliding);
        assert_eq!(room_today(&ledger, now), 480_000);
        ledger.land_many(now, CallKind::Standard, 400_000);
        assert_eq!(room_today(&ledger, now), 80_000);
        // What was used yesterday at this time is free again.
        let tomorrow = now.plus(std::time::Duration::from_secs(25 * 3600));
        assert_eq!(room_today(&ledger, tomorrow), 480_000);
        assert_eq!(
            room_today(&Ledger::new(Limits::none(), WindowKind::Sliding), now),
            u64::MAX
        );
    }

    #[test]
    fn the_month_counts_where_it_is_the_narrower() {
        let now = Timestamp::parse("2026-11-22T09:00:00+08:00").unwrap();
        let mut ledger = Ledger::new(Limits::published(), WindowKind::Sliding);
        ledger.land_many(now, CallKind::Standard, 7_400_000);
        let later = now.plus(std::time::Duration::from_secs(3 * 86_400));
        assert_eq!(room_today(&ledger, later), 100_000);
    }
}
