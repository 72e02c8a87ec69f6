//! A pending_id: by it a person is recognised whom no downstream corp has as a customer yet.

use std::fmt;

/// A temporary id of an external contact, valid for 90 days (D97357). It stands for a person, so
/// `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingId(pub Box<str>);

impl fmt::Debug for PendingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingId(…)")
    }
}
