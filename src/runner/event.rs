//! What happens in a run, as events of the job, not drawing commands.
//!
//! Times are wall time, for people.

use std::{path::PathBuf, time::Duration};

use crate::{clock::Timestamp, model::Tally, store::Pass};

// What events carry belongs to them: a listener needs no other module.
pub use crate::{
    gate::WindowUse,
    ledger::TicketState,
    model::{Failure, NoConnection, QuotaWindow},
    quota::{ForecastInput, HoldReason, LockoutLevel, Trouble},
    store::{Asked, Wish, Wishes},
    store::{ContactCounts, PassOrigin},
    wecom::errcode::Entry,
};

/// One thing that happened.
pub enum RunEvent {
    /// The run begins.
    Started {
        /// The subjects at that moment.
        tally: Tally,
    },
    /// How it stands: at most ten times a second, and whenever the reason for waiting changes.
    Progress(Snapshot),
    /// What the forecast needs; at the start, once a minute and when the reason for waiting
    /// changes, right after the [`Progress`](Self::Progress) it goes with.
    ForecastInput(Box<ForecastInput>),
    /// An access token was fetched.
    TokenFetched,
    /// Tokens end early again and again: somebody else fetches tokens of the same app.
    TokensContested,
    /// The remote answered 45009 and is left alone for a while.
    LockedOut {
        /// The limit that it is taken for.
        level: LockoutLevel,
        /// When one probe may be sent.
        until: Timestamp,
        /// The ledger is far below every limit: others use the corp's quota, or the limits are lower
        /// than published.
        elsewhere: bool,
    },
    /// Calls beyond so many were refused again and again: the limit is lower than published, and kept
    /// from here on.
    LimitLearnt {
        /// The window.
        window: QuotaWindow,
        /// The calls that were answered.
        calls: u64,
    },
    /// A refusal that nothing else explains: lookups and calls for pending_ids share the business limits,
    /// which are kept together from here on.
    CounterShared,
    /// The lockout is over: the probe was answered.
    LockoutEnded,
    /// The remote is overloaded (45033), or the service failed: fewer calls in flight.
    ConcurrencyReduced {
        /// The most from now on.
        calls: u16,
    },
    /// The service is out of order or cannot be reached; the next probe is at `until`.
    Unreachable {
        /// What is wrong, and since when.
        trouble: Trouble,
        /// When the next probe is.
        until: Timestamp,
    },
    /// The API answers again.
    Reconnected,
    /// What became of the ticket, of which there is only one.
    Ticket(TicketNews),
    /// The ticket does not work any more; business windows apply from here.
    TicketRejected,
    /// The wall clock differs from the API's by more than a minute; told once.
    ClockDiffers(ClockDifference),
    /// No new calls; those in flight are awaited.
    Draining {
        /// Calls in flight.
        in_flight: usize,
    },
    /// Answers are asked for again.
    PassStarted {
        /// Who opened the pass.
        origin: PassOrigin,
        /// How many subjects are left in it.
        subjects: u64,
    },
    /// Subjects parked after their attempts are asked once more.
    RetryPassStarted,
    /// One of the above, of the calls for pending_ids.
    OfPendingIds(Box<RunEvent>),
    /// No more pending_ids are asked for; the lookups continue.
    PendingIdsEnded(StopReason),
    /// An operator asked something of the run from elsewhere.
    Asked(Asked),
    /// What an operator asked is withdrawn.
    Withdrawn(Wish),
}

/// What became of the ticket, or of the application for it. Without one the run goes on in the
/// business windows.
#[derive(Debug, Clone)]
pub enum TicketNews {
    /// It was applied for, obtained and stored.
    Obtained {
        /// Until when it is sent.
        until: Timestamp,
    },
    /// One that was stored elsewhere is sent from now on.
    Found {
        /// Until when it is sent.
        until: Timestamp,
    },
    /// The application was refused.
    Refused(FatalRefusal),
    /// The application was sent and not answered.
    Unanswered(Failure),
    /// The reply was kept, and no ticket was found in it.
    Unreadable,
    /// There is no second one to apply for.
    Spent(TicketState),
    /// What the run is to do fits today's quota: nothing is applied for.
    NotNeeded,
}

/// How far the wall clock is from the API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockDifference {
    /// By how much, in whole minutes.
    pub by: Duration,
    /// Whether the wall clock is the one ahead.
    pub is_ahead: bool,
    /// The API's clock.
    pub remote: Timestamp,
}

/// How a run stands.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When.
    pub at: Timestamp,
    /// The subjects.
    pub tally: Tally,
    /// Subjects still to be asked: queued, or due in a pass as far as is known.
    pub left: u64,
    /// The pass over answered subjects that is worked off.
    pub pass: Option<PassProgress>,
    /// What is done about pending_ids, if they are asked for.
    pub pending_ids: Option<PendingIdProgress>,
    /// Lookups completed in this run.
    pub calls: u64,
    /// Lookups in flight.
    pub in_flight: usize,
    /// The most there may be.
    pub concurrency: u16,
    /// Use of the windows that apply, in the order of [`QuotaWindow::ALL`]; those without a limit left
    /// out.
    pub windows: Vec<WindowUse>,
    /// Why nothing is sent just now, if people would want to know: quota, lockout, outage, token.
    pub hold: Option<Waiting>,
}

