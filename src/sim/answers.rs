//! Replies to calls that are within the limits: who may call, and the replies about people.

use super::{
    api::SimEndpoint,
    call::{ApiCall, Reply},
    parsed_request::{ParsedRequest, PendingIdRequest},
    remote::{IncomingCall, SimulatedRemote},
    reply::{field, token_fields},
    token::Bearer,
    world::{EmptyListForm, Person},
};
use crate::{clock::Timestamp, wecom::endpoint::SubjectRequest};

impl SimulatedRemote {
    /// Returns the reply to a call that nothing stands against; `ok` is the errmsg of a success.
    pub(super) fn respond(
        &mut self,
        incoming: &IncomingCall<'_>,
        request: &ParsedRequest<'_>,
        ok: &'static str,
    ) -> Reply {
        let IncomingCall { now, api, .. } = *incoming;
        if matches!(request, ParsedRequest::Token) {
            return self.token(now, incoming.call, ok);
        }
        let token = incoming.call.query.get("access_token");
        let bearer = match self.tokens.check(now, &token) {
            Ok(bearer) => bearer,
            Err(errcode) => return self.error(api, errcode, now),
        };
        if api == SimEndpoint::Lookup && self.orders.uses_up() {
            self.kill_token_at(now);
            return self.error(api, 40_014, now);
        }
        if bearer != Bearer::Upstream && api != SimEndpoint::BatchPendingId {
            return self.error(api, 48_002, now);
        }
        let replied = match request {
            ParsedRequest::Malformed => return Reply::malformed(api, now, &mut self.rng),
            ParsedRequest::Token | ParsedRequest::WrongVerb => Err(40_058),
            ParsedRequest::Ticket => self.ticket(now, ok),
            ParsedRequest::Lookup(request) => self.lookup(now, request, ok),
            ParsedRequest::PendingId(request) => self.pending_id(now, request, ok),
            ParsedRequest::BatchPendingId(request) => {
                self.batch_pending_id(now, bearer, request, ok)
            }
            ParsedRequest::ShareInfo(request) => self.share_info(request, ok),
            ParsedRequest::CorpToken(request) => self.corp_token(now, request, ok),
        };
        replied.unwrap_or_else(|errcode| self.error(api, errcode, now))
    }

    /// D91039.
    fn token(&mut self, now: Timestamp, call: &ApiCall<'_>, ok: &'static str) -> Reply {
        let corpid = call.query.get("corpid");
        let secret = call.query.get("corpsecret");
        if let Err(errcode) = self.credentials.check(now, &corpid, &secret) {
            self.stats.tokens_failed += u64::from(errcode != 45_009);
            return self.error(SimEndpoint::Token, errcode, now);
        }
        self.stats.tokens_fetched += 1;
        let (token, seconds) = self.tokens.fetch(now, Bearer::Upstream, &mut self.rng);
        Reply::success(ok, |body| token_fields(body, token, seconds))
    }

    /// D96250.
    fn ticket(&mut self, now: Timestamp, ok: &'static str) -> Result<Reply, i64> {
        self.stats.ticket_applications += 1;
        let ticket = self.ticket.apply(now, &mut self.rng)?;
        let mut reply = Reply::success(ok, |body| field(body, "mass_call_ticket", &ticket));
        if let Some(body) = &self.orders.application_body {
            reply.body = body.replace("{}", ticket).into_bytes();
        }
        Ok(reply)
    }

    /// D95818.
    fn lookup(
        &self,
        now: Timestamp,
        request: &SubjectRequest<'_>,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        require(&[&request.unionid, &request.openid])?;
        if let Some(ticket) = &request.mass_call_ticket {
            self.ticket.check(now, ticket)?;
            self.orders.ticket_errcode.map_or(Ok(()), Err)?;
        }
        let only = request
            .corpid
            .as_deref()
            .map(|corpid| self.downstream(corpid))
            .transpose()?;
        if let Some(errcode) = self.script.errcode_of(&request.unionid) {
            return Err(errcode);
        }
        let person = self.world.person(&request.unionid);
        if let Some(errcode) = self.world.rejection(person, &request.openid) {
            return Err(errcode);
        }
        let wanted = |place: &usize| only.is_none_or(|only| only == *place);
        let places = self.world.corps_of(person, now).filter(wanted);
        Ok(Reply::success(ok, |body| {
            self.write_links(body, person, places)
        }))
    }

    /// Written without serde: a bulk run reads these replies by the million, and ids need no
    /// escaping.
    fn write_links(&self, body: &mut Vec<u8>, person: Person, places: impl Iterator<Item = usize>) {
        let mut opening: &[u8] = br#","external_userid_info":[{"corpid":""#;
        for place in places {
            body.extend_from_slice(opening);
            body.extend_from_slice(self.world.corps()[place].corpid.as_bytes());
            body.extend_from_slice(br#"","external_userid":""#);
            body.extend_from_slice(self.world.external_userid(person, place).as_bytes());
            body.extend_from_slice(br#""}"#);
            opening = br#",{"corpid":""#;
        }
        if opening.starts_with(br#",{"#) {
            body.push(b']');
        } else {
            write_no_links(body, self.world.empty_list(person));
        }
    }

    /// Returns the place of the corp that a lookup names. Which errcode an unknown corpid gets is
    /// not stated (D95818); both of these are about one corp.
    fn downstream(&self, corpid: &str) -> Result<usize, i64> {
        let unknown = if corpid.starts_with("wp") {
            670_004
        } else {
            40_013
        };
        self.world.place(corpid).ok_or(unknown)
    }

    /// D97357.
    fn pending_id(
        &mut self,
        now: Timestamp,
        request: &PendingIdRequest<'_>,
        ok: &'static str,
    ) -> Result<Reply, i64> {
        require(&[&request.unionid, &request.openid])?;
        let person = self.world.person(&request.unionid);
        if let Some(errcode) = self.world.rejection(person, &request.openid) {
            return Err(errcode);
        }
        self.pending_ids.create(now, person);
        let pending_id = self.world.pending_id(person);
        Ok(Reply::success(ok, |body| {
            field(body, "pending_id", &pending_id.as_str())
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

fn write_no_links(body: &mut Vec<u8>, form: EmptyListForm) {
    let text: &[u8] = match form {
        EmptyListForm::Absent | EmptyListForm::Varies => b"",
        EmptyListForm::Null => br#","external_userid_info":null"#,
        EmptyListForm::Empty => br#","external_userid_info":[]"#,
    };
    body.extend_from_slice(text);
}
