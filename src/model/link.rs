//! A link: one person is one customer of one downstream corp.

use std::fmt;

/// One entry of `external_userid_info` (D95818).
///
/// `Debug` hides the external_userid, which is personal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The downstream corp; case-sensitive.
    pub corpid: Box<str>,
    /// The customer's id there; case-sensitive.
    pub external_userid: Box<str>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}, …)", self.corpid)
    }
}
