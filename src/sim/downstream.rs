//! Replies about downstream corps: pending_ids of their customers, their list, their tokens.

use serde::Serialize;

use super::{
    call::Reply,
    id::Id,
    parsed_request::{BatchPendingIdRequest, CorpTokenRequest, ShareInfoRequest},
    remote::SimulatedRemote,
    reply::{field, token_fields},
    token::Bearer,
    world::Corp,
};
use crate::clock::Timestamp;

/// The most ids of a batch (D98040) and corps of a page (D95813).
const MOST: usize = 100;
/// 上下游; 0, the default, is 企业互联, of which this world has none (D96873).
const UPSTREAM_DOWNSTREAM: u32 = 1;

impl SimulatedRemote {
    /// D98040. Missing from the result are ids that are unknown, that have no pending_id, or that
    /// are another corp's if the token is a downstream one. There are no group chats here, so a
    /// well-formed `chat_id` excludes nothing.
    pub(super) fn batch_pending_id(
        &self,
        now: Timestamp,
        bearer: Bearer,
        request: &BatchPendingIdRequest,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        let ids = &request.external_userid;
        if ids.is_empty() || ids.len() > MOST {
            return Err(40_058);
        }
        let chat_id = request.chat_id.as_deref().unwrap_or("wr");
        if !chat_id.starts_with("wr") {
            return Err(86_001);
        }
        let found = ids.iter().filter_map(|id| {
            let (person, place) = self.world.read_external_userid(id, now)?;
            let visible = bearer == Bearer::Upstream || bearer == Bearer::Downstream(place);
            (visible && self.pending_ids.exists(now, person)).then(|| PendingEntry {
                external_userid: id,
                pending_id: self.world.pending_id(person),
            })
        });
        let result: Vec<_> = found.collect();
        Ok(Reply::success(ok, |body| field(body, "result", &result)))
    }

    /// D95813. The operator's agentid is unknown here, so any positive one is the shared app.
    pub(super) fn share_info(
        &self,
        request: &ShareInfoRequest,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        if request.agentid <= 0 {
            return Err(40_056);
        }
        if request.limit > MOST {
            return Err(40_058);
        }
        let first = read_cursor(&request.cursor)?;
        let corps = self.sharing_corps(request);
        let limit = if request.limit == 0 {
            corps.len()
        } else {
            request.limit
        };
        let page: Vec<_> = corps.iter().skip(first).take(limit).collect();
        let next = first.saturating_add(limit);
        let more = next < corps.len();
        let cursor = if more {
            format!("cursor-{next}")
        } else {
            String::new()
        };
        Ok(Reply::success(ok, |body| {
            field(body, "ending", &u8::from(!more));
            field(body, "corp_list", &page);
            field(body, "next_cursor", &cursor);
        }))
    }

    fn sharing_corps(&self, request: &ShareInfoRequest) -> Vec<&Corp> {
        if request.business_type != UPSTREAM_DOWNSTREAM {
            return Vec::new();
        }
        let wanted = |corp: &&Corp| request.corpid.is_empty() || corp.corpid == request.corpid;
        self.world.corps().iter().filter(wanted).collect()
    }

    /// D95816.
    pub(super) fn corp_token(
        &mut self,
        now: Timestamp,
        request: &CorpTokenRequest,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        let place = self.world.place(&request.corpid).ok_or(670_001)?;
        let agentid = i64::from(self.world.corps()[place].agentid);
        if request.agentid != agentid || request.business_type != UPSTREAM_DOWNSTREAM {
            return Err(670_001);
        }
        let (token, seconds) = self
            .tokens
            .fetch(now, Bearer::Downstream(place), &mut self.rng);
        Ok(Reply::success(ok, |body| {
            token_fields(body, token, seconds)
        }))
    }
}

fn read_cursor(cursor: &str) -> Result<usize, i64> {
    if cursor.is_empty() {
        return Ok(0);
    }
    let number = cursor
        .strip_prefix("cursor-")
        .and_then(|number| number.parse().ok());
    number.ok_or(40_058)
}

#[derive(Serialize)]
struct PendingEntry<'a> {
    external_userid: &'a str,
    pending_id: Id,
}
