//! Whose account it is.

use crate::model::Api;

/// Whose account it is.
#[derive(Debug, Clone)]
pub(super) struct AccountKey {
    /// The upstream corp.
    pub(super) corp: String,
    /// The API.
    pub(super) api: Api,
}

impl AccountKey {
    pub(super) fn of(corp: &str, api: Api) -> Self {
        Self {
            corp: corp.to_owned(),
            api,
        }
    }
}
