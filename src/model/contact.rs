//! A contact: an external_userid of a downstream corp that is to be matched with a subject.

/// One external_userid. It holds personal ids and therefore has no `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contact<'a> {
    /// The downstream corp whose customer it is; empty if that was not told.
    pub corpid: &'a str,
    /// The customer's id there.
    pub external_userid: &'a str,
    /// The group chat by which the app may see it; empty for none (D98040).
    pub chat_id: &'a str,
}
