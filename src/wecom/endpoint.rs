//! The APIs that are called once for each subject. What differs between two of them is written
//! here and nowhere else: path, quota, request body, reply, and what an error code means there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    errcode::{Class, lookup},
    lenient,
    ticket::Ticket,
};
use crate::model::{Api, Link, PendingId, Subject};

/// One API that is called once for each subject.
#[derive(Debug)]
pub struct Endpoint {
    /// Whose quota its calls use.
    pub api: Api,
    /// The path of its `POST`.
    pub path: &'static str,
    /// Whether it accepts a `mass_call_ticket`, which lifts its business limits (D96250).
    pub accepts_ticket: bool,
    /// Whether its body can name one downstream corp.
    accepts_corpid: bool,
    /// Reads the body of a reply; an error if it is not JSON of the shape that the page describes.
    pub(super) decode: fn(&str) -> serde_json::Result<DecodedReply<'_>>,
}

impl Endpoint {
    /// A subject's customers at the downstream corps (D95818).
    pub const LOOKUP: Self = Self {
        api: Api::Lookup,
        path: "/cgi-bin/corpgroup/unionid_to_external_userid",
        accepts_ticket: true,
        accepts_corpid: true,
        decode: decode_lookup,
    };

    /// The temporary id of a subject that no downstream corp has as a customer yet (D97357,
    /// D98040). Its windows are assumed to be its own; the pages do not say.
    pub const PENDING_ID: Self = Self {
        api: Api::PendingId,
        path: "/cgi-bin/corpgroup/unionid_to_pending_id",
        accepts_ticket: false,
        accepts_corpid: false,
        decode: decode_pending_id,
    };

    /// Returns the endpoint whose calls use the quota of `api`, if that is called about subjects.
    #[must_use]
    pub const fn of(api: Api) -> Option<&'static Self> {
        match api {
            Api::Lookup => Some(&Self::LOOKUP),
            Api::PendingId => Some(&Self::PENDING_ID),
            _ => None,
        }
    }

    /// Returns the downstream corp that a call about `subject` names.
    pub(super) fn corpid<'s>(&self, subject: &'s Subject) -> Option<&'s str> {
        let corpid = subject.corpid.as_deref();
        corpid.filter(|corpid| self.accepts_corpid && !corpid.is_empty())
    }

    /// Returns the JSON body that asks about `subject`, without what this API does not accept and
    /// without empty fields: how the server treats `""` is unknown (D95818).
    pub(super) fn body(&self, subject: &Subject, ticket: Option<&Ticket>) -> Vec<u8> {
        let ticket = ticket.filter(|_| self.accepts_ticket);
        let request = SubjectRequest {
            unionid: (*subject.unionid).into(),
            openid: (*subject.openid).into(),
            corpid: self.corpid(subject).map(Into::into),
            mass_call_ticket: ticket.map(|ticket| ticket.secret().expose().as_str().into()),
        };
        // Strings always become JSON; there is no error to report.
        serde_json::to_vec(&request).unwrap_or_default()
    }

    /// Returns what `errcode` asks for after a call; `names_corp` says whether that call named a
    /// downstream corp, which can then be what was refused.
    #[must_use]
    pub fn class_of(&self, errcode: i64, names_corp: bool) -> Class {
        let names_corp = names_corp && self.accepts_corpid;
        match lookup(errcode).class {
            // "Invalid corpid": the one in the body.
            Class::Stop if names_corp && errcode == 40013 => Class::Downstream,
            Class::Downstream if !names_corp => Class::Stop,
            class => class,
        }
    }
}

/// What a call found out, beside `errcode` 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The subject's customers at the downstream corps, sorted and distinct. None means that no
    /// corp in sight of the app has this person as a customer now.
    Links(Vec<Link>),
    /// The subject's pending_id.
    PendingId(PendingId),
}

/// A reply of the shape that the page describes.
pub(super) struct DecodedReply<'a> {
    pub(super) errcode: i64,
    pub(super) errmsg: Cow<'a, str>,
    /// `None` if what the page promises beside `errcode` 0 is missing; of no meaning beside
    /// another one.
    pub(super) answer: Option<Answer>,
}

/// The body of a call, as client and simulator write it.
#[derive(Serialize, Deserialize)]
pub struct SubjectRequest<'a> {
    /// Required.
    #[serde(borrow, default)]
    pub unionid: Cow<'a, str>,
    /// Required.
    #[serde(borrow, default)]
    pub openid: Cow<'a, str>,
    /// The only downstream corp to look in (D95818); [`Endpoint::PENDING_ID`] has no such field.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub corpid: Option<Cow<'a, str>>,
    /// The bulk ticket (D96250); [`Endpoint::PENDING_ID`] has no such field.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub mass_call_ticket: Option<Cow<'a, str>>,
}

/// The reply of [`Endpoint::LOOKUP`].
#[derive(Deserialize)]
struct LookupReply<'a> {
    #[serde(deserialize_with = "lenient::number")]
    errcode: i64,
    #[serde(borrow, default)]
    errmsg: Option<Cow<'a, str>>,
    /// Absent, `null` or empty if there is no customer (which one is not stated, D95818); an
    /// error reply may carry it too.
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    external_userid_info: Vec<ExternalUserid<'a>>,
}

#[derive(Deserialize)]
struct ExternalUserid<'a> {
    #[serde(borrow, default)]
    corpid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    external_userid: Option<Cow<'a, str>>,
}

fn decode_lookup(body: &str) -> serde_json::Result<DecodedReply<'_>> {
    let reply: LookupReply<'_> = serde_json::from_str(body)?;
    Ok(DecodedReply {
        errcode: reply.errcode,
        errmsg: reply.errmsg.unwrap_or_default(),
        answer: links(reply.external_userid_info).map(Answer::Links),
    })
}

/// Returns the links sorted, since the server's order is not stated (D95818) and two runs must
/// come to the same results. An entry that lacks one of its ids is left out; `None` if all do, as
/// that is not the same as nobody.
fn links(entries: Vec<ExternalUserid<'_>>) -> Option<Vec<Link>> {
    let is_empty = entries.is_empty();
    let filled = |id: Option<Cow<'_, str>>| id.filter(|id| !id.is_empty()).map(Into::into);
    let link = |entry: ExternalUserid<'_>| {
        Some(Link {
            corpid: filled(entry.corpid)?,
            external_userid: filled(entry.external_userid)?,
        })
    };
    let mut links: Vec<Link> = entries.into_iter().filter_map(link).collect();
    if links.is_empty() && !is_empty {
        return None;
    }
    links.sort_unstable();
    links.dedup();
    Some(links)
}

/// The reply of [`Endpoint::PENDING_ID`].
#[derive(Deserialize)]
struct PendingIdReply<'a> {
    #[serde(deserialize_with = "lenient::number")]
    errcode: i64,
    #[serde(borrow, default)]
    errmsg: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pending_id: Option<Cow<'a, str>>,
}

fn decode_pending_id(body: &str) -> serde_json::Result<DecodedReply<'_>> {
    let reply: PendingIdReply<'_> = serde_json::from_str(body)?;
    let pending_id = reply.pending_id.filter(|id| !id.is_empty());
    Ok(DecodedReply {
        errcode: reply.errcode,
        errmsg: reply.errmsg.unwrap_or_default(),
        answer: pending_id.map(|id| Answer::PendingId(PendingId(id.into()))),
    })
}

#[cfg(test)]
mod tests;
