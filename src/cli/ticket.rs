//! Whether to use, or to apply for, a ticket: a decision for the operator, since it can be
//! obtained only once (D96250).

use std::io::{self, BufRead, IsTerminal, Write};

use clap::ValueEnum;

use super::{Failure, say};
use crate::{
    clock::Clock,
    gate::{Fare, Gate, Outlook},
    plan,
    report::style,
    runner::{event::Halt, ticket},
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
    Halted(Box<Halt>),
    /// The API cannot be reached.
    Unreachable(CallFailure),
}

/// The job as the decision sees it.
pub(super) struct Job<'a> {
    pub(super) store: &'a Store,
    pub(super) gate: &'a Gate,
    pub(super) client: &'a Client,
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
    if job.store.application()?.is_some() {
        return Ok(false);
    }
    let now = job.clock.now();
    let outlook = Outlook {
        ledger: job.gate.ledger.clone(),
        now,
        fare: Fare::Metered,
        ticket_until: None,
        blocked_until: job.gate.block.until,
        per_second: None,
    };
    let forecast = plan::forecast(&outlook, job.queued);
    Ok(forecast.finish > now.next_natural_day())
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
