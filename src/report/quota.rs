//! The quota of a corp for people, in eighty columns. Times are at +08:00.

use std::fmt::Write as _;

use super::phrases;
use crate::{
    format::{count, counted},
    job::{Exit, Probed, quota::AccountStatus},
};

/// The accounts as text.
pub(crate) fn render(accounts: &[AccountStatus]) -> String {
    if accounts.is_empty() {
        return "No call has been charged yet.\n".to_owned();
    }
    let accounts: Vec<_> = accounts.iter().map(account).collect();
    accounts.join("\n")
}

fn account(account: &AccountStatus) -> String {
    let mut text = format!("{} · {}\n", account.corp_id, account.api);
    for window in &account.windows {
        let (used, limit) = (count(window.used), count(window.limit));
        let name = window.window;
        let _ = write!(text, "  {name:<15} {used:>9} of {limit:>9}");
        let _ = match &window.room_at {
            Some(at) => write!(text, ", room at {at}"),
            None => write!(text, ", {} left", count(window.left)),
        };
        text.push_str(if window.is_learnt {
            " (learnt)\n"
        } else {
            "\n"
        });
    }
    if let Some((limit, until)) = &account.lockout {
        let _ = writeln!(
            text,
            "  locked out by the API (45009 接口调用超过限制), taken for the {limit} limit; one probe at {until}"
        );
    }
    if account.used_elsewhere {
        let _ = writeln!(text, "  {}", phrases::ELSEWHERE);
    }
    if account.windows.iter().any(|window| window.is_learnt) {
        text.push_str(
            "  learnt: the API refused more calls again and again, though it is published\n",
        );
    }
    for user in &account.users {
        let calls = counted(user.calls, "call");
        let _ = write!(text, "  {}: {calls}", user.name);
        if user.in_flight > 0 {
            let _ = write!(text, ", {} in flight", count(user.in_flight));
        }
        let _ = writeln!(text, ", last at {}", user.seen_at);
    }
    text
}

/// What a probe found, and what the command exits with.
pub(crate) fn probed(probed: &Probed) -> (String, Exit) {
    match probed {
        Probed::NotLockedOut => ("it is not locked out, nothing was sent".into(), Exit::Done),
        Probed::Over(reply) => (format!("{reply}: the lockout is over"), Exit::Done),
        Probed::Refused(level, until) => {
            let words = format!("{}: one probe at {until}", phrases::lockout(*level));
            (words, Exit::WorkLeft)
        }
        Probed::Unknown(reply) => (format!("{reply}: the lockout stands"), Exit::WorkLeft),
    }
}
