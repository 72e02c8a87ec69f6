//! The shapes on the wire, as both sides spell them: the client here, the simulator in
//! [`sim::remote`](crate::sim::remote). Official field names; empty optional fields are omitted
//! (how the server treats `""` is unknown, D95818).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// `GET`: corpid and corpsecret to an access token (D91039, D97164).
pub const GETTOKEN: &str = "/cgi-bin/gettoken";
/// `GET`: the one-time bulk ticket (D96250).
pub const APPLY_MASS_CALL_TICKET: &str = "/cgi-bin/corp/apply_mass_call_ticket";
/// `POST`: the lookup this program exists for (D95818).
pub const UNIONID_TO_EXTERNAL_USERID: &str = "/cgi-bin/corpgroup/unionid_to_external_userid";
/// `POST`: a pending_id for somebody whom no dealer has added yet (D97357, D98040).
pub const UNIONID_TO_PENDING_ID: &str = "/cgi-bin/corpgroup/unionid_to_pending_id";
/// `POST`: up to 100 external_userids to their pending_ids (D98040).
pub const EXTERNAL_USERID_TO_PENDING_ID: &str =
    "/cgi-bin/corpgroup/batch/external_userid_to_pending_id";
/// `POST`: the downstream corps that share the app (D95813).
pub const LIST_APP_SHARE_INFO: &str = "/cgi-bin/corpgroup/corp/list_app_share_info";
/// `POST`: a downstream corp's token (D95816).
pub const CORP_GETTOKEN: &str = "/cgi-bin/corpgroup/corp/gettoken";

/// Body of [`UNIONID_TO_EXTERNAL_USERID`].
#[derive(Serialize, Deserialize)]
pub struct ConvertRequest<'a> {
    /// Required.
    #[serde(borrow, default)]
    pub unionid: Cow<'a, str>,
    /// Required.
    #[serde(borrow, default)]
    pub openid: Cow<'a, str>,
    /// One downstream corp to look in.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub corpid: Option<Cow<'a, str>>,
    /// The bulk ticket.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub mass_call_ticket: Option<Cow<'a, str>>,
}

/// Reply of [`UNIONID_TO_EXTERNAL_USERID`]. The list may be absent, `null` or empty (which one
/// means "nobody" is not stated, D95818), and an *error* may carry it too: test `errcode` first.
#[derive(Serialize, Deserialize)]
pub struct ConvertReply<'a> {
    /// 0 is success.
    pub errcode: i64,
    /// Never matched, with one exception: the wrong-json warning (D90455).
    #[serde(borrow, default)]
    pub errmsg: Cow<'a, str>,
    /// Zero, one or many.
    #[serde(borrow, default)]
    pub external_userid_info: Option<Vec<ExternalUserid<'a>>>,
}

/// One entry of [`ConvertReply`].
#[derive(Serialize, Deserialize)]
pub struct ExternalUserid<'a> {
    /// The downstream corp.
    #[serde(borrow)]
    pub corpid: Cow<'a, str>,
    /// The customer's id there.
    #[serde(borrow)]
    pub external_userid: Cow<'a, str>,
}

/// Reply of [`GETTOKEN`] and [`CORP_GETTOKEN`]. In the token family a missing `errcode` is
/// success (D90605).
#[derive(Serialize, Deserialize)]
pub struct TokenReply {
    /// 0 or absent is success.
    #[serde(default)]
    pub errcode: i64,
    /// For people.
    #[serde(default)]
    pub errmsg: String,
    /// At most 512 bytes (D91039).
    #[serde(default)]
    pub access_token: String,
    /// Seconds; normally 7200 (D91039).
    #[serde(default)]
    pub expires_in: u64,
}

/// Reply of [`APPLY_MASS_CALL_TICKET`]; it carries no `expires_in` (D96250).
#[derive(Serialize, Deserialize)]
pub struct TicketReply {
    /// 0 is success.
    pub errcode: i64,
    /// For people.
    #[serde(default)]
    pub errmsg: String,
    /// Valid for seven days from now.
    #[serde(default)]
    pub mass_call_ticket: String,
}
