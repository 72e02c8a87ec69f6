//! The body of a call, parsed.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};

use super::{api::SimEndpoint, call::ApiCall};
use crate::wecom::{endpoint::SubjectRequest, transport::Method};

/// A call with its body parsed. Both GET APIs accept a POST too, as one SDK posts (D96250).
pub(super) enum ParsedRequest<'a> {
    Token,
    Ticket,
    Lookup(SubjectRequest<'a>),
    PendingId(PendingIdRequest<'a>),
    BatchPendingId(BatchPendingIdRequest),
    ShareInfo(ShareInfoRequest),
    CorpToken(CorpTokenRequest),
    /// Not JSON, or a field of another type than the page states.
    Malformed,
    /// GET where the page states POST.
    WrongVerb,
}

/// D97357: no corpid, no ticket.
#[derive(Deserialize)]
pub(super) struct PendingIdRequest<'a> {
    #[serde(borrow, default)]
    pub(super) unionid: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) openid: Cow<'a, str>,
}

/// D98040.
#[derive(Deserialize)]
pub(super) struct BatchPendingIdRequest {
    #[serde(default)]
    pub(super) external_userid: Vec<String>,
    #[serde(default)]
    pub(super) chat_id: Option<String>,
}

/// D95813.
#[derive(Deserialize)]
pub(super) struct ShareInfoRequest {
    #[serde(default, deserialize_with = "number")]
    pub(super) agentid: i64,
    #[serde(default, deserialize_with = "number")]
    pub(super) business_type: u32,
    #[serde(default)]
    pub(super) corpid: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) limit: usize,
    #[serde(default)]
    pub(super) cursor: String,
}

/// D95816.
#[derive(Deserialize)]
pub(super) struct CorpTokenRequest {
    #[serde(default)]
    pub(super) corpid: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) agentid: i64,
    #[serde(default, deserialize_with = "number")]
    pub(super) business_type: u32,
}

/// Parses a number, in quotation marks or not: some clients pass the text of their command line on
/// (PyPI api-wecom-cli). Whether the real remote accepts that is unknown.
fn number<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Plain(i64),
        Quoted(String),
    }
    let number = match Number::deserialize(from)? {
        Number::Plain(number) => number,
        Number::Quoted(text) => text.parse().map_err(D::Error::custom)?,
    };
    T::try_from(number).map_err(|_| D::Error::custom("out of range"))
}

impl<'a> ParsedRequest<'a> {
    pub(super) fn read(api: SimEndpoint, call: &ApiCall<'a>) -> Self {
        if api.wants_body() && call.method == Method::Get {
            return Self::WrongVerb;
        }
        match api {
            SimEndpoint::Token => Self::Token,
            SimEndpoint::Ticket => Self::Ticket,
            SimEndpoint::Lookup => borrowed(serde_json::from_slice(call.body).map(Self::Lookup)),
            SimEndpoint::PendingId => {
                borrowed(serde_json::from_slice(call.body).map(Self::PendingId))
            }
            SimEndpoint::BatchPendingId => owned(call.body, Self::BatchPendingId),
            SimEndpoint::ShareInfo => owned(call.body, Self::ShareInfo),
            SimEndpoint::CorpToken => owned(call.body, Self::CorpToken),
        }
    }

    /// The ticket that it carries; of these APIs only one accepts it (D96250).
    pub(super) fn ticket(&self) -> Option<&str> {
        match self {
            Self::Lookup(request) => request.mass_call_ticket.as_deref(),
            _ => None,
        }
    }
}

fn borrowed<'a>(read: serde_json::Result<ParsedRequest<'a>>) -> ParsedRequest<'a> {
    read.unwrap_or(ParsedRequest::Malformed)
}

fn owned<'a, T: DeserializeOwned>(
    body: &[u8],
    request: impl FnOnce(T) -> ParsedRequest<'a>,
) -> ParsedRequest<'a> {
    serde_json::from_slice(body).map_or(ParsedRequest::Malformed, request)
}
