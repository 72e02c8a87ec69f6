//! How many files this process may have open, which bounds the calls in flight.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::console::say;
use crate::{
    format::count,
    gate::Concurrency,
    job::{Check, Error},
};

/// Open files that are not connections: the job file and its log, inputs, outputs, the runtime's own,
/// and connections that are being closed.
const RESERVED: u64 = 64;

/// Returns the concurrency that the limit of open files allows, which is raised as far as this
/// process may; less than was asked for is said. A simulator in this process has the other end of
/// each connection.
///
/// # Errors
///
/// A usage error if the limit allows no call at all.
pub(super) fn bounded(concurrency: Concurrency, in_sandbox: bool) -> Result<Concurrency, Error> {
    let each = if in_sandbox { 2 } else { 1 };
    let most = u64::from(concurrency.most());
    let limit = raised_to(RESERVED + most * each);
    let calls = limit.saturating_sub(RESERVED) / each;
    if calls >= most {
        return Ok(concurrency);
    }
    if calls == 0 {
        let needed = RESERVED + each;
        return Err(Error::usage(format!(
            "this process may have {limit} files open, which is too few: `ulimit -n {needed}` at \
             least, better 1024"
        )));
    }
    say(&format!(
        "at most {} calls in flight instead of {}: this process may have {} files open (ulimit -n)",
        count(calls),
        count(most),
        count(limit)
    ));
    Ok(Concurrency::Fixed(u16::try_from(calls).unwrap_or(u16::MAX)))
}

/// Whether the limit of open files, raised as far as it goes, holds an adaptive run.
pub(super) fn check() -> Check {
    let most = u64::from(Concurrency::Adaptive.most());
    let limit = raised_to(RESERVED + most);
    let found = format!("{} files may be open", count(limit));
    match limit.saturating_sub(RESERVED) {
        0 => Check::fail(
            "open files",
            format!("{found}, which is too few: `ulimit -n 1024`"),
        ),
        calls if calls < most => {
            let found = format!("{found}: at most {calls} calls in flight");
            Check::warn("open files", found, "`ulimit -n 1024` allows them all")
        }
        _ => Check::ok("open files", found),
    }
}

/// Raises the limit of open files to `needed`, or as far as allowed; returns it.
fn raised_to(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = needed.min(limit.maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}
