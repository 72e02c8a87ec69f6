//! The APIs that have a quota of their own.

/// An API of the upstream corp. Quotas, lockouts and counters belong to a corp and one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Api {
    /// `corpgroup/unionid_to_external_userid` (D95818).
    Lookup = 1,
    /// `corpgroup/unionid_to_pending_id` (D97357).
    PendingId = 2,
    /// `gettoken` (D91039): basic limits only.
    Token = 3,
    /// `corpgroup/batch/external_userid_to_pending_id` (D98040): basic limits only.
    Contacts = 4,
    /// `corpgroup/corp/list_app_share_info` (D95813): likewise.
    SharingCorps = 5,
    /// `corpgroup/corp/gettoken` (D95816): likewise.
    CorpToken = 6,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Lookup,
        Self::PendingId,
        Self::Token,
        Self::Contacts,
        Self::SharingCorps,
        Self::CorpToken,
    ];

    /// Its name: the last part of its path, two where another has the same.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lookup => "unionid_to_external_userid",
            Self::PendingId => "unionid_to_pending_id",
            Self::Token => "gettoken",
            Self::Contacts => "external_userid_to_pending_id",
            Self::SharingCorps => "list_app_share_info",
            Self::CorpToken => "corp/gettoken",
        }
    }

    /// The API numbered `code` on disk, if there is one.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.code() == code)
    }

    /// Whether the business windows apply to it (D95818, D97357).
    #[must_use]
    pub const fn has_business_limits(self) -> bool {
        matches!(self, Self::Lookup | Self::PendingId)
    }

    /// Its number on disk.
    #[must_use]
    pub const fn code(self) -> i64 {
        self as i64
    }
}
