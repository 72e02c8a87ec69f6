//! What to do after a run that stopped, sentence by sentence.

use std::net::IpAddr;

use super::{Failure, NoConnection};
use crate::{clock::Timestamp, format::moment_and_wait, runner::event::FatalRefusal};

/// At most so many characters of the server's words.
const WORDS: usize = 400;

/// After a refusal that nothing else explains.
pub(super) const COUNTER_SHARED: &str = "the API counts lookups and pending ids together: their business limits \
    are kept together from here on";

/// After tokens were refused.
pub(super) const CHECK_SECRET: &str = "check that the secret is that of the upstream app \
    (上游应用) shared with the downstream corps, and that WECOM_CORP_ID is the upstream corp's";

/// After the job file was deleted, moved or replaced.
pub(super) const PUT_BACK: &str = "put it back before you run again: without it every subject is \
    asked again, and every call counted twice";

/// After the breaker tripped.
pub(super) const CHECK_INPUT: &str = "the input is probably not what it should be: see the \
    refusals above, and check that unionid and openid of a line belong to one person and one mini \
    program (WeCom locks out callers with many errors; --error-budget allows more)";

/// How to resume, as a clause.
pub(crate) const RESUME: &str = "re-run the same command to resume";

/// When to resume, if the network or the service was out of order.
pub(super) const IN_A_WHILE: &str = ", or in ten minutes,";

/// After a stop with work left: when to resume; `None` for now.
pub(super) fn come_back(until: Option<Timestamp>, now: Timestamp) -> String {
    let when = until.map_or_else(
        || "any time".to_owned(),
        |until| moment_and_wait(until, now),
    );
    format!("come back at {when} and {RESUME}")
}

/// What to check if calls to `address` fail.
pub(super) fn unreachable(failure: &Failure, address: &str) -> String {
    const BASE_URL: &str = "--base-url (WECOM_BASE_URL)";
    const PROXY: &str = "the proxy (HTTPS_PROXY)";
    match failure {
        Failure::Connect(NoConnection::Dns) => {
            format!(
                "the name in {address} cannot be looked up: check {BASE_URL} and this machine's name servers (DNS)"
            )
        }
        Failure::Connect(NoConnection::Refused) => {
            format!("nothing listens at {address}: check {BASE_URL}, the firewall and {PROXY}")
        }
        Failure::Connect(NoConnection::Slow) => {
            format!(
                "no connection to {address} can be made: check the network, the firewall and {PROXY}"
            )
        }
        Failure::Connect(NoConnection::Certificate) => format!(
            "the certificate that {address} shows is not accepted: check this machine's clock; if a \
             proxy of your company inspects traffic, add its CA to the system's certificates (or name \
             them in SSL_CERT_FILE); and check {BASE_URL}"
        ),
        Failure::Connect(NoConnection::Tls) => {
            format!(
                "{address} does not speak TLS correctly: check {BASE_URL}, its port, and {PROXY}"
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
        Failure::Status(408 | 429) | Failure::RetryAfter(..) => {
            format!("{address}, or a gateway before it, asks for a pause: wait a while")
        }
        Failure::Status(500..) => {
            format!("{address}, or a gateway before it, is out of order: wait, or check {BASE_URL}")
        }
        Failure::Status(_) | Failure::Body => {
            format!("{address} answers, but is not the WeCom API: check {BASE_URL} and {PROXY}")
        }
        Failure::Busy(_) => format!("the API is busy ({failure}): wait a while"),
    }
}

/// What the server said to a refused call, and what to do about it.
pub(super) fn after_refusal(halt: &FatalRefusal) -> Vec<String> {
    let mut steps = Vec::new();
    let words = printable(&halt.errmsg);
    if !words.is_empty() {
        steps.push(format!("the server's words: \"{words}\""));
    }
    if let Some(address) = seen_address(&halt.errmsg) {
        steps.push(format!("the server saw the call come from {address}"));
    }
    steps.push(halt.entry.next_step.to_owned());
    if halt.remembered.is_some() {
        steps.push("a corrected secret is tried at once".to_owned());
    }
    steps
}

/// The server's words, without what would steer or fill the terminal.
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
    fn address_is_found_only_where_one_is() {
        assert_eq!(seen_address("from ip: ::1"), "::1".parse().ok());
        assert_eq!(seen_address("from ip: nowhere"), None);
        assert_eq!(seen_address("no such words"), None);
    }
}
