//! The lines of the results, whatever their format.
//!
//! One line per link, in order of first appearance and, within a subject, by corpid and
//! external_userid. A subject without a link has one line.

use super::error::ExportError;
use crate::{
    clock::Timestamp,
    model::State,
    store::{Change, SubjectRecord},
};

/// A line of the results; what there is not is empty.
pub(super) struct ResultLine<'a> {
    pub(super) unionid: &'a str,
    pub(super) openid: &'a str,
    pub(super) corpid: &'a str,
    pub(super) external_userid: &'a str,
    pub(super) pending_id: &'a str,
    pub(super) state: State,
    pub(super) errcode: Option<i64>,
    pub(super) at: Option<Timestamp>,
    /// Whether the link was `added` or `removed`, in an export of changes.
    pub(super) change: Option<&'static str>,
}

impl<'a> ResultLine<'a> {
    fn of(subject: &'a SubjectRecord, corpid: &'a str, external_userid: &'a str) -> Self {
        Self {
            unionid: &subject.unionid,
            openid: &subject.openid,
            corpid,
            external_userid,
            pending_id: subject.pending_id.as_deref().unwrap_or_default(),
            state: subject.state,
            errcode: subject.errcode,
            at: subject.at,
            change: None,
        }
    }
}

/// The line of a link that was gained or lost.
pub(super) fn line_of_change(change: &Change) -> ResultLine<'_> {
    ResultLine {
        unionid: &change.unionid,
        openid: &change.openid,
        corpid: &change.link.corpid,
        external_userid: &change.link.external_userid,
        pending_id: "",
        state: change.state,
        errcode: change.errcode,
        at: change.at,
        change: Some(if change.added { "added" } else { "removed" }),
    }
}

/// Passes every line of `subject` to `each`, until an error of `each`.
pub(super) fn lines_of(
    subject: &SubjectRecord,
    mut each: impl FnMut(&ResultLine<'_>) -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    if subject.links.is_empty() {
        let corpid = subject.corpid.as_deref().unwrap_or_default();
        return each(&ResultLine::of(subject, corpid, ""));
    }
    for link in &subject.links {
        each(&ResultLine::of(
            subject,
            &link.corpid,
            &link.external_userid,
        ))?;
    }
    Ok(())
}

/// The text of the timestamp that was formatted last: hundreds of subjects in a row were answered
/// in the same second.
#[derive(Default)]
pub(super) struct TimestampText {
    at: Option<Timestamp>,
    text: String,
}

impl TimestampText {
    /// Returns `at` in RFC 3339; empty for `None`.
    pub(super) fn of(&mut self, at: Option<Timestamp>) -> &str {
        if at != self.at {
            self.at = at;
            self.text = at.map(Timestamp::rfc3339).unwrap_or_default();
        }
        &self.text
    }
}
