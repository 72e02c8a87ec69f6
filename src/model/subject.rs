//! A subject: one distinct (unionid, openid, corpid filter), which costs one call.

use std::fmt;

/// The position of a subject in the order of first appearance, from 1; its key in the job file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub i64);

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One line of a source that can be a subject, trimmed and borrowed from the read buffer.
///
/// It holds personal ids and therefore has no `Debug`: no log line can print it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The customer's unionid (D95818).
    pub unionid: &'a str,
    /// The customer's openid at the same mini program or official account (D95818).
    pub openid: &'a str,
    /// The only downstream corp to look in; `None` looks in all of them (D95818).
    pub corpid: Option<&'a str>,
}

/// Where lines of a rejects file were before, and what was wrong with them there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RejectOrigin {
    /// The name of the source.
    pub(crate) source: String,
    /// The offending column; empty if it was the whole line.
    pub(crate) column: String,
    /// What was wrong with it.
    pub(crate) reason: String,
}

/// One distinct (unionid, openid, corpid filter).
///
/// `Debug` prints the id alone: unionid and openid are personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its position in the order of first appearance.
    pub id: SubjectId,
    /// The customer's unionid (D95818).
    pub unionid: Box<str>,
    /// The customer's openid (D95818).
    pub openid: Box<str>,
    /// The only downstream corp to look in; `None` looks in all of them (D95818).
    pub corpid: Option<Box<str>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.id)
    }
}
