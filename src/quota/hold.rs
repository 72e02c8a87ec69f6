//! Why nothing is sent, and until when.

use std::fmt;

use crate::{
    clock::Timestamp,
    format::time_of_day,
    model::{Failure, QuotaWindow},
};

/// The one reason for waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// When to ask again, in ledger time; `None` if a call must complete first.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: HoldReason,
}

impl Hold {
    /// Nothing until `until`, then one call, then nothing until it has completed.
    ///
    /// # Errors
    ///
    /// The hold, for `reason`.
    pub fn one_probe(
        now: Timestamp,
        until: Timestamp,
        in_flight: usize,
        reason: HoldReason,
    ) -> Result<(), Self> {
        match (now < until, in_flight) {
            (true, _) => Err(Self {
                until: Some(until),
                reason,
            }),
            (false, 0) => Ok(()),
            (false, _) => Err(Self {
                until: None,
                reason,
            }),
        }
    }
}

/// What makes us wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The minute's calls are spread over the minute.
    Pace,
    /// A window is full.
    Window(QuotaWindow),
    /// The remote has locked us out (45009).
    Lockout,
    /// As many calls in flight as the remote takes (45033); with a time, a pause.
    Concurrency,
    /// A subject waits for its next attempt.
    Retry,
    /// An access token is being fetched.
    Token,
    /// `gettoken` is locked (45009).
    TokenLockout,
    /// A trial finds out whether the ticket still works.
    Ticket,
    /// The service is out of order, or cannot be reached.
    Outage(Trouble),
    /// An operator has paused the run, at this wall time; it goes on when that is withdrawn.
    Paused(Timestamp),
}

/// What is wrong with the service, and since when.
///
/// As text: `the API is out of order (HTTP 502) since 12:03:10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// How the latest call failed.
    pub failure: Failure,
    /// When the first of the failures in a row was noticed, in wall time.
    pub since: Timestamp,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure, since } = *self;
        let (what, since) = (failure.headline(), time_of_day(since));
        write!(f, "{what} ({failure}) since {since}")
    }
}

impl HoldReason {
    /// Its name in JSON.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pace => "pace",
            Self::Window(_) => "window",
            Self::Lockout => "block",
            Self::Concurrency => "width",
            Self::Retry => "retry",
            Self::Token | Self::TokenLockout => "token",
            Self::Ticket => "ticket",
            Self::Outage(_) => "outage",
            Self::Paused(_) => "paused",
        }
    }

    /// The code, and the window if it is one: `outage`, `window business.day`.
    pub(crate) fn full_code(self) -> String {
        match self.window() {
            Some(window) => format!("{} {window}", self.code()),
            None => self.code().to_owned(),
        }
    }

    /// The window that is full, if it is one.
    #[must_use]
    pub const fn window(self) -> Option<QuotaWindow> {
        match self {
            Self::Window(window) => Some(window),
            _ => None,
        }
    }

    /// Whether the account holds the call, which other processes change too.
    #[must_use]
    pub(crate) const fn is_of_the_account(self) -> bool {
        matches!(self, Self::Lockout | Self::Window(_))
    }

    /// Whether the wait is long enough to tell people about, and to leave for `--on-quota exit`.
    #[must_use]
    pub const fn is_quota(self) -> bool {
        match self {
            Self::Lockout | Self::TokenLockout => true,
            Self::Window(window) => {
                !matches!(window, QuotaWindow::BasicMinute | QuotaWindow::IpMinute)
            }
            _ => false,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pace => f.write_str("pace of the minute limit"),
            Self::Window(window) => write!(f, "{window} is used up"),
            Self::Lockout => f.write_str("blocked by the API (45009 接口调用超过限制)"),
            Self::Concurrency => {
                f.write_str("the API bears no more calls at once (45033 接口并发调用超过限制)")
            }
            Self::Retry => f.write_str("next attempt"),
            Self::Token => f.write_str("access token"),
            Self::TokenLockout => f.write_str(
                "gettoken is blocked (45009 接口调用超过限制), probably for wrong secrets from this \
                 address",
            ),
            Self::Ticket => f.write_str("checking the ticket"),
            Self::Outage(trouble) => trouble.fmt(f),
            Self::Paused(since) => write!(f, "paused since {}", time_of_day(*since)),
        }
    }
}
