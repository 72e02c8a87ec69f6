//! The seven APIs of the remote.

use crate::wecom::{endpoint::Endpoint, wire};

/// One API. Every quota belongs to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum SimEndpoint {
    /// `gettoken` (D91039).
    Token,
    /// `apply_mass_call_ticket` (D96250).
    Ticket,
    /// `unionid_to_external_userid` (D95818).
    Lookup,
    /// `unionid_to_pending_id` (D97357).
    PendingId,
    /// `batch/external_userid_to_pending_id` (D98040).
    BatchPendingId,
    /// `list_app_share_info` (D95813).
    ShareInfo,
    /// `corp/gettoken` (D95816).
    CorpToken,
}

impl SimEndpoint {
    /// How many there are.
    pub(super) const COUNT: usize = 7;

    /// All of them, each at its own index.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::Token,
        Self::Ticket,
        Self::Lookup,
        Self::PendingId,
        Self::BatchPendingId,
        Self::ShareInfo,
        Self::CorpToken,
    ];

    /// The path on the wire.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Token => wire::GETTOKEN,
            Self::Ticket => wire::APPLY_MASS_CALL_TICKET,
            Self::Lookup => Endpoint::LOOKUP.path,
            Self::PendingId => Endpoint::PENDING_ID.path,
            Self::BatchPendingId => wire::MATCH_CONTACTS,
            Self::ShareInfo => wire::LIST_APP_SHARE_INFO,
            Self::CorpToken => wire::CORP_GETTOKEN,
        }
    }

    /// Returns the API at `path`; the one that is called most is compared first.
    pub(super) fn at(path: &str) -> Option<Self> {
        if path == Self::Lookup.path() {
            return Some(Self::Lookup);
        }
        Self::ALL.into_iter().find(|api| api.path() == path)
    }

    /// Whether the business windows apply to it (D95818, D98040).
    pub(super) const fn is_business(self) -> bool {
        matches!(self, Self::Lookup | Self::PendingId)
    }

    /// Whether its page states POST, so that a GET is refused.
    pub(super) const fn wants_body(self) -> bool {
        !matches!(self, Self::Token | Self::Ticket)
    }
}
