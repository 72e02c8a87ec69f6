//! What to do next: the last lines of a summary.

use std::net::IpAddr;

use super::{Failure, NoConnection, Summary, Waiting, style::moment_and_wait};
use crate::{
    model::State,
    runner::event::{FatalRefusal, StopReason},
};

/// Of the server's words, at most so many characters.
const WORDS: usize = 400;

impl Summary {
    /// A sentence a line; commands to type are indented.
    pub(super) fn advice(&self) -> Vec<String> {
        let mut advice = self.next_steps();
        if !matches!(self.report.ending, StopReason::Finished) {
            advice.push(format!("  {}", self.command));
        }
        if let Some((path, _)) = self.bad_lines() {
            advice.push(format!(
                "{path} says why lines were not taken in; put them right in the input and run it again"
            ));
        }
        advice
    }

    fn next_steps(&self) -> Vec<String> {
        match &self.report.ending {
            StopReason::Finished => self.after_finish(),
            StopReason::Quota(Waiting {
                until: Some(until), ..
            }) => {
                let back = moment_and_wait(*until, self.ended_at);
                vec![format!("come back at {back}; the same command goes on")]
            }
            StopReason::Quota(_)
            | StopReason::Budget
            | StopReason::Time
            | StopReason::Interrupted => {
                vec!["the same command goes on".into()]
            }
            StopReason::Unreachable(failure) => vec![
                unreachable(failure, &self.address),
                "then the same command goes on".into(),
            ],
            StopReason::Refused(halt) => after_refusal(halt),
            StopReason::TokensRefused => vec![
                "check that the secret is that of the upstream app (上游应用) shared with the \
                 downstream corps, and that WECOM_CORP_ID is the upstream corp's"
                    .into(),
                "then the same command goes on".into(),
            ],
            StopReason::Breaker(_) => vec![
                "the input is probably not what it should be: see the refusals above, and whether \
                 unionid and openid of a line are of one person and one mini program (WeCom locks \
                 out callers who go on like this; --error-budget allows more)"
                    .into(),
                "with the input put right, the same command goes on".into(),
            ],
        }
    }

    fn after_finish(&self) -> Vec<String> {
        if self.report.tally.of(State::Parked) == 0 {
            return Vec::new();
        }
        vec![
            format!(
                "`idferry retry --state parked{}` puts the parked back in the queue; then",
                self.state_flags
            ),
            format!("  {}", self.command),
        ]
    }
}

/// What to look at if nothing came of calling `address`.
fn unreachable(failure: &Failure, address: &str) -> String {
    const BASE_URL: &str = "--base-url (WECOM_BASE_URL)";
    const PROXY: &str = "the proxy (HTTPS_PROXY)";
    match failure {
        Failure::Connect(NoConnection::Dns) => {
            format!(
                "the name in {address} cannot be looked up: check {BASE_URL} and this machine's name servers (DNS)"
            )
        }
        Failure::Connect(NoConnection::Refused) => {
            format!("nobody listens at {address}: check {BASE_URL}, the firewall and {PROXY}")
        }
        Failure::Connect(NoConnection::Slow) => {
            format!(
                "no connection to {address} comes about: check the network, the firewall and {PROXY}"
            )
        }
        Failure::Connect(NoConnection::Certificate) => format!(
            "the certificate that {address} shows is not accepted: check this machine's clock; if a \
             proxy of your company reads along, add its CA to the system's certificates (or name \
             them in SSL_CERT_FILE); and check {BASE_URL}"
        ),
        Failure::Connect(NoConnection::Tls) => {
            format!(
                "{address} does not speak TLS as it should: check {BASE_URL}, its port, and {PROXY}"
            )
        }
        Failure::Connect(NoConnection::Proxy) => format!(
            "{PROXY} does not let calls to {address} through: check its address, user and password, \
             and what it allows"
        ),
        Failure::Connect(NoConnection::Other) => {
            format!("check the network, {PROXY} and {BASE_URL}, now {address}")
        }
        Failure::Reset | Failure::Timeout(_) => format!(
            "{address} takes calls and does not answer them: check {BASE_URL}, the firewall and {PROXY}"
        ),
        Failure::Status(500..) => {
            format!("{address}, or a gateway before it, is out of order: wait, or check {BASE_URL}")
        }
        Failure::Status(_) | Failure::Body => {
            format!("{address} answers, but is not the WeCom API: check {BASE_URL} and {PROXY}")
        }
        Failure::Busy => "the API is busy (-1 系统繁忙): wait a while".to_owned(),
    }
}

fn after_refusal(halt: &FatalRefusal) -> Vec<String> {
    let mut advice = Vec::new();
    let words = printable(&halt.errmsg);
    if !words.is_empty() {
        advice.push(format!("the server's words: \"{words}\""));
    }
    if let Some(address) = seen_address(&halt.errmsg) {
        advice.push(format!("the server saw the call come from {address}"));
    }
    advice.push(halt.entry.next_step.to_owned());
    advice.push("then the same command goes on".into());
    advice
}

/// What the server wrote must not steer the terminal or fill it.
fn printable(words: &str) -> String {
    let plain = words.chars().filter(|char| !char.is_control());
    plain.take(WORDS).collect()
}

/// The caller's address in `…, from ip: 203.0.113.7, more info at …` (60020, D90313). For people
/// only: nothing is decided by it.
fn seen_address(errmsg: &str) -> Option<IpAddr> {
    let (_, after) = errmsg.split_once("from ip:")?;
    let end = |char: char| char == ',' || char.is_whitespace();
    after.trim_start().split(end).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::seen_address;

    #[test]
    fn an_address_is_read_only_where_one_is() {
        assert_eq!(seen_address("from ip: ::1"), "::1".parse().ok());
        assert_eq!(seen_address("from ip: nowhere"), None);
        assert_eq!(seen_address("no such words"), None);
    }
}
