//! The seven answers, for calls that are within the limits.

use std::time::Duration;

use serde::Serialize;

use super::{
    api::Api,
    ask::{Ask, BatchPendingRequest, CorpTokenRequest, PendingRequest, ShareInfoRequest},
    call::{Call, Reply},
    count::Sliding,
    remote::Remote,
    reply::{field, token_fields},
    token::Bearer,
    world::{Corp, Nobody},
};
use crate::{clock::Timestamp, wecom::wire::ConvertRequest};

/// Ids per batch (D98040), corps per page (D95813).
const MOST: usize = 100;
/// 上下游; 0, the default, is 企业互联, of which this world has none (D96873).
const UPSTREAM_DOWNSTREAM: u32 = 1;

impl Remote {
    pub(super) fn respond(
        &mut self,
        now: Timestamp,
        api: Api,
        ask: &Ask<'_>,
        call: &Call<'_>,
        ok: &'static str,
    ) -> Reply {
        if matches!(ask, Ask::Token) {
            return self.token(now, call, ok);
        }
        let bearer = match self.tokens.check(now, &call.query.get("access_token")) {
            Ok(bearer) => bearer,
            Err(errcode) => return self.error(api, errcode, now),
        };
        if bearer != Bearer::Upstream && api != Api::BatchPending {
            return self.error(api, 48_002, now);
        }
        let replied = match ask {
            Ask::Malformed => return Reply::malformed(api, now, &mut self.rng),
            Ask::Token | Ask::WrongVerb => Err(40_058),
            Ask::Ticket => self.ticket(now, ok),
            Ask::Convert(request) => self.convert(now, request, ok),
            Ask::Pending(request) => self.pending(now, request, ok),
            Ask::BatchPending(request) => self.batch_pending(now, bearer, request, ok),
            Ask::ShareInfo(request) => self.share_info(request, ok),
            Ask::CorpToken(request) => self.corp_token(now, request, ok),
        };
        replied.unwrap_or_else(|errcode| self.error(api, errcode, now))
    }

    /// D91039. Clear corpids ignore case.
    fn token(&mut self, now: Timestamp, call: &Call<'_>, ok: &'static str) -> Reply {
        if self.lockout.closed(now) {
            return self.error(Api::Token, 45_009, now);
        }
        let (corpid, secret) = (call.query.get("corpid"), call.query.get("corpsecret"));
        let wrong = match (&*corpid, &*secret) {
            ("", _) => Some(41_002),
            (_, "") => Some(41_004),
            _ if !corpid.eq_ignore_ascii_case(&self.corp_id) => Some(40_013),
            _ if *secret != *self.corp_secret => Some(40_001),
            _ => None,
        };
        if let Some(errcode) = wrong {
            self.stats.tokens_failed += 1;
            self.lockout.fail(now);
            return self.error(Api::Token, errcode, now);
        }
        self.stats.tokens_fetched += 1;
        let (token, seconds) = self.tokens.fetch(now, Bearer::Upstream, &mut self.rng);
        Reply::success(ok, |body| token_fields(body, token, seconds))
    }

    /// D96250.
    fn ticket(&mut self, now: Timestamp, ok: &'static str) -> Result<Reply, i64> {
        self.stats.ticket_applications += 1;
        let ticket = self.ticket.apply(now, &mut self.rng)?;
        Ok(Reply::success(ok, |body| {
            field(body, "mass_call_ticket", &ticket)
        }))
    }

