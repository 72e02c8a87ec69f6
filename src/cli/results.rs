//! The last stage of a run: results are written, unless they lie there as this job left them.

use std::fs;

use super::Failure;
use crate::{
    export::{Filter, Format, Target, publish_results},
    store::Store,
};

/// Writes the results; answers how many lines there are, or `None` if their reader has left.
pub(super) fn publish(store: &Store, target: &Target) -> Result<Option<u64>, Failure> {
    if let Some((path, mark)) = left_at(target)
        && let Some(lines) = store.journal().published(&path, &mark)?
    {
        return Ok(Some(lines));
    }
    let lines = match publish_results(
        &store.reader()?,
        target,
        Format::of(target),
        &Filter::default(),
    ) {
        Err(why) if why.is_closed_pipe() => return Ok(None),
        written => written?,
    };
    if let Some((path, mark)) = left_at(target) {
        store.journal().record_published(&path, &mark, lines)?;
    }
    Ok(Some(lines))
}

/// Where a results file lies, and what tells it from any other, and from itself once touched.
fn left_at(target: &Target) -> Option<(String, String)> {
    let mark = target.mark()?;
    let Target::File(path) = target else {
        return None;
    };
    let path = fs::canonicalize(path).ok()?;
    Some((path.to_str()?.to_owned(), mark))
}
