//! Paths and replies of the calls about credentials and downstream corps; those about a subject are
//! [`endpoint`](super::endpoint)s.

use serde::Deserialize;

/// `GET`: corpid and corpsecret to an access token (D91039, D97164).
pub const GETTOKEN: &str = "/cgi-bin/gettoken";
/// `GET`: the bulk ticket, once per corp (D96250).
pub const APPLY_MASS_CALL_TICKET: &str = "/cgi-bin/corp/apply_mass_call_ticket";

/// `POST`: the downstream corps with which an app is shared (D95813).
pub const LIST_APP_SHARE_INFO: &str = "/cgi-bin/corpgroup/corp/list_app_share_info";
/// `POST`: a token of a downstream corp (D95816).
pub const CORP_GETTOKEN: &str = "/cgi-bin/corpgroup/corp/gettoken";
/// `POST`: the pending_ids of external_userids (D98040).
pub const MATCH_CONTACTS: &str = "/cgi-bin/corpgroup/batch/external_userid_to_pending_id";

/// Reply of [`GETTOKEN`]. In the token family a missing `errcode` is
/// success (D90605).
#[derive(Deserialize)]
pub struct TokenReply {
    /// At most 512 bytes (D91039).
    #[serde(default)]
    pub access_token: String,
    /// In seconds; normally 7200 (D91039).
    #[serde(default)]
    pub expires_in: u64,
}
