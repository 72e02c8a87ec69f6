//! What to do next: the last lines of a summary.

use std::net::IpAddr;

use super::{Summary, Waiting, style::moment_and_wait};
use crate::{
    model::State,
    runner::event::{Ending, Halt},
};

/// Of the server's words, at most so many characters.
const WORDS: usize = 400;

impl Summary {
    /// A sentence a line; commands to type are indented.
    pub(super) fn advice(&self) -> Vec<String> {
        let mut advice = self.next_steps();
        if !matches!(self.report.ending, Ending::Finished) {
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
            Ending::Finished => self.after_finish(),
            Ending::Quota(Waiting {
                until: Some(until), ..
            }) => {
                let back = moment_and_wait(*until, self.ended_at);
                vec![format!("come back at {back}; the same command goes on")]
            }
            Ending::Quota(_) | Ending::Budget | Ending::Time | Ending::Interrupted => {
                vec!["the same command goes on".into()]
            }
            Ending::Unreachable(_) => vec![
                "check the network, the proxy (HTTPS_PROXY) and --base-url".into(),
                "then the same command goes on".into(),
            ],
            Ending::Refused(halt) => after_refusal(halt),
            Ending::TokensRefused => vec![
                "check that the secret is that of the upstream app (上游应用) shared with the \
                 downstream corps, and that WECOM_CORP_ID is the upstream corp's"
                    .into(),
                "then the same command goes on".into(),
            ],
            Ending::Breaker(_) => vec![
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
            "`idferry retry --state parked` puts the parked back in the queue; then".into(),
            format!("  {}", self.command),
        ]
    }
}

fn after_refusal(halt: &Halt) -> Vec<String> {
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
