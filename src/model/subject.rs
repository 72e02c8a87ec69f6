//! A subject is one distinct (unionid, openid, corpid filter): the unit that costs one call.

use std::fmt;

/// The place of a subject in the order of first appearance; also its key in the state file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId(pub i64);

impl fmt::Display for SubjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// One line of a source, as the reader lends it: trimmed, and plausible as a subject.
///
/// Personal ids: it has no `Debug`, so that no log line can spell it out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// The customer's unionid (D95818).
    pub unionid: &'a str,
    /// The customer's openid at the same mini program or official account (D95818).
    pub openid: &'a str,
    /// Look in this downstream corp only; `None` looks in all of them (D95818).
    pub corpid: Option<&'a str>,
}

/// One distinct (unionid, openid, corpid filter).
///
/// Its `Debug` shows the id alone: unionid and openid are personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its place in the order of first appearance.
    pub id: SubjectId,
    /// The customer's unionid (D95818).
    pub unionid: Box<str>,
    /// The customer's openid (D95818).
    pub openid: Box<str>,
    /// The downstream corp to look in; `None` for all.
    pub corpid: Option<Box<str>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.id)
    }
}