    /// D95818.
    fn convert(
        &self,
        now: Timestamp,
        request: &ConvertRequest<'_>,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        require(&[&request.unionid, &request.openid])?;
        if let Some(ticket) = &request.mass_call_ticket {
            self.ticket.check(now, ticket)?;
        }
        let only = request
            .corpid
            .as_deref()
            .map(|corpid| self.downstream(corpid))
            .transpose()?;
        if !self.forced.is_empty()
            && let Some(errcode) = self.forced.get(&*request.unionid)
        {
            return Err(*errcode);
        }
        let person = self.world.person(&request.unionid);
        if let Some(errcode) = self.world.rejection(person, &request.openid) {
            return Err(errcode);
        }
        let wanted = |place: &usize| only.is_none_or(|only| only == *place);
        let mut places = self.world.corps_of(person).filter(wanted).peekable();
        let nobody = places.peek().is_none();
        Ok(Reply::success(ok, |body| {
            if nobody {
                return say_nobody(body, self.world.nobody(person));
            }
            body.extend_from_slice(br#","external_userid_info":["#);
            for (number, place) in places.enumerate() {
                body.extend_from_slice(if number == 0 {
                    b"{\"corpid\":\""
                } else {
                    b",{\"corpid\":\""
                });
                body.extend_from_slice(self.world.corps()[place].corpid.as_bytes());
                body.extend_from_slice(b"\",\"external_userid\":\"");
                body.extend_from_slice(self.world.external_userid(person, place).as_bytes());
                body.extend_from_slice(b"\"}");
            }
            body.push(b']');
        }))
    }

    /// The corp of a filter. Which code a foreign corpid gets is unknown; both are per corp.
    fn downstream(&self, corpid: &str) -> Result<usize, i64> {
        let unknown = if corpid.starts_with("wp") {
            670_004
        } else {
            40_013
        };
        self.world.place(corpid).ok_or(unknown)
    }

    /// D97357.
    fn pending(
        &mut self,
        now: Timestamp,
        request: &PendingRequest<'_>,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        require(&[&request.unionid, &request.openid])?;
        let person = self.world.person(&request.unionid);
        if let Some(errcode) = self.world.rejection(person, &request.openid) {
            return Err(errcode);
        }
        self.asked.remember(now, person);
        let pending_id = self.world.pending_id(person);
        Ok(Reply::success(ok, |body| {
            field(body, "pending_id", &pending_id.as_str())
        }))
    }

    /// D98040. Ids that are unknown, not asked for before, or another corp's (with a downstream
    /// token) are missing from the result. There are no group chats here, so a well-formed
    /// `chat_id` narrows nothing.
    fn batch_pending(
        &self,
        now: Timestamp,
        bearer: Bearer,
        request: &BatchPendingRequest,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        let ids = &request.external_userid;
        if ids.is_empty() || ids.len() > MOST {
            return Err(40_058);
        }
        if request
            .chat_id
            .as_ref()
            .is_some_and(|chat_id| !chat_id.starts_with("wr"))
        {
            return Err(86_001);
        }
        let found = ids.iter().filter_map(|id| {
            let (person, place) = self.world.read_external_userid(id)?;
            let visible = bearer == Bearer::Upstream || bearer == Bearer::Downstream(place);
            (visible && self.asked.knows(now, person)).then(|| (id, self.world.pending_id(person)))
        });
        let found: Vec<_> = found.collect();
        let entries = found
            .iter()
            .map(|(external_userid, pending_id)| PendingEntry {
                external_userid,
                pending_id: pending_id.as_str(),
            });
        let result: Vec<_> = entries.collect();
        Ok(Reply::success(ok, |body| field(body, "result", &result)))
    }

    /// D95813. The operator's agentid is unknown here, so any positive one is the shared app.
    fn share_info(&self, request: &ShareInfoRequest, ok: &'static str) -> Result<Reply, i64> {
        if request.agentid <= 0 {
            return Err(40_056);
        }
        if request.limit > MOST {
            return Err(40_058);
        }
        let first = read_cursor(&request.cursor)?;
        let wanted = |corp: &&Corp| request.corpid.is_empty() || corp.corpid == request.corpid;
        let corps: Vec<_> = match request.business_type {
            UPSTREAM_DOWNSTREAM => self.world.corps().iter().filter(wanted).collect(),
            _ => Vec::new(),
        };
        let limit = if request.limit == 0 {
            corps.len()
        } else {
            request.limit
        };
        let page: Vec<_> = corps
            .iter()
            .skip(first)
            .take(limit)
            .map(|corp| CorpEntry::of(corp))
            .collect();
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

    /// D95816.
    fn corp_token(
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

/// Missing and empty fields alike get 40058.
fn require(fields: &[&str]) -> Result<(), i64> {
    if fields.iter().any(|field| field.is_empty()) {
        return Err(40_058);
    }
    Ok(())
}

fn say_nobody(body: &mut Vec<u8>, form: Nobody) {
    let text: &[u8] = match form {
        Nobody::Absent | Nobody::Varies => b"",
        Nobody::Null => br#","external_userid_info":null"#,
        Nobody::Empty => br#","external_userid_info":[]"#,
    };
    body.extend_from_slice(text);
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
    pending_id: &'a str,
}

#[derive(Serialize)]
struct CorpEntry<'a> {
    corpid: &'a str,
    corp_name: &'a str,
    agentid: u32,
}

impl<'a> CorpEntry<'a> {
    fn of(corp: &'a Corp) -> Self {
        Self {
            corpid: &corp.corpid,
            corp_name: &corp.name,
            agentid: corp.agentid,
        }
    }
}

/// Wrong credentials again and again: the IP is shut out for an hour (D90313 on 45009; the number
/// is a staff reply's).
#[derive(Default)]
pub(super) struct Lockout {
    failures: Option<Box<Sliding>>,
    until: Timestamp,
}

impl Lockout {
    const FAILURES: u64 = 2_000;
    const SPAN: Duration = Duration::from_secs(3_600);

    fn closed(&self, now: Timestamp) -> bool {
        now < self.until
    }

    fn fail(&mut self, now: Timestamp) {
        let failures = self
            .failures
            .get_or_insert_with(|| Box::new(Sliding::new(Self::SPAN)));
        let before = failures.at(now.as_millis());
        failures.add(now.as_millis());
        if before + 1 >= Self::FAILURES {
            self.until = now.plus(Self::SPAN);
            failures.wipe();
        }
    }
}
