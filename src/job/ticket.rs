//! Whether to use, or to apply for, a ticket: a decision for the operator, since a corp can
//! obtain one only once (D96250).

use super::{
    error::Error,
    operator::{Operator, TicketNotice},
};
use crate::{
    clock::{Clock, Timestamp},
    ledger::Tickets,
    model::QuotaWindow,
    quota::Account,
    runner::{
        event::{FatalRefusal, StopReason},
        ticket,
    },
    wecom::{Client, Ticket, Token, transport::Failure},
};

/// When a ticket is used and applied for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TicketPolicy {
    /// Use a stored one; apply if today's quota cannot finish the job and the operator agrees.
    #[default]
    Auto,
    /// Use a stored one, else apply: consent is given.
    Apply,
    /// As [`Apply`](Self::Apply), unless an application is on record; a refusal means going on
    /// without a ticket. For rehearsals, whose process dies and resumes by itself.
    ApplyOnce,
    /// Use a stored one; never apply.
    Stored,
    /// Never send one.
    None,
}

/// What the ticket stage decides.
pub(super) enum TicketDecision {
    /// Run with this ticket and this token, or without.
    Proceed(Option<Ticket>, Option<Token>),
    /// The API refuses.
    Refused(Box<FatalRefusal>),
    /// The API cannot be reached.
    Unreachable(Failure),
}

impl TicketDecision {
    /// The ticket and the token to begin with, or the reason to stop before the first call.
    pub(super) fn or_stop(self) -> Result<(Option<Ticket>, Option<Token>), StopReason> {
        match self {
            Self::Proceed(ticket, token) => Ok((ticket, token)),
            Self::Refused(refusal) => Err(StopReason::Refused(*refusal)),
            Self::Unreachable(failure) => Err(StopReason::never_reached(failure)),
        }
    }
}

/// What the decision rests on.
pub(super) struct TicketContext<'a> {
    pub(super) tickets: &'a Tickets<'a>,
    pub(super) account: &'a Account,
    /// The time in the ledger.
    pub(super) now: Timestamp,
    pub(super) client: &'a Client,
    pub(super) clock: Clock,
    /// Subjects to look up.
    pub(super) queued: u64,
}

/// Returns the ticket to run with.
pub(super) async fn choose(
    policy: TicketPolicy,
    context: TicketContext<'_>,
    operator: &mut dyn Operator,
) -> Result<TicketDecision, Error> {
    if policy == TicketPolicy::None {
        return Ok(TicketDecision::Proceed(None, None));
    }
    if let Some(ticket) = ticket::stored(context.tickets, context.clock)? {
        return Ok(TicketDecision::Proceed(Some(ticket), None));
    }
    let apply = match policy {
        TicketPolicy::Apply => true,
        TicketPolicy::ApplyOnce => context.tickets.latest_application()?.is_none(),
        TicketPolicy::Auto => is_wanted(&context)? && operator.agrees_to_apply(),
        TicketPolicy::Stored | TicketPolicy::None => false,
    };
    if !apply {
        return Ok(TicketDecision::Proceed(None, None));
    }
    let decision = apply_now(&context, operator).await?;
    if policy == TicketPolicy::ApplyOnce && !matches!(decision, TicketDecision::Proceed(..)) {
        return Ok(TicketDecision::Proceed(None, None));
    }
    Ok(decision)
}

async fn apply_now(
    context: &TicketContext<'_>,
    operator: &mut dyn Operator,
) -> Result<TicketDecision, Error> {
    // From here a reply is awaited that comes only once.
    operator.calls_started();
    let applied = ticket::apply(context.tickets, context.client, context.clock).await?;
    Ok(match applied {
        ticket::Applied::Ticket(ticket, token) => {
            operator.ticket(&TicketNotice::Obtained {
                until: ticket.usable_until(),
                now: context.clock.now(),
            });
            TicketDecision::Proceed(Some(ticket), Some(token))
        }
        ticket::Applied::Refused(refusal) => TicketDecision::Refused(refusal),
        ticket::Applied::Unreachable(failure) => TicketDecision::Unreachable(failure),
        ticket::Applied::Unanswered(failure) => {
            operator.ticket(&TicketNotice::Unanswered(failure));
            TicketDecision::Proceed(None, None)
        }
    })
}

/// Whether a ticket is worth asking the operator for: none was ever applied for, and today's
/// quota cannot finish the job.
fn is_wanted(context: &TicketContext<'_>) -> Result<bool, Error> {
    if context.tickets.latest_application()?.is_some() {
        return Ok(false);
    }
    Ok(context.queued > room_today(context.account, context.now))
}

/// Calls that the windows of a day and of a month still allow without a ticket. The hour is no
/// measure: it comes again today.
fn room_today(account: &Account, now: Timestamp) -> u64 {
    let mut account = account.clone();
    let limits = account.limits();
    let rooms = [QuotaWindow::BusinessDay, QuotaWindow::BusinessMonth].map(|window| {
        let used = account.used(now, window);
        limits
            .of(window)
            .map_or(u64::MAX, |limit| limit.saturating_sub(used))
    });
    rooms.into_iter().min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Limits, WindowKind};
    use crate::quota::CallKind;

    #[test]
    fn short_job_before_midnight_does_not_need_the_ticket() {
        let now = Timestamp::parse("2026-11-22T23:50:00+08:00").unwrap();
        let mut account = Account::new(Limits::published(), WindowKind::Sliding);
        assert_eq!(room_today(&account, now), 480_000);
        account.complete_many(now, CallKind::Standard, 400_000);
        assert_eq!(room_today(&account, now), 80_000);
        // What was used yesterday at this time is free again.
        let tomorrow = now.plus(std::time::Duration::from_secs(25 * 3600));
        assert_eq!(room_today(&account, tomorrow), 480_000);
        assert_eq!(
            room_today(&Account::new(Limits::none(), WindowKind::Sliding), now),
            u64::MAX
        );
    }

    #[test]
    fn month_counts_if_it_has_less_room_than_the_day() {
        let now = Timestamp::parse("2026-11-22T09:00:00+08:00").unwrap();
        let mut account = Account::new(Limits::published(), WindowKind::Sliding);
        account.complete_many(now, CallKind::Standard, 7_400_000);
        let later = now.plus(std::time::Duration::from_secs(3 * 86_400));
        assert_eq!(room_today(&account, later), 100_000);
    }
}
