//! Why a call has no reply that says anything about its subject.

use std::{fmt, time::Duration};

/// Trouble of the service: nothing was learnt about the subject that was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made: the request was certainly not sent.
    Connect(NoConnection),
    /// The connection broke after the request may have been sent.
    Reset,
    /// No complete reply within the time-out.
    Timeout(Duration),
    /// An HTTP status other than 200.
    Status(u16),
    /// An HTTP status other than 200 with a `Retry-After` of so long.
    RetryAfter(u16, Duration),
    /// A body that is not the JSON that the page describes.
    Body,
    /// This errcode: -1 (system busy), 6000 (version conflict) or 45033 (too many calls).
    Busy(i64),
}

/// Why no connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoConnection {
    /// The host name was not found.
    Dns,
    /// The host refused it.
    Refused,
    /// It was not made in time.
    Slow,
    /// The certificate is not trusted, not valid now, or of another host.
    Certificate,
    /// Another error of TLS; most likely the other side does not speak it.
    Tls,
    /// The proxy refused it.
    Proxy,
    /// Any other reason.
    Other,
}

impl Failure {
    /// The errcode, if it is one.
    #[must_use]
    pub const fn errcode(self) -> Option<i64> {
        match self {
            Self::Busy(errcode) => Some(errcode),
            _ => None,
        }
    }

    /// Whether it says that what was called is not the API, or must not be trusted: waiting does
    /// not mend a redirect, a client error that is no throttling, or a certificate.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        match self {
            Self::Status(status) | Self::RetryAfter(status, _) => {
                matches!(status, 300..=499) && !matches!(status, 408 | 429)
            }
            Self::Connect(NoConnection::Certificate) => true,
            _ => false,
        }
    }

    /// Whether it is permanent if the API was never seen at that address.
    #[must_use]
    pub const fn is_permanent_at_first(self) -> bool {
        let no_api = matches!(self, Self::Body | Self::Connect(NoConnection::Tls));
        no_api || self.is_permanent()
    }

    /// What is wrong, in a clause; the failure itself says how that was noticed.
    #[must_use]
    pub const fn headline(self) -> &'static str {
        match self {
            Self::Connect(NoConnection::Certificate) => "the API cannot be trusted",
            Self::Connect(_) | Self::Reset => "the API cannot be reached",
            Self::Timeout(_) => "the API does not answer",
            Self::Status(408 | 429) | Self::RetryAfter(408 | 429, _) => "the API asks for a pause",
            Self::Status(..500) | Self::RetryAfter(..500, _) | Self::Body => {
                "what answers is not the WeCom API"
            }
            Self::Status(_) | Self::RetryAfter(..) | Self::Busy(_) => "the API is out of order",
        }
    }
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "name not found",
            Self::Refused => "connection refused",
            Self::Slow => "no connection in time",
            Self::Certificate => "certificate not accepted",
            Self::Tls => "no TLS connection",
            Self::Proxy => "turned away by the proxy",
            Self::Other => "no connection",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => why.fmt(f),
            Self::Reset => f.write_str("connection broken"),
            Self::Timeout(after) => write!(f, "no reply within {} s", after.as_secs()),
            Self::Status(status) => write!(f, "HTTP {status}"),
            Self::RetryAfter(status, after) => {
                write!(f, "HTTP {status}, Retry-After {} s", after.as_secs())
            }
            Self::Body => f.write_str("HTTP 200, no valid JSON"),
            Self::Busy(errcode) => write!(f, "errcode {errcode}"),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_and_server_errors_pass_and_other_statuses_do_not() {
        let permanent = [301, 302, 400, 401, 403, 404, 499];
        assert!(
            permanent
                .iter()
                .all(|status| Failure::Status(*status).is_permanent())
        );
        let passing = [204, 408, 429, 500, 501, 503, 599];
        assert!(
            !passing
                .iter()
                .any(|status| Failure::Status(*status).is_permanent())
        );
        let asked = Failure::RetryAfter(429, Duration::from_secs(9));
        assert!(!asked.is_permanent());
        assert_eq!(asked.to_string(), "HTTP 429, Retry-After 9 s");
    }

    #[test]
    fn page_of_html_is_permanent_only_where_the_api_was_never_seen() {
        assert!(!Failure::Body.is_permanent() && Failure::Body.is_permanent_at_first());
        assert!(!Failure::Reset.is_permanent_at_first());
    }
}
