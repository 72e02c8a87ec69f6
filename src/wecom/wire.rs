//! Paths and replies of the two calls about credentials; those about a subject are
//! [`endpoint`](super::endpoint)s.

use serde::Deserialize;

/// `GET`: corpid and corpsecret to an access token (D91039, D97164).
pub const GETTOKEN: &str = "/cgi-bin/gettoken";
/// `GET`: the bulk ticket, once per corp (D96250).
pub const APPLY_MASS_CALL_TICKET: &str = "/cgi-bin/corp/apply_mass_call_ticket";

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