/// How it stands with the pending_ids that a run asks for beside its lookups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingIdProgress {
    /// Ids obtained in this run, renewed ones included.
    pub obtained: u64,
    /// Subjects whose id was refused, or to whom no reply could be read.
    pub refused: u64,
    /// Unlinked subjects that are still to be asked about, as far as is known.
    pub left: u64,
    /// Calls completed in this run.
    pub calls: u64,
    /// Calls in flight.
    pub in_flight: usize,
    /// Use of their windows, in the order of [`QuotaWindow::ALL`].
    pub windows: Vec<WindowUse>,
    /// Why none is asked for just now, if people would want to know.
    pub hold: Option<Waiting>,
}

/// How far a pass over answered subjects has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassProgress {
    /// Who opened it.
    pub origin: PassOrigin,
    /// How many of its subjects were asked.
    pub asked: u64,
    /// How many were due when it was opened.
    pub subjects: u64,
}

impl PassProgress {
    pub(super) const fn of(pass: &Pass) -> Self {
        Self {
            origin: pass.origin,
            asked: pass.asked,
            subjects: pass.subjects,
        }
    }
}

/// A wait, in wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Why.
    pub reason: HoldReason,
    /// Until when; `None` if a call must complete first.
    pub until: Option<Timestamp>,
}

/// Why a run ended.
#[derive(Debug, Clone)]
pub enum StopReason {
    /// Everything queued is answered.
    Finished,
    /// Stopped with work left: a window or a lockout, and `--on-quota exit`.
    Quota(Waiting),
    /// Stopped with work left: `--budget` calls were sent.
    Budget,
    /// Stopped with work left: `--until` or `--max-duration`.
    Time,
    /// Stopped with work left: the API could not be reached at all.
    Unreachable(Failure),
    /// What is called is not the API or must not be trusted: several calls in a row met a redirect, a
    /// client error that is no throttling, or a certificate that is not accepted.
    NotTheApi(Failure),
    /// Interrupted by a signal; drained.
    Interrupted,
    /// Stopped with work left: an operator asked for it from elsewhere; drained.
    Asked(Asked),
    /// The API says that trying will not help, or that our request is wrong.
    Refused(FatalRefusal),
    /// Several fresh tokens in a row were refused by the lookup itself.
    TokensRefused,
    /// Too many answers in a row were errors.
    Breaker(BreakerTrip),
    /// The job file was deleted, moved or replaced; drained, and everything is in the file that the
    /// run holds, wherever that is.
    JobFileMoved(PathBuf),
}

impl StopReason {
    /// The reason to stop for a `failure` where the API was never seen.
    #[must_use]
    pub(crate) const fn never_reached(failure: Failure) -> Self {
        match failure.is_permanent_at_first() {
            true => Self::NotTheApi(failure),
            false => Self::Unreachable(failure),
        }
    }
}

/// A refusal that ends the run.
#[derive(Debug, Clone)]
pub struct FatalRefusal {
    /// The code, its class, the official term and the next step.
    pub entry: &'static Entry,
    /// The code the server sent; differs from the entry's if that is unlisted.
    pub errcode: i64,
    /// The server's own words, cleaned of secrets and ids.
    pub errmsg: String,
    /// The request itself is wrong: a fault of this program.
    pub bug: bool,
    /// When it was refused and until when it is not repeated, if it was remembered and not asked.
    pub remembered: Option<(Timestamp, Timestamp)>,
    /// What was being asked: `gettoken`, `apply_mass_call_ticket`, `unionid_to_external_userid`.
    pub call: &'static str,
}

/// Why the breaker tripped.
#[derive(Debug, Clone)]
pub struct BreakerTrip {
    /// Errors among the last `answers`.
    pub errors: usize,
    /// Answers counted.
    pub answers: usize,
    /// The most frequent errcode among them, with how often; `None` stands for no readable reply.
    pub mostly: (Option<i64>, usize),
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Why it ended.
    pub reason: StopReason,
    /// The subjects at the end.
    pub tally: Tally,
    /// Subjects still to be asked: queued, or due in a pass as far as is known.
    pub left: u64,
    /// Answers that stand although their subjects were asked again: that was refused, or failed.
    pub kept: u64,
    /// What was done about pending_ids, if they were asked for.
    pub pending_ids: Option<PendingIdProgress>,
    /// Lookups completed.
    pub calls: u64,
    /// How long it took.
    pub took: Duration,
    /// Calls were refused (45009) while the ledger was far below every limit.
    pub used_elsewhere: bool,
    /// How long it waited, by the [codes](HoldReason::code) of the reasons, of waits of seconds and more.
    pub waits: Vec<(&'static str, Duration)>,
}

/// How a matching of contacts ended.
#[derive(Debug)]
pub struct MatchingReport {
    /// Why.
    pub reason: StopReason,
    /// Calls about contacts.
    pub calls: u64,
    /// Downstream corps that could not be asked, and why.
    pub skipped: Vec<(String, String)>,
}
