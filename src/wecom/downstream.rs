//! Calls about downstream corps: who shares the app, their tokens, and the pending_ids of their
//! customers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    client::Client,
    errcode::lookup,
    lenient,
    reply::{self, CallError},
    token::Token,
    transport::{Failure, Method, Request},
    wire,
};
use crate::{model::PendingId, quota::Paid, secret::Secret};

/// The most ids of a call (D98040) and corps of a page (D95813).
pub const BATCH: usize = 100;
/// 上下游; the default is 企业互联 (D96873).
const UPSTREAM_DOWNSTREAM: u8 = 1;

/// A downstream corp with which the app is shared (D95813).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SharingCorp {
    /// Its id, as lookups spell it.
    #[serde(default)]
    pub corpid: String,
    /// Its name.
    #[serde(default)]
    pub corp_name: String,
    /// The id of the app there.
    #[serde(default)]
    pub agentid: i64,
}

/// A page of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SharingPage {
    /// 1 if it is the last.
    #[serde(default)]
    ending: i64,
    /// The corps.
    #[serde(default)]
    pub corp_list: Vec<SharingCorp>,
    #[serde(default)]
    next_cursor: Option<String>,
}

impl SharingPage {
    /// Where the next page begins; `None` after the last.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        let cursor = self.next_cursor.as_deref();
        cursor.filter(|cursor| self.ending != 1 && !cursor.is_empty())
    }
}

#[derive(Serialize)]
struct SharingRequest<'a> {
    agentid: i64,
    business_type: u8,
    limit: usize,
    cursor: &'a str,
}

#[derive(Serialize)]
struct DownstreamTokenRequest<'a> {
    corpid: &'a str,
    agentid: i64,
    business_type: u8,
}

#[derive(Serialize)]
struct ContactsRequest<'a> {
    external_userid: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    chat_id: &'a str,
}

#[derive(Deserialize)]
struct ContactsReply {
    /// Absent, `null` or empty if nobody is known.
    #[serde(default, deserialize_with = "lenient::list")]
    result: Vec<KnownContact>,
}

#[derive(Deserialize)]
struct KnownContact {
    #[serde(default)]
    external_userid: Option<Box<str>>,
    #[serde(default)]
    pending_id: Option<Box<str>>,
}

impl Client {
    /// Lists the downstream corps with which app `agentid` is shared, from `cursor` on (D95813).
    ///
    /// # Errors
    ///
    /// A refusal, or no reply that can be read.
    pub fn list_sharing_corps(
        &self,
        token: &Token,
        agentid: i64,
        cursor: &str,
        paid: Paid,
    ) -> impl Future<Output = Result<SharingPage, CallError>> + use<> {
        let body = to_json(&SharingRequest {
            agentid,
            business_type: UPSTREAM_DOWNSTREAM,
            limit: BATCH,
            cursor,
        });
        let reply = self.post(wire::LIST_APP_SHARE_INFO, token, (body, &[]), paid);
        async move { parsed(reply.await?.expose()) }
    }

    /// Fetches a token of a downstream corp (D95816).
    ///
    /// # Errors
    ///
    /// A refusal, or no reply that can be read.
    pub fn fetch_downstream_token(
        &self,
        token: &Token,
        corp: &SharingCorp,
        paid: Paid,
    ) -> impl Future<Output = Result<Token, CallError>> + use<> {
        let body = to_json(&DownstreamTokenRequest {
            corpid: &corp.corpid,
            agentid: corp.agentid,
            business_type: UPSTREAM_DOWNSTREAM,
        });
        let reply = self.post(wire::CORP_GETTOKEN, token, (body, &[]), paid);
        async move { reply::read_token(&reply.await?) }
    }

    /// Returns the pending_ids of those of `ids` that have one, each with its external_userid; in no
    /// order (D98040). `chat_id` is empty for none.
    ///
    /// # Errors
    ///
    /// A refusal, or no reply that can be read.
    pub fn match_contacts(
        &self,
        token: &Token,
        ids: &[String],
        chat_id: &str,
        paid: Paid,
    ) -> impl Future<Output = Result<Vec<(Box<str>, PendingId)>, CallError>> + use<> {
        let body = to_json(&ContactsRequest {
            external_userid: ids,
            chat_id,
        });
        let reply = self.post(wire::MATCH_CONTACTS, token, (body, ids), paid);
        async move {
            let reply: ContactsReply = parsed(reply.await?.expose())?;
            let pair = |known: KnownContact| {
                let id = known.pending_id.filter(|id| !id.is_empty())?;
                Some((known.external_userid?, PendingId(id)))
            };
            Ok(reply.result.into_iter().filter_map(pair).collect())
        }
    }

    /// Posts `body` once; returns what was accepted.
    fn post(
        &self,
        path: &'static str,
        token: &Token,
        (body, ids): (Vec<u8>, &[String]),
        paid: Paid,
    ) -> impl Future<Output = Result<Secret<String>, CallError>> + use<> {
        let request = Request {
            method: Method::Post,
            path,
            query: vec![("access_token", Arc::clone(&token.secret))],
            body,
        };
        let (client, token) = (self.clone(), Arc::clone(&token.secret));
        let ids = ids.to_vec();
        async move {
            let _spent = paid;
            let response = client.send(request).await?;
            let class_of = |errcode| lookup(errcode).class;
            // None of them may come back in an error.
            let sent = ids.iter().map(String::as_str).chain([&**token.expose()]);
            reply::accepted(&response, class_of, &sent.collect::<Vec<_>>())
        }
    }
}

fn to_json(request: &impl Serialize) -> Vec<u8> {
    // Strings and numbers always become JSON; there is no error to report.
    serde_json::to_vec(request).unwrap_or_default()
}

fn parsed<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, CallError> {
    serde_json::from_str(body).map_err(|_| Failure::Body.into())
}
