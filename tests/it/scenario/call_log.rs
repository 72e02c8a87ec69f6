//! Every call that passed the transport, as a witness that is neither the client nor the
//! simulator.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use idferry::{
    clock::Timestamp,
    wecom::{
        endpoint::{Endpoint, SubjectRequest},
        transport::{Failure, Request, Response},
    },
};

/// What a call was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Nothing yet; after a kill, nothing ever.
    Nothing,
    /// A reply that can be read, with its errcode.
    Errcode(i64),
    /// No connection: the call was not sent.
    NotSent,
    /// Anything else: reset, time-out, status, garbled or cut body.
    Unreadable,
}

#[derive(Debug, Clone)]
pub(crate) struct RecordedCall {
    /// The process that sent it, counted over all runs.
    pub(crate) process: u64,
    pub(crate) path: &'static str,
    /// The subject: unionid, openid and corpid; empty for calls that are not lookups.
    pub(crate) subject: Box<str>,
    pub(crate) with_ticket: bool,
    /// By the remote's time, which is the ledger's unless a test says otherwise.
    pub(crate) sent: Timestamp,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) reply: Reply,
}

impl RecordedCall {
    pub(crate) fn is_lookup(&self) -> bool {
        self.path == Endpoint::LOOKUP.path
    }
}

#[derive(Default)]
pub(crate) struct CallLog {
    pub(crate) calls: Vec<RecordedCall>,
    /// The process that runs now.
    pub(crate) process: u64,
    /// When each killed process was killed.
    pub(crate) kills: BTreeMap<u64, Timestamp>,
    /// Access tokens and tickets that passed.
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) tickets: BTreeSet<String>,
    /// The most calls of one API in flight at once, of one process.
    pub(crate) most_in_flight: BTreeMap<&'static str, usize>,
    in_flight: BTreeMap<&'static str, usize>,
}

impl CallLog {
    pub(crate) fn lookups(&self) -> impl Iterator<Item = &RecordedCall> {
        self.calls.iter().filter(|call| call.is_lookup())
    }

    pub(crate) fn of(&self, path: &str) -> usize {
        self.calls.iter().filter(|call| call.path == path).count()
    }

    /// The process that runs now is killed.
    pub(crate) fn killed(&mut self, now: Timestamp) {
        self.kills.insert(self.process, now);
        self.next_process();
    }

    /// The process that runs now has ended; another may follow.
    pub(crate) fn next_process(&mut self) {
        self.process += 1;
        self.in_flight.clear();
    }

    /// Records a call that is sent; returns its place in the log.
    pub(super) fn sent(&mut self, request: &Request, now: Timestamp) -> usize {
        let lookup: Option<SubjectRequest<'_>> = serde_json::from_slice(&request.body).ok();
        self.calls.push(RecordedCall {
            process: self.process,
            path: request.path,
            subject: lookup.as_ref().map(subject).unwrap_or_default().into(),
            with_ticket: lookup.is_some_and(|lookup| lookup.mass_call_ticket.is_some()),
            sent: now,
            completed: None,
            reply: Reply::Nothing,
        });
        let in_flight = self.in_flight.entry(request.path).or_default();
        *in_flight += 1;
        let most = self.most_in_flight.entry(request.path).or_default();
        *most = (*in_flight).max(*most);
        self.calls.len() - 1
    }

    /// Records what the call at `place` was answered with.
    pub(super) fn completed(
        &mut self,
        place: usize,
        reply: &Result<Response, Failure>,
        now: Timestamp,
    ) {
        let reply = match reply {
            Ok(response) => self.read(response),
            Err(Failure::Connect(_)) => Reply::NotSent,
            Err(_) => Reply::Unreadable,
        };
        let call = &mut self.calls[place];
        (call.completed, call.reply) = (Some(now), reply);
        if let Some(in_flight) = self.in_flight.get_mut(call.path) {
            *in_flight -= 1;
        }
    }

    fn read(&mut self, response: &Response) -> Reply {
        let reply: Option<serde_json::Value> = serde_json::from_str(&text(&response.body)).ok();
        let Some(reply) = reply.filter(|_| response.status == 200) else {
            return Reply::Unreadable;
        };
        if let Some(token) = reply["access_token"].as_str() {
            self.tokens.insert(token.to_owned());
        }
        if let Some(ticket) = reply["mass_call_ticket"].as_str() {
            self.tickets.insert(ticket.to_owned());
        }
        let errcode = &reply["errcode"];
        let quoted = || errcode.as_str()?.parse().ok();
        errcode
            .as_i64()
            .or_else(quoted)
            .map_or(Reply::Unreadable, Reply::Errcode)
    }
}

/// The text of a reply, whatever its dress.
fn text(body: &[u8]) -> String {
    let mut unpacked = Vec::new();
    if body.starts_with(b"\x1f\x8b") {
        let _ = flate2::read::GzDecoder::new(body).read_to_end(&mut unpacked);
    } else {
        unpacked.extend_from_slice(body);
    }
    let text = String::from_utf8_lossy(&unpacked);
    text.trim_start_matches('\u{feff}').to_owned()
}

fn subject(lookup: &SubjectRequest<'_>) -> String {
    let corpid = lookup.corpid.as_deref().unwrap_or_default();
    format!("{} {} {corpid}", lookup.unionid, lookup.openid)
}
